"""What an analyst brings from a notebook: kept whole, or refused with nothing changed; the town opens afterwards in either case."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from twin_model import Town, init_town, open_town
from twin_model.audit import verify
from twin_model.backup import backup_town, restore_town
from twin_model.errors import EditRefused, TwinError

CRS = "EPSG:4548"


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """An empty town, kept in each kind of store."""
    with init_town(tmp_path / "town", name="测试", crs=CRS, store=location) as made:
        yield made


def blocks(count: int = 3, **columns: Any) -> gpd.GeoDataFrame:
    x = [618_000.0 + 50 * number for number in range(count)]
    shapes = shapely.box(x, 3_886_000, [value + 40 for value in x], 3_886_040)
    return gpd.GeoDataFrame(columns or {"density": [0.1 * (n + 1) for n in range(count)]}, geometry=shapes, crs=CRS)


def again(town: Town) -> Town:
    return open_town(town.path)


FRAMES: dict[str, Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]] = {
    "geometry only": lambda frame: frame[["geometry"]],
    "Chinese": lambda frame: frame.assign(容积率=1.5),
    "space": lambda frame: frame.assign(**{"total length": 2.0}),
    "dot": lambda frame: frame.assign(**{"a.b": 2.0}),
    "quote": lambda frame: frame.assign(**{'it\'s "x"': 2.0}),
    "tuple": lambda frame: _with_tuple(frame),
    "digit": lambda frame: frame.assign(**{"2024": 2.0}),
    "reserved": lambda frame: frame.assign(version=[1, 2, 3], valid_from="2024-01-01"),
    "dates": lambda frame: frame.assign(day=pd.Timestamp("2024-05-01").date()),
    "objects": lambda frame: frame.assign(count=pd.Series([1, 2, None], dtype=object)),
    "newline": lambda frame: frame.assign(**{"a\nb": 1}),
}


def _with_tuple(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    frame = frame.copy()
    frame[("height", "mean")] = 2.0
    return frame


def test_ordinary_frames_become_layers_and_the_town_opens_with_all_of_them(town: Town) -> None:
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        for number, change in enumerate(FRAMES.values()):
            version = town.save_result(change(blocks()), f"r{number}", reason="更新")
            assert version.inserted == 3

    renamed = " ".join(str(warning.message) for warning in noticed)
    assert "'total length' -> total_length" in renamed and "('height', 'mean') -> height_mean" in renamed
    with again(town) as opened:
        assert opened.features("r1")["容积率"].tolist() == [1.5] * 3
        assert opened.features("r2")["total_length"].tolist() == [2.0] * 3
        assert opened.features("r7")["version_"].tolist() == [1, 2, 3]
        assert verify(opened.store).changesets == len(FRAMES)


def test_what_features_answered_can_be_committed_as_it_is(town: Town) -> None:
    town.edit("building", blocks(name=["甲", "乙", "丙"], storeys=[1, 2, 3]), reason="first")
    answered = town.features("building")

    copied = town.save_result(answered, "copy_of_buildings", reason="copy")
    edited = town.edit("building", answered.assign(storeys=9), reason="edit")

    assert copied.inserted == 3
    assert edited.updated == 3
    with again(town) as opened:
        assert opened.features("building")["storeys"].tolist() == [9, 9, 9]
        assert opened.features("copy_of_buildings").index.tolist() == answered.index.tolist()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"Area": [1.0] * 3, "area": [2.0] * 3}, "Area.*area.*Rename one"),
        ({"a b": [1.0] * 3, "a.b": [2.0] * 3}, "a b.*a.b.*Rename one"),
        ({"面" * 22: [1.0] * 3}, "63 bytes"),
        ({"x": [1.0, "a", None]}, "x is '1.0'.*Expected string"),
        ({"x": [float("inf")] * 3}, "x is 'inf'"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused_and_nothing_is_put_in_place(
    town: Town, columns: dict[str, Any], said: str
) -> None:
    with pytest.raises(EditRefused, match=said):
        town.save_result(blocks(**columns), "result", reason="更新")

    assert not list((town.path / "catalogue").iterdir())
    with again(town) as opened:
        assert "result" not in opened.catalogue
    town.save_result(blocks(x=["a", "b", "c"]), "result", reason="text after all")
    assert town.features("result")["x"].tolist() == ["a", "b", "c"]


def test_what_no_store_can_hold_is_refused_in_our_words(town: Town) -> None:
    frame = blocks(x=[1, 2, 3])
    two_levels = frame.copy()
    two_levels.index = pd.MultiIndex.from_product([["a"], [1, 2, 3]], names=["id", "part"])
    twice = pd.concat([frame[["x"]], frame], axis=1)
    hostile: dict[str, tuple[gpd.GeoDataFrame, dict[str, Any]]] = {
        "same name": (gpd.GeoDataFrame(twice, geometry="geometry", crs=CRS), {}),
        "levels": (two_levels, {}),
        "collection": (frame.set_geometry([shapely.GeometryCollection([shape]) for shape in frame.geometry]), {}),
        "huge": (frame.assign(x=[2**63, 1, 2]), {}),
        "surrogate": (frame.assign(x=pd.Series(["\ud800", "a", "b"], dtype=object)), {}),
        "null": (frame.assign(x=["a\0b", "a", "b"]), {}),
        "reason": (frame, {"reason": 5}),
        "no reason": (frame, {"reason": " "}),
        "layer": (frame, {"name": "sqlite_x"}),
        "ours": (frame, {"name": "twin_part"}),
        "no layer": (frame, {"name": None}),
        "ids": (frame.set_index(pd.Index(["a", "b", "a"], name="id")), {}),
    }

    for name, (odd, asked) in hostile.items():
        with pytest.raises(TwinError) as refusal:
            town.save_result(odd, **({"name": "result", "reason": "更新"} | asked))
        assert len(str(refusal.value).split(". ")) >= 3, name

    assert not list((town.path / "catalogue").iterdir())
    with again(town) as opened:
        assert opened.store.version() == 0


def test_ids_with_gaps_edit_what_they_name_and_bring_what_they_do_not(town: Town) -> None:
    town.edit("building", blocks(name=["甲", "乙", "丙"]).set_index(pd.Index([1, 2, 3], name="id")), reason="1")

    frame = blocks(name=["甲", "改", "新"]).set_index(pd.Index([1.0, 2.0, float("nan")], name="id"))
    version = town.edit("building", frame, reason="2", effective=pd.Timestamp("2030-01-01"))

    assert (version.updated, version.inserted) == (1, 1)
    assert {"1", "2", "3"} < set(town.features("building", at=pd.Timestamp("2031-01-01").date()).index)


def test_an_empty_result_ends_what_the_layer_held(town: Town) -> None:
    town.save_result(blocks(), "violations", reason="three")

    version = town.save_result(blocks().iloc[:0], "violations", reason="none left")

    assert version.ended == 3
    assert town.features("violations").empty and len(town.features("violations", as_known=1)) == 3


def test_names_of_databases_and_of_no_script_become_fields(town: Town) -> None:
    frame = blocks(**{"ID": [1, 2, 3], "ctid": [1, 2, 3], "rowid": [1, 2, 3], "m²": [1.0, 2.0, 3.0]})

    with pytest.warns(UserWarning, match="ID"):
        town.save_result(frame, "odd", reason="names")

    with again(town) as opened:
        assert opened.features("odd")["ctid_"].tolist() == [1, 2, 3]
        assert opened.features("odd")["m"].tolist() == [1.0, 2.0, 3.0]


def test_a_frame_without_geometry_is_refused_by_name(town: Town) -> None:
    with pytest.raises(EditRefused, match=r"A DataFrame was given.*GeoDataFrame"):
        town.save_result(pd.DataFrame({"x": [1]}), "result", reason="table")  # type: ignore[arg-type]


def test_a_renamed_column_takes_its_values_along_and_the_past_keeps_the_old_name(town: Town) -> None:
    town.save_result(blocks(), "r", reason="1")

    version = town.save_result(blocks().rename(columns={"density": "building_density"}), "r", reason="2")

    now, past = town.features("r"), town.features("r", as_known=1)
    assert version.updated == 3
    assert now["building_density"].round(6).tolist() == [0.1, 0.2, 0.3]
    assert past["density"].round(6).tolist() == [0.1, 0.2, 0.3]
    assert verify(town.store).changesets == 2


def test_an_edit_keeps_what_it_does_not_say_and_empties_what_it_says_is_nothing(town: Town) -> None:
    town.edit("building", blocks(name=["甲", "乙", "丙"], storeys=[1, 2, 3]), reason="first")

    edit = town.features("building")[["geometry"]].assign(height=99.0)
    version = town.edit("building", edit, reason="heights")
    emptied = town.edit(
        "building", town.features("building")[["geometry"]].iloc[:1].assign(name=None), reason="unnamed"
    )
    unchanged = town.edit("building", edit, reason="heights again")

    found = town.features("building")
    assert version.updated == 3 and emptied.updated == 1
    assert not unchanged.made
    assert found["height"].tolist() == [99.0] * 3 and found["storeys"].tolist() == [1, 2, 3]
    assert found["name"].fillna("-").tolist() == ["-", "乙", "丙"]
    assert verify(town.store).changesets == 3


def test_a_field_that_a_town_gains_by_a_table_leaves_proof_and_backup_whole(town: Town, tmp_path: Path) -> None:
    town.edit("building", blocks(name=["甲", "乙", "丙"]), reason="first")
    (town.path / "catalogue" / "own.toml").write_text(
        '[building.fields]\nheritage = { type = "string", zh = "历史建筑", en = "Heritage" }\n', "utf-8"
    )

    with again(town) as opened:
        assert verify(opened.store).changesets == 1
        same = opened.edit("building", opened.features("building"), reason="nothing new")
        assert not same.made
        if "@" not in opened.settings.store and "postgresql" not in opened.settings.store:
            backup_town(opened, tmp_path / "town.zip")
            assert restore_town(tmp_path / "town.zip", tmp_path / "restored").version == 1


def test_a_town_opens_without_a_result_whose_table_is_broken_and_says_which(town: Town) -> None:
    town.save_result(blocks(), "good", reason="1")
    town.save_result(blocks(), "bad", reason="2")
    broken = town.path / "catalogue" / "bad.toml"
    broken.write_text(broken.read_text("utf-8") + "面 积 = {\n", "utf-8")

    with pytest.warns(UserWarning, match=r"left out.*bad\.toml"), again(town) as opened:
        assert opened.layers().index.tolist() == ["good"]
        assert list(opened.left_out) == ["bad"]
        opened.save_result(blocks(), "bad", reason="made again")

    with again(town) as mended:
        assert sorted(mended.layers().index) == ["bad", "good"]


def test_a_table_of_the_town_that_is_no_result_is_still_refused(town: Town) -> None:
    (town.path / "catalogue" / "own.toml").write_text("[building\n", "utf-8")

    with pytest.raises(TwinError, match="own.toml"):
        open_town(town.path)


def test_readers_in_other_threads_go_on_while_a_new_layer_is_committed(town: Town) -> None:
    from concurrent.futures import ThreadPoolExecutor

    town.save_result(blocks(), "first", reason="1")
    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(lambda: len(town.features("first"))) for _ in range(40)]
        for number in range(4):
            town.save_result(blocks(), f"thread_{number}", reason="同一原因")
        counts = {each.result() for each in reading}

    assert counts == {3}
    assert len(town.layers()) == 5
