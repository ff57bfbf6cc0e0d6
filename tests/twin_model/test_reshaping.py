"""A result's description: dropped, a field renamed, words changed; each is a version that can be undone, and the past stays whole."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from twin_model import Town, init_town, open_town
from twin_model.audit import verify
from twin_model.backup import backup_town, restore_town
from twin_model.errors import CatalogueError, EditRefused, LayerNotFound, QueryRefused, VersionConflict

CRS = "EPSG:4548"


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """A town with a result of three blocks, one of them twice at its place."""
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as made:
        made.save_result(
            blocks(density=[0.1, 0.2, 0.3], usage=["R", None, "B"]), "density", reason="first", title="密度"
        )
        yield made


def blocks(**columns: Any) -> gpd.GeoDataFrame:
    x = [618_000.0, 618_000.0, 618_050.0]
    shapes = shapely.box(x, 3_886_000, [value + 40 for value in x], 3_886_040)
    return gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS)


def test_a_dropped_layer_is_on_no_list_and_its_past_can_be_asked_for(town: Town) -> None:
    dropped = town.drop_layer("密度", reason="not needed")

    assert (dropped.ended, dropped.version) == (3, 2)
    assert "density" not in town.layers().index
    with pytest.raises(LayerNotFound, match="density was dropped.*as_known="):
        town.features("density")
    assert town.features("density", as_known=1)["density"].round(6).tolist() == [0.1, 0.2, 0.3]
    with open_town(town.path) as again:
        assert "density" not in again.layers().index
        assert verify(again.store).changesets == 2 and not verify(again.store).unread


def test_a_dropped_layer_comes_back_by_revert_and_by_a_result_of_its_name(town: Town) -> None:
    town.drop_layer("density", reason="not needed")

    town.revert(2)
    assert town.features("density")["density"].round(6).tolist() == [0.1, 0.2, 0.3]
    assert town.catalogue["density"].title("zh") == "密度"

    town.drop_layer("density", reason="not needed after all")
    town.save_result(blocks(density=[9.0] * 3), "density", reason="again")
    assert town.features("density")["density"].tolist() == [9.0] * 3
    with open_town(town.path) as again:
        assert again.layers().loc["density", "features"] == 3
        assert verify(again.store).changesets == 5


def test_a_renamed_field_takes_its_values_along_and_keeps_ids_and_the_past(town: Town) -> None:
    ids = town.features("density", sort="usage").index.tolist()

    renamed = town.rename_field("density", "density", "ratio", reason="clearer")

    now = town.features("density", sort="usage")
    assert (renamed.updated, renamed.inserted, renamed.ended) == (3, 0, 0)
    assert now.index.tolist() == ids and "density" not in now.columns
    assert sorted(now["ratio"].round(6)) == [0.1, 0.2, 0.3] and now["usage"].notna().sum() == 2
    with open_town(town.path) as again:
        assert again.catalogue["density"].field_names == ("ratio", "usage")
        assert again.store.features(_recorded(1)).index.tolist() == ["density.1", "density.2", "density.3"]
        assert verify(again.store).changesets == 2
        again.revert(2)
        assert again.features("density")["density"].round(6).tolist() == [0.1, 0.2, 0.3]
        assert again.catalogue["density"].field_names == ("density", "usage")
        assert verify(again.store).changesets == 3


def _recorded(version: int) -> Any:
    from twin_model.store.base import FeatureQuery
    from twin_model.view import View

    return FeatureQuery("density", view=View(recorded=version))


def test_a_field_renamed_and_a_layer_dropped_warn_of_nothing(town: Town) -> None:
    """All features of a layer change, and that is no mistake."""
    town.save_result(blocks(ratio=[0.5] * 3).iloc[[0] * 12], "many", reason="twelve blocks")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        renamed, dropped = town.rename_field("many", "ratio", "far", reason="x"), town.drop_layer("many", reason="x")

    assert (renamed.updated, dropped.ended) == (12, 12)


def test_words_units_and_codes_change_without_a_feature_changing(town: Town) -> None:
    words = town.redescribe(
        "density",
        title={"zh": "建筑密度", "en": "Building density"},
        fields={
            "density": {"zh": "密度", "en": "Density", "unit": "%"},
            "usage": {"codes": {"R": "居住", "B": "商业"}},
        },
        reason="words",
    )

    layer = town.catalogue["density"]
    usage, density = layer.field_of("usage"), layer.field_of("density")
    assert (words.version, words.updated) == (2, 0)
    assert repr(words) == "density：图层定义已更新，要素无变化。版本 2。"
    assert town.history("density")["layers"].tolist() == [["density"], ["density"]]
    assert layer.title("en") == "Building density" and usage is not None and density is not None
    assert usage.codes["R"]("zh") == "居住" and density.unit == "%"
    assert town.features("density", labels="zh")["usage"].fillna("-").tolist() == ["居住", "-", "商业"]
    town.save_result(town.features("density").assign(remark="x"), "density", reason="one more field")
    assert town.catalogue["density"].field_of("usage").codes["B"]("zh") == "商业"  # type: ignore[union-attr]
    with pytest.raises(VersionConflict, match="description"):
        town.revert(2)


def test_a_new_description_is_undone(town: Town) -> None:
    town.redescribe("density", title="别名", reason="words")

    town.revert(2)

    assert town.catalogue["density"].title("zh") == "密度"
    with open_town(town.path) as again:
        assert again.catalogue["density"].title("zh") == "密度" and verify(again.store).changesets == 3


def test_undoing_the_first_save_drops_the_layer(town: Town) -> None:
    town.revert(1, reason="a mistake")

    assert "density" not in town.layers().index
    assert len(town.features("density", as_known=1)) == 3


REFUSALS: dict[str, tuple[Any, type[Exception], str]] = {
    "drop a layer of the town": (lambda town: town.drop_layer("building", reason="x"), EditRefused, "layer of the town.*catalogue"),
    "drop nothing": (lambda town: town.drop_layer("densty", reason="x"), LayerNotFound, "Nearest: density"),
    "rename a stranger": (lambda town: town.rename_field("density", "x", "y", reason="x"), QueryRefused, "no field 'x'"),
    "rename to another": (lambda town: town.rename_field("density", "density", "Usage", reason="x"), EditRefused, "one to a store"),
    "rename oddly": (lambda town: town.rename_field("density", "density", "a b", reason="x"), EditRefused, "such as 'a_b'"),
    "describe nothing": (lambda town: town.redescribe("density"), EditRefused, "described so already"),
    "describe a type": (lambda town: town.redescribe("density", fields={"usage": {"type": "integer"}}), EditRefused, "cannot be said"),
    "empty words": (lambda town: town.redescribe("density", title=" "), EditRefused, "Expected a text"),
    "half a character": (lambda town: town.redescribe("density", title="\ud800"), EditRefused, "Expected a text"),
    "NUL in a unit": (lambda town: town.redescribe("density", fields={"density": {"unit": "\0"}}), EditRefused, "Expected a text"),
    "a code without words": (lambda town: town.redescribe("density", fields={"usage": {"codes": {"R": None}}}), EditRefused, "usage: 'R'"),
    "a number for words": (lambda town: town.redescribe("density", fields={"usage": 5}), EditRefused, "Expected a text"),
    "no words": (lambda town: town.redescribe("density", title={}), EditRefused, "Expected a text"),
    "no codes": (lambda town: town.redescribe("density", fields={"usage": {"codes": None}}), CatalogueError, "codes = None"),
    "NUL in a reason": (lambda town: town.revert(1, reason="\0"), EditRefused, "reason"),
    "no reason": (lambda town: town.drop_layer("density", reason=""), EditRefused, "reason"),
}  # fmt: skip


def test_a_slip_is_refused_and_nothing_changes(town: Town) -> None:
    table = (town.path / "catalogue" / "density.toml").read_text("utf-8")

    for ask, kind, said in REFUSALS.values():
        with pytest.raises(kind, match=said):
            ask(town)

    assert town.store.version() == 1
    assert (town.path / "catalogue" / "density.toml").read_text("utf-8") == table


def test_whole_numbers_become_numbers_when_fractions_come(town: Town) -> None:
    town.save_result(blocks(count=[1, 2, None]), "counts", reason="whole")
    with open_town(town.path) as other:
        for _ in range(8):  # so often that a server keeps the statement prepared
            assert other.features("counts")["count"].fillna(0).tolist() == [1, 2, 0]

        widened = town.save_result(blocks(count=[1, 2.5, 3]), "counts", reason="fractions")

        assert (widened.updated, widened.unchanged) == (2, 1)
        assert other.features("counts")["count"].tolist() == [1.0, 2.5, 3.0]
        assert other.features("counts", as_known=2)["count"].fillna(0).tolist() == [1.0, 2.0, 0.0]
        assert str(other.features("counts")["count"].dtype) == "float64"
        assert other.features("counts", where="count > 2").index.size == 2
    town.revert(3)
    with open_town(town.path) as again:
        assert again.features("counts")["count"].fillna(0).tolist() == [1.0, 2.0, 0.0]
        assert verify(again.store).changesets == 4
        back = again.save_result(blocks(count=[7, 8, 9]), "counts", reason="whole again")
        assert back.updated == 3 and again.features("counts")["count"].tolist() == [7.0, 8.0, 9.0]


@pytest.mark.parametrize("values", [[1.5, 2.0, 3.0], [True, False, True], ["2024-01-01", "x", "y"], [1, 2, 3]])
def test_a_field_that_held_nothing_takes_the_type_of_its_first_values(town: Town, values: list[Any]) -> None:
    town.save_result(blocks(value=[None] * 3), "values", reason="nothing yet")

    town.save_result(blocks(value=values), "values", reason="now known")

    assert town.features("values")["value"].tolist() == values
    with open_town(town.path) as again:
        assert again.features("values")["value"].tolist() == values and verify(again.store).changesets == 3


def test_a_field_that_holds_texts_takes_no_numbers(town: Town) -> None:
    with pytest.raises(EditRefused, match="usage is '1.5'. Expected string"):
        town.save_result(blocks(density=[0.1, 0.2, 0.3], usage=[1.5, 2.0, 3.0]), "density", reason="numbers")


def test_what_begins_in_the_future_is_dropped_too(town: Town) -> None:
    town.save_result(blocks(area=[1.0, 2.0, 3.0]), "plan", reason="from 2099 on", effective="2099-01-01")

    dropped = town.drop_layer("plan", reason="given up")
    town.save_result(blocks(area=[1.0, 2.0, 3.0]), "plan", reason="built at once")

    assert dropped.ended == 3
    assert len(town.features("plan")) == 3 and len(town.features("plan", at="2100-01-01")) == 3


def test_a_result_of_the_future_that_is_saved_for_today_is_there_today(town: Town) -> None:
    town.save_result(blocks(area=[1.0, 2.0, 3.0]), "plan", reason="from 2099 on", effective="2099-01-01")

    saved = town.save_result(blocks(area=[1.0, 2.0, 3.0]), "plan", reason="built at once")

    assert saved.made and len(town.features("plan")) == 3


def test_codes_may_be_numbers(town: Town) -> None:
    town.redescribe("density", fields={"usage": {"codes": {1: "居住", "B": {"zh": "商业", "en": "trade"}}}})

    with open_town(town.path) as again:
        assert again.codes("density", "usage", lang="zh").to_dict() == {"1": "居住", "B": "商业"}


def test_a_town_whose_results_were_reshaped_comes_back_whole_from_its_backup(
    town: Town, location: str, tmp_path: Path
) -> None:
    town.rename_field("density", "density", "ratio", reason="clearer")
    town.redescribe("density", title="别名", reason="words")
    town.save_result(blocks(count=[1, 2, None]), "counts", reason="whole")
    town.save_result(blocks(count=[1, 2.5, 3]), "counts", reason="fractions")
    town.save_result(blocks(area=[1.0, 2.0, 3.0]), "given_up", reason="a try")
    town.drop_layer("given_up", reason="it was a try")
    server = None if location == "store.gpkg" else location

    backup_town(town, tmp_path / "town.zip")
    town.store.close()
    restore_town(tmp_path / "town.zip", tmp_path / "town", replace=True, server=server)

    with open_town(tmp_path / "town") as restored:
        assert verify(restored.store).changesets == 7
        assert (
            restored.features("density")["ratio"].notna().all() and restored.catalogue["density"].title("zh") == "别名"
        )
        assert restored.features("counts")["count"].tolist() == [1.0, 2.5, 3.0]
        assert len(restored.features("given_up", as_known=6)) == 3 and "given_up" not in restored.layers().index
        restored.revert(7)
        assert len(restored.features("given_up")) == 3
