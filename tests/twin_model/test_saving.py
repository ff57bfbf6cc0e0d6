"""What a notebook writes: edits that know what they were made from, results that replace, update or append; and what is warned of."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from twin_model import Town, commit, init_town, open_town
from twin_model.audit import verify
from twin_model.desk.saving import EditWarning
from twin_model.errors import CatalogueError, EditRefused, VersionConflict

CRS = "EPSG:4548"


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """A town with three buildings, kept in each kind of store."""
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as made:
        made.edit("building", blocks(name=["甲", "乙", "丙"], storeys=[1, 2, 3], built=["2017", "2017-06", "2019-05-01"]),
                  reason="survey")  # fmt: skip
        yield made


def blocks(count: int = 3, east: float = 618_000.0, **columns: Any) -> gpd.GeoDataFrame:
    x = [east + 50 * number for number in range(count)]
    shapes = shapely.box(x, 3_886_000, [value + 40 for value in x], 3_886_040)
    return gpd.GeoDataFrame(columns or {"density": [0.1 * (n + 1) for n in range(count)]}, geometry=shapes, crs=CRS)


@pytest.fixture(autouse=True)
def _no_warning_unasked() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", EditWarning)
        yield


def test_what_was_read_is_written_back_as_no_change_whatever_was_asked_for(town: Town) -> None:
    before = town.store.version()

    for asked in ({}, {"system": True}, {"labels": "zh"}, {"crs": "OGC:CRS84"}, {"fields": ["name"]}, {"fields": []}):
        saved = town.edit("building", town.features("building", **asked), reason="round trip")
        assert not saved.made and saved.unchanged == 3, asked

    assert town.store.version() == before
    assert town.features("building", system=True)["built"].dt.year.tolist() == [2017, 2017, 2019]


def test_a_day_is_kept_as_precisely_as_it_was_known_and_a_new_one_is_taken(town: Town) -> None:
    read = town.features("building", fields=["built"])

    town.edit(
        "building", read.assign(built=[pd.Timestamp("2017-01-01"), pd.Timestamp("2018-02-03"), pd.NaT]), reason="dates"
    )

    stored = dict(zip(("id", "built"), (0, 0), strict=True))
    columns, rows = town.store.rows(_every_building())
    stored = {row[columns.index("id")]: row[columns.index("built")] for row in rows}
    assert stored == {"building.1": "2017", "building.2": "2018-02-03", "building.3": None}


def _every_building() -> Any:
    from twin_model.store.base import FeatureQuery

    return FeatureQuery("building")


def test_two_notebooks_that_change_different_values_lose_nothing(town: Town) -> None:
    with open_town(town.path) as other:
        mine, theirs = town.features("building"), other.features("building")
        town.edit("building", mine.assign(name=["a", "b", "c"]), reason="names")

        with pytest.warns(EditWarning, match="有 3 个值与版本 1 时相同.*保留了较新的值"):
            other.edit("building", theirs.assign(storeys=[7, 8, 9]), reason="storeys")

    now = town.features("building")
    assert now["name"].tolist() == ["a", "b", "c"] and now["storeys"].tolist() == [7, 8, 9]


def test_two_notebooks_that_change_the_same_value_are_told_and_nothing_is_written(town: Town) -> None:
    with open_town(town.path) as other:
        theirs = other.features("building")
        town.edit("building", town.features("building").iloc[:1].assign(name="first"), reason="names")
        version = town.store.version()

        with pytest.raises(
            VersionConflict, match=r"building\.1 were changed by others since version 1.*ids="
        ) as conflict:
            other.edit("building", theirs.assign(name=["x", "y", "z"]), reason="names too")

        assert conflict.value.values["features"] == {"building": ["building.1"]}
        assert town.store.version() == version
        again = other.features("building", ids=["building.1", "building.2", "building.3"])
        assert other.edit("building", again.assign(name=["x", "y", "z"]), reason="read again").updated == 3
        town.edit("building", theirs.assign(name="forced"), reason="overwritten", base=town.store.version())

    assert set(town.features("building")["name"]) == {"forced"}


def test_geometry_that_others_moved_is_kept_by_an_edit_of_a_name(town: Town) -> None:
    read = town.features("building")
    with open_town(town.path) as other:
        moved = other.features("building").iloc[:1]
        moved = moved.set_geometry(moved.translate(5, 0))
        other.edit("building", moved[["geometry"]], reason="moved")

    with pytest.warns(EditWarning, match="保留了较新的值"):
        town.edit("building", read.assign(name="all"), reason="names")

    now = town.features("building")
    assert now.geometry.iloc[0].bounds[0] == pytest.approx(618_005.0) and set(now["name"]) == {"all"}
    assert verify(town.store).changesets == 3


def test_a_feature_that_ended_meanwhile_is_a_conflict(town: Town) -> None:
    read = town.features("building")
    with open_town(town.path) as other:
        from twin_model.changeset import Changeset
        from twin_model.temporal import now

        commit(other.store, Changeset("survey", "gone", now(), edit=True, terminated={"building": ("building.2",)}))

    with pytest.raises(VersionConflict, match=r"building\.2"):
        town.edit("building", read.assign(storeys=5), reason="storeys")


def test_one_notebook_may_edit_twice_from_one_read(town: Town) -> None:
    read = town.features("building")
    town.edit("building", read.assign(name="once"), reason="1")
    with pytest.warns(EditWarning, match="保留了较新的值"):
        town.edit("building", read.assign(storeys=4), reason="2")
    with pytest.warns(EditWarning, match="保留了较新的值"):
        town.edit("building", read.assign(name="twice"), reason="3")

    assert set(town.features("building")["name"]) == {"twice"} and set(town.features("building")["storeys"]) == {4}


def test_a_table_without_geometry_keeps_it(town: Town) -> None:
    table = pd.DataFrame({"height": [9.5, 8.0]}, index=pd.Index(["building.1", "building.3"], name="id"))

    with pytest.warns(EditWarning, match="未注明读取时的版本"):
        assert town.edit("building", table, reason="heights").updated == 2
    with pytest.raises(EditRefused, match="names.*nowhere.*not there"):
        town.edit("building", table.rename(index={"building.1": "nowhere"}), reason="heights")
    with pytest.raises(EditRefused, match="index is named None. Expected an index named 'id'.*rename_axis"):
        town.edit("building", table.reset_index(drop=True), reason="heights")

    assert town.features("building")["height"].fillna(0).tolist() == [9.5, 0.0, 8.0]


def test_a_column_that_is_no_field_is_refused_with_the_field_it_may_mean(town: Town) -> None:
    read = town.features("building")[["geometry"]]

    with pytest.raises(EditRefused, match="no fields heigth. Nearest: height"):
        town.edit("building", read.assign(heigth=3.0), reason="a slip")
    with pytest.raises(EditRefused, match="no fields 建筑高. Nearest: height"):
        town.edit("building", read.assign(建筑高=3.0), reason="half a title")


def test_a_value_that_is_no_code_is_warned_of_once(town: Town) -> None:
    read = town.features("building", ids="building.1")
    with pytest.warns(EditWarning, match='structure 写入了 玻璃.*代码如 砼.*town.codes\\("building", "structure"\\)'):
        town.edit("building", read.assign(structure="玻璃"), reason="glass")

    assert town.edit("building", read.assign(structure="玻璃", name="玻璃房"), reason="its name").updated == 1
    again = town.features("building", ids="building.1").assign(structure="钢")
    assert town.edit("building", again, reason="steel").updated == 1


def test_a_version_may_be_a_number_of_numpy(town: Town) -> None:
    read, newest = town.features("building"), town.history().index[0]

    town.edit("building", read.assign(storeys=[4, 5, 6]), base=newest, reason="counted again")

    assert town.features("building", as_known=newest)["storeys"].tolist() == [1, 2, 3]
    assert town.revert(town.history().index[0]).touched["building"].updated == 3


def test_a_result_saved_again_takes_back_what_was_edited_in_it(town: Town) -> None:
    """A file that is delivered again leaves edits alone; a result holds what its frame holds."""
    computed = blocks(4).set_index(pd.Index(["a", "b", "c", "d"], name="id"))
    town.save_result(computed, "density", reason="computed")
    town.save_result(town.features("density").head(2).assign(density=[7.0, 8.0]), "density", reason="x", mode="update")
    town.edit("density", town.features("density", ids="c").assign(density=9.0), reason="by hand")

    tried = town.save_result(computed, "density", reason="computed again", dry_run=True)
    again = town.save_result(computed, "density", reason="computed again")

    assert (tried.updated, tried.unchanged, again.updated, again.unchanged) == (3, 1, 3, 1)
    assert town.features("density")["density"].tolist() == computed["density"].tolist()
    assert town.save_result(computed, "density", reason="once more").made is False


def test_a_result_saved_as_it_was_edited_is_no_change(town: Town) -> None:
    town.save_result(blocks(), "density", reason="computed")
    edited = town.features("density").assign(density=[1.0, 2.0, 3.0])
    town.edit("density", edited, reason="by hand")

    assert town.save_result(edited, "density", reason="as edited").made is False
    town.revert(town.store.version(), reason="as computed")
    assert town.save_result(edited, "density", reason="as edited").updated == 3
    assert town.save_result(blocks(), "density", reason="as computed, without ids").updated == 3
    assert sorted(town.features("density")["density"].round(6)) == [0.1, 0.2, 0.3]
    assert verify(town.store).changesets == town.store.version()


def test_what_looks_like_a_mistake_is_warned_of(town: Town) -> None:
    survey = blocks(2, east=619_000, name=["丁", "戊"])
    town.edit("building", survey, reason="survey")
    with pytest.warns(EditWarning, match="新增的 2 个要素与已有的 building.4、building.5 内容完全相同"):
        town.edit("building", survey, reason="survey, the cell ran twice")
    with pytest.warns(EditWarning, match="没有表中 2 个标识码的任何一个"):
        strangers = survey.assign(name="?").set_index(pd.Index(["a", "b"], name="id"))
        town.edit("building", strangers, reason="ids of another town")
    many = blocks(12, density=[1.0] * 12)
    town.save_result(many, "density", reason="first")
    with pytest.warns(EditWarning, match="density 的 12 个要素全部变更"):
        town.save_result(many.assign(density=1000.0), "density", reason="other unit")
    with pytest.warns(EditWarning, match="density 现已清空：原有 12 个要素均已失效"):
        saved = town.save_result(many.iloc[:0], "density", reason="none left")

    assert saved.ended == 12 and saved.remarks and town.features("density").empty


def test_a_dry_run_says_what_would_change_and_writes_nothing(town: Town) -> None:
    before = town.store.version()

    first = town.save_result(blocks(), "density", reason="try", dry_run=True)
    edit = town.edit("building", town.features("building").iloc[:2].assign(storeys=9), reason="try", dry_run=True)

    assert (first.inserted, first.made, edit.updated, edit.unchanged) == (3, False, 2, 0)
    assert "将新增 3" in repr(first) and "未写入" in repr(first)
    assert "density" not in town.catalogue and not list((town.path / "catalogue").iterdir())
    town.save_result(blocks(), "density", reason="first")
    gained = town.save_result(
        town.features("density").iloc[:1].assign(remark="new"), "density", reason="field", mode="update", dry_run=True
    )
    assert gained.updated == 1 and town.store.version() == before + 1


def test_results_are_replaced_updated_and_appended_to(town: Town) -> None:
    town.save_result(blocks(), "density", reason="first", title="密度")
    read = town.features("density")

    updated = town.save_result(read.iloc[:1].assign(density=5.0), "density", reason="one", mode="update")
    appended = town.save_result(blocks(2, east=619_000), "density", reason="two more", mode="append")
    with pytest.raises(EditRefused, match="1 of the ids already.*mode='update'"):
        town.save_result(town.features("density").iloc[:1], "density", reason="again", mode="append")
    replaced = town.save_result(town.features("density").iloc[:2], "density", reason="two left")

    assert (updated.updated, updated.ended, appended.inserted, replaced.ended) == (1, 0, 2, 3)
    assert town.features("density")["density"].round(6).tolist() == [5.0, 0.2]
    assert town.catalogue["density"].title("zh") == "密度"
    assert "变更 1" in repr(updated)


def test_a_result_that_others_replaced_meanwhile_is_not_overwritten_unseen(town: Town) -> None:
    town.save_result(blocks(), "density", reason="first")
    with open_town(town.path) as other:
        theirs = other.features("density")
        town.save_result(town.features("density").assign(density=2.0), "density", reason="second")

        with pytest.raises(VersionConflict, match="density was written by others since version 2"):
            other.save_result(theirs.assign(density=3.0), "density", reason="third")
        other.save_result(theirs.assign(density=3.0), "density", reason="forced", base=other.store.version())

    assert set(town.features("density")["density"]) == {3.0}


def test_a_layer_of_the_town_is_no_result_and_a_mode_has_three_names(town: Town) -> None:
    with pytest.raises(EditRefused, match="layer of the town.*town.edit"):
        town.save_result(blocks(), "building", reason="x")
    with pytest.raises(EditRefused, match="'replace', 'update' or 'append'"):
        town.save_result(blocks(), "density", reason="x", mode="merge")  # type: ignore[arg-type]
    with pytest.raises(CatalogueError, match="cannot be called 'Density 1'.*title="):
        town.save_result(blocks(), "Density 1", reason="x")
    with pytest.raises(EditRefused, match="reason"):
        town.save_result(blocks(), "density", reason="")
    with pytest.raises(EditRefused, match="reason"):
        town.edit("building", blocks(), reason=" ")


def test_commit_does_what_the_two_verbs_do_and_says_their_names(town: Town) -> None:
    with pytest.warns(DeprecationWarning, match=r"save_result.*edit"):
        version = town.commit(blocks(), layer="density", reason="old name")

    assert version.touched["density"].inserted == 3


def test_a_warning_points_at_the_line_that_wrote(town: Town) -> None:
    town.save_result(blocks(), "density", reason="first")
    with pytest.warns(EditWarning) as noticed:
        town.save_result(blocks().iloc[:0], "density", reason="none left")

    assert noticed[0].filename == __file__


def test_who_waited_for_the_writers_place_is_not_buried_under_who_came_first(town: Town) -> None:
    """The instant since which an edit is true is taken when it is recorded, not when it was begun."""
    from twin_model.desk.saving import Order

    building = town.store.catalogue["building"]

    def wait(changeset: Any) -> Any:
        with open_town(town.path) as other:
            other.edit("building", other.features("building").iloc[:1].assign(name="came first"), reason="1")
        return commit(town.store, changeset)

    edit = town.features("building").iloc[:1].assign(name="waited")
    edit.attrs = {}
    with pytest.warns(EditWarning, match="未注明读取时的版本"):
        town._desk.edit(building, edit, Order("2"), put=wait)

    assert town.features("building")["name"].iloc[0] == "waited"
    assert town.versions("building", "building.1")["name"].tolist() == ["甲", "came first", "waited"]


def test_a_result_holds_what_replaces_it_though_it_was_edited_since(town: Town) -> None:
    frame = blocks(usage=["R", "B", "G"])
    town.save_result(frame, "usage", reason="first")
    town.edit("usage", town.features("usage").assign(usage="?"), reason="edited")

    replaced = town.save_result(frame, "usage", reason="as it was")
    again = town.save_result(frame, "usage", reason="as it was")

    assert replaced.updated == 3 and not again.made
    assert sorted(town.features("usage")["usage"]) == ["B", "G", "R"]
    assert verify(town.store).changesets == 4


def test_what_was_edited_is_no_change_where_it_replaces_itself(town: Town) -> None:
    town.save_result(blocks(usage=["R", "B", "G"]), "usage", reason="first")
    town.edit("usage", town.features("usage").assign(usage="?"), reason="edited")

    assert not town.save_result(town.features("usage"), "usage", reason="as it is").made


def test_new_rows_may_bring_a_new_column(town: Town) -> None:
    town.save_result(blocks(), "density", reason="first")

    appended = town.save_result(blocks(1, remark=["new"]), "density", reason="one more", mode="append")

    assert appended.inserted == 1
    assert town.features("density")["remark"].dropna().tolist() == ["new"]


def test_an_empty_frame_may_bring_a_new_column_to_an_empty_layer(town: Town) -> None:
    town.save_result(blocks(), "density", reason="first")
    town.save_result(town.features("density"), "density", reason="to be reverted")
    town.revert(2)

    saved = town.save_result(blocks(remark=["a", "b", "c"]).iloc[:0], "density", reason="a column")

    assert saved.made and town.catalogue["density"].field_of("remark") is not None
    with open_town(town.path) as again:
        assert again.features("density").empty and verify(again.store).changesets == 4


def test_ids_that_a_gap_made_floats_are_known_ids(town: Town) -> None:
    town.save_result(blocks(2).set_index(pd.Index([1, 2], name="id")), "density", reason="first", mode="update")
    more = blocks(2).set_index(pd.Index([1.0, None], name="id"))

    with pytest.raises(EditRefused, match="1 of the ids already: 1"):
        town.save_result(more, "density", reason="more", mode="append")
    with pytest.raises(EditRefused, match="halves of characters"):
        odd = blocks(1).set_index(pd.Index(["\ud800"], dtype=object, name="id"))
        town.save_result(odd, "density", reason="more", mode="append")

    assert len(town.features("density")) == 2


def test_geometries_with_and_without_heights_stand_in_one_layer(town: Town) -> None:
    high = blocks(2).set_geometry(shapely.force_3d(blocks(2).geometry.to_numpy(), 5.0), crs=CRS)
    town.save_result(high, "roofs", reason="heights")
    read = town.features("roofs")

    flat = town.save_result(read.set_geometry(read.geometry.force_2d()).iloc[:1], "roofs", reason="none", mode="update")
    unknown = read.set_geometry(shapely.transform(read.geometry.to_numpy(), _unknown_height, include_z=True), crs=CRS)
    again = town.save_result(unknown.iloc[:1], "roofs", reason="no height is no number", mode="update", base=2)

    assert (flat.updated, again.made) == (1, False)
    assert town.features("roofs").geometry.has_z.tolist() == [False, True]
    assert not town.edit("roofs", town.features("roofs"), reason="as it was read").made
    assert verify(town.store).changesets == 3


def _unknown_height(xyz: Any) -> Any:
    return xyz * [1.0, 1.0, float("nan")]


def test_columns_may_be_called_by_the_titles_of_fields(town: Town) -> None:
    table = town.features("building")[["geometry"]].assign(地上层数=[4, 5, 6], 高度=9.0)

    assert town.edit("建筑物", table, reason="from a table with Chinese headings").updated == 3
    with pytest.raises(EditRefused, match="storeys.*地上层数.*one to a store"):
        town.edit("building", table.assign(storeys=1), reason="one field twice")

    assert town.features("building")["storeys"].tolist() == [4, 5, 6]
    assert town.features("building")["height"].tolist() == [9.0] * 3


def test_ids_that_are_appended_are_meant_to_be_new(town: Town) -> None:
    town.save_result(blocks(), "density", reason="first")
    more = blocks(2, east=619_000).set_index(pd.Index(["x", "y"], name="id"))

    appended = town.save_result(more, "density", reason="two more", mode="append")

    assert appended.inserted == 2 and appended.remarks == ()
