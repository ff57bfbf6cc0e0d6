"""What a source says and no field takes: kept, found, compared, changed, copied and exported, alike in both stores."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from api_config.delivery import Delivery, Outcome, deliver
from ingest.draft import ReadOptions
from tiles.encodings.files import write_frames
from twin_model.audit import verify
from twin_model.backup import backup_town, restore_town
from twin_model.changeset import Version
from twin_model.errors import CalledWrongly, EditRefused, QueryRefused
from twin_model.filter import FilterError
from twin_model.rows.attributes import attributes_text, read_attributes, with_flat_attributes
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.store.copying import copy_store
from twin_model.store.opening import create_store
from twin_model.town import Town, init_town, open_town
from twin_model.view import Policy, View

CRS = "EPSG:4548"
EAST, NORTH = 618_600.0, 3_885_800.0
BIG = 2**53 + 1
ODD = {
    'a "b".c': BIG, "it's\\": -(2**63), "": 2**64 - 1, "产权 人\n": 2**64 + 1, "$.x[0]": [-(2**70) - 1, 0.1], "__proto__": {"": 2**63},
    "\x00\U0001f600": 1e300, "x" * 300: True,
}  # fmt: skip
RULES = {
    "attributes.OWNER = 'Li'": [0],
    "attributes.OWNER IN ('Li', 'Wang')": [0, 1],
    "attributes.OWNER LIKE 'W%'": [1],
    "attributes.OWNER IS NULL": [2],
    "attributes.RENT > 2.5": [0, 1],
    "attributes.RENT = '3.0'": [],
    "attributes.PAID": [0],
    "attributes.PAID = FALSE": [1],
    "\"attributes.产权人 (2020)\" = '乙'": [1],
    "attributes.产权人 (2020)": CalledWrongly,
    "attributes.NOTHING = 1": [],
    "attributes = 1": CalledWrongly,
    "name = 'A' AND attributes.OWNER = 'Li'": [0],
}


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    with init_town(tmp_path / "town", name="试点", crs=CRS, store=location) as town:
        yield town


def houses(**columns: list[Any]) -> gpd.GeoDataFrame:
    squares = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 10, NORTH + 10) for n in range(3)]
    given = {"name": ["A", "B", "C"], "OWNER": ["Li", "Wang", None], "RENT": [100.5, 3.0, None], "NUMBER": [BIG, 2, 3],
             "PAID": pd.array([True, False, None], dtype="boolean"), "产权人 (2020)": ["甲", "乙", "丙"]} | columns  # fmt: skip
    return gpd.GeoDataFrame(given, geometry=squares, crs=CRS)


def delivered(town: Town, folder: Path, frame: gpd.GeoDataFrame, *, blank: tuple[str, ...] = ()) -> Outcome:
    path = folder / "houses.gpkg"
    frame.to_file(path, layer="houses", engine="pyogrio")
    (outcome,) = deliver(town, [path], Delivery(options=ReadOptions(kind="building"), blank=blank))
    assert outcome.error is None, outcome.error
    return outcome


def numbers(version: Version | None) -> tuple[int, int, int]:
    assert version is not None
    touched = version.touched["building"]
    return touched.inserted, touched.updated, touched.unchanged


def test_columns_without_a_field_are_kept_as_they_were_and_one_finding_names_them(town: Town, tmp_path: Path) -> None:
    outcome = delivered(town, tmp_path, houses())

    frame = town.features("building")
    assert frame["name"].tolist() == ["A", "B", "C"]
    assert frame["attributes"].tolist()[0] == {
        "OWNER": "Li", "RENT": 100.5, "NUMBER": BIG, "PAID": True, "产权人 (2020)": "甲",
    }  # fmt: skip
    assert frame["attributes"].tolist()[2] == {"NUMBER": 3, "产权人 (2020)": "丙"}
    (kept,) = [one for one in outcome.findings if one.rule == "attributes.kept"]
    assert kept.values["count"] == 5 and "OWNER" in kept.text("en") and "产权人 (2020)" in kept.text("zh")


def test_an_attribute_is_filtered_by_the_kind_it_is_compared_with(town: Town, tmp_path: Path) -> None:
    delivered(town, tmp_path, houses())
    ids = town.features("building").index.tolist()

    for where, expected in RULES.items():
        if isinstance(expected, list):
            assert town.features("building", where=where).index.tolist() == [ids[n] for n in expected], where
        else:
            with pytest.raises(expected):
                town.features("building", where=where)
    assert len(town.features("building", where="attributes.NUMBER = :n", params={"n": BIG})) == 1
    assert len(town.features("building", where="attributes.NUMBER = :n", params={"n": BIG - 1})) == 0
    tree = {"op": "=", "args": [{"property": "attributes.产权人 (2020)"}, "丙"]}
    assert town.features("building", where=tree).index.tolist() == ids[2:]


def test_fields_name_attributes_as_columns(town: Town, tmp_path: Path) -> None:
    delivered(town, tmp_path, houses())

    frame = town.features("building", fields=["name", "attributes.OWNER", "attributes.RENT"])

    assert frame.columns.tolist() == ["name", "geometry", "attributes.OWNER", "attributes.RENT"]
    assert frame["attributes.OWNER"].tolist()[:2] == ["Li", "Wang"] and frame["attributes.RENT"].sum() == 103.5


def test_an_attribute_is_refused_as_an_order_with_what_can_be_sorted(town: Town, tmp_path: Path) -> None:
    delivered(town, tmp_path, houses())
    name = "attributes.OWNER"

    for ask in (
        lambda: town.features("building", sort=f"-{name}"),
        lambda: town.store.features(FeatureQuery("building", sort=(SortKey(name),))),
    ):
        with pytest.raises(QueryRefused, match=r"building cannot be sorted by 'attributes\.OWNER'.*nearest: name"):
            ask()
    frame = town.features("building", fields=[name]).sort_values(name, ascending=False)
    assert frame[name].tolist()[:2] == ["Wang", "Li"]


def test_a_changed_attribute_is_an_update_and_the_history_names_it(town: Town, tmp_path: Path) -> None:
    delivered(town, tmp_path, houses())

    again = delivered(town, tmp_path, houses(OWNER=["Li", "Zhao", None]))
    same = delivered(town, tmp_path, houses(OWNER=["Li", "Zhao", None]).iloc[::-1])

    assert numbers(again.version) == (0, 1, 2)
    assert same.version is not None and not same.version.made
    changed = town.changes("building", 1, 2)
    assert changed["fields"].tolist() == [["attributes.OWNER"]]
    assert changed["before"].tolist() == [{"attributes.OWNER": "Wang"}] and changed["after"].tolist() == [{"attributes.OWNER": "Zhao"}]  # fmt: skip
    assert town.features("building", as_known=1, fields="attributes.OWNER")["attributes.OWNER"].tolist()[1] == "Wang"


def test_an_attribute_without_a_column_in_a_delivery_stays_until_it_is_emptied_by_its_name(
    town: Town, tmp_path: Path
) -> None:
    odd = "产权人 (2020)"
    delivered(town, tmp_path, houses())

    kept = delivered(town, tmp_path, houses().drop(columns=["OWNER", odd]))
    emptied = delivered(town, tmp_path, houses().drop(columns=["OWNER", odd]), blank=("OWNER", f"attributes.{odd}"))

    assert kept.kept_columns["building"] == ["attributes.OWNER", f"attributes.{odd}"]
    assert numbers(kept.version)[1] == 0 and numbers(emptied.version)[1] == 3
    assert "building" not in emptied.kept_columns
    assert town.features("building")["attributes"].tolist()[2] == {"NUMBER": 3}
    with pytest.raises(CalledWrongly, match="'OWNRE' names no field"):
        delivered(town, tmp_path, houses(), blank=("OWNRE",))


def test_an_edit_takes_attributes_as_they_were_answered_and_refuses_what_is_no_object(
    town: Town, tmp_path: Path
) -> None:
    delivered(town, tmp_path, houses())
    frame = town.features("building", fields=["attributes"])
    frame["attributes"] = [{**row, "OWNER": "Qian"} if n == 2 else row for n, row in enumerate(frame["attributes"])]

    saved = town.edit("building", frame, reason="owner")

    assert (saved.updated, saved.unchanged) == (1, 2)
    assert town.features("building", where="attributes.OWNER = 'Qian'")["name"].tolist() == ["C"]
    with pytest.raises(EditRefused, match="attributes is 5"):
        town.edit("building", frame.assign(attributes=5), reason="wrong")


def test_a_looker_from_whom_attributes_are_hidden_neither_sees_nor_asks_them(town: Town, tmp_path: Path) -> None:
    from twin_model.filter import parse_filter

    delivered(town, tmp_path, houses())
    view = View(policy=Policy(hidden={"building": frozenset({"attributes"})}))

    assert "attributes" not in town.store.features(FeatureQuery("building", view=view))
    with pytest.raises(FilterError, match="not a queryable"):
        town.store.features(FeatureQuery("building", view=view, where=parse_filter("attributes.OWNER = 'Li'")))


def test_a_copy_and_a_backup_have_them_to_the_last_digit_and_their_history_proves(
    town: Town, location: str, tmp_path: Path
) -> None:
    delivered(town, tmp_path, houses())
    frame = town.features("building", fields=["attributes"])
    town.edit("building", frame.assign(attributes=[ODD, None, {"OWNER": "Li"}]), reason="odd")
    states = [FeatureQuery("building", view=View(recorded=state)) for state in (None, 1)]
    texts = [town.store.features(query)["attributes"].tolist() for query in states]
    server = None if location == "store.gpkg" else location
    other = create_store("copy.gpkg", town.store.catalogue, CRS, folder=tmp_path)

    copy_store(town.store, other)
    backup_town(town, tmp_path / "town.zip")
    town.store.close()
    restore_town(tmp_path / "town.zip", town.path, replace=True, server=server)

    with open_town(town.path) as restored:
        for store in (other, restored.store):
            assert [store.features(query)["attributes"].tolist() for query in states] == texts
            assert verify(store).changesets == 2
        assert repr(restored.features("building")["attributes"].tolist()[0]) == repr(dict(sorted(ODD.items())))
    other.close()


def test_exports_have_a_column_for_each_attribute_and_geojson_an_object(town: Town, tmp_path: Path) -> None:
    delivered(town, tmp_path, houses(NAME2=["x", "y", "z"]).rename(columns={"NAME2": "Usage"}))
    layer = town.catalogue["building"]

    for suffix in ("gpkg", "csv", "geojson", "shp"):
        write_frames(town.store.frames(FeatureQuery("building")), layer, tmp_path / f"out.{suffix}", crs=CRS)

    table = gpd.read_file(tmp_path / "out.gpkg", engine="pyogrio")
    assert table["OWNER"].tolist()[:2] == ["Li", "Wang"] and table["NUMBER"].tolist() == [BIG, 2, 3]
    assert table["产权人 (2020)"].tolist() == ["甲", "乙", "丙"] and "attributes" not in table
    assert pd.read_csv(tmp_path / "out.csv")["RENT"].tolist()[:2] == [100.5, 3.0]
    (first, *_) = json.loads((tmp_path / "out.geojson").read_text("utf-8"))["features"]
    assert first["properties"]["attributes"]["NUMBER"] == BIG
    assert gpd.read_file(tmp_path / "out.shp", engine="pyogrio")["OWNER"].tolist()[:2] == ["Li", "Wang"]


def test_texts_are_the_same_for_the_same_whatever_the_order_and_nothing_is_none() -> None:
    assert (
        attributes_text({"b": 1, "a": None, "c": {"y": 1, "x": [2**70 + 1]}})
        == '{"b":1,"c":{"x":[1180591620717411303425],"y":1}}'
    )
    assert attributes_text('{"b": 2, "a": 1}') == '{"a":1,"b":2}'
    assert attributes_text({}) is attributes_text(None) is attributes_text({"a": None}) is None
    assert read_attributes('{"x":1180591620717411303425}') == {"x": 2**70 + 1}
    assert attributes_text({"x": 2**70 + 1, "面积": 0.5}) == '{"x":1180591620717411303425,"面积":0.5}'


def test_an_attribute_that_is_called_as_a_field_gets_a_longer_name_in_a_table() -> None:
    text = attributes_text({"Name": "a", "NAME\n": "b", "": "c", "x": [1, 2]})
    frame = gpd.GeoDataFrame({"name": ["A"], "attributes": [text]}, geometry=[None], crs=CRS)

    flat = with_flat_attributes(frame)

    assert flat.drop(columns="geometry").iloc[0].to_dict() == {
        "name": "A", "attributes": "c", "attributes.NAME": "b", "attributes.attributes.Name": "a", "x": "[1,2]",
    }  # fmt: skip


def test_a_whole_number_keeps_every_digit_in_a_table_beside_whatever_stands() -> None:
    big = 2**64 + 1
    columns = {"whole": (BIG, 1), "beyond": (big, 1), "mixed": (BIG, 0.5), "nested": ([big], 1), "small": (3, 0.5)}
    texts = [attributes_text({name: pair[row] for name, pair in columns.items()}) for row in (0, 1)]

    flat = with_flat_attributes(gpd.GeoDataFrame({"attributes": texts}, geometry=[None, None], crs=CRS))

    assert {name: flat[name].tolist() for name in columns} == {
        "whole": [BIG, 1],
        "beyond": [str(big), "1"],
        "mixed": [str(BIG), "0.5"],
        "nested": [f"[{big}]", "1"],
        "small": [3.0, 0.5],
    }
