"""One contract for every store: what is put in comes out, by box, filter, id, text and page. In time: `test_store_in_time.py`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from drawn_examples import examples
from hypothesis import given
from hypothesis import strategies as st
from store_contract import CATALOGUE, CRS, at, deliver, houses

from twin_model.catalogue import read_catalogue
from twin_model.errors import AccessRefused, CalledWrongly, LayerNotFound
from twin_model.filter import parse_filter
from twin_model.layer import Layer
from twin_model.rows.content import row_contents, words_of
from twin_model.store.base import FeatureQuery, SortKey, Store
from twin_model.store.opening import create_store, open_store
from twin_model.temporal import ALWAYS
from twin_model.view import Policy, View


def test_what_is_stored_comes_back_equal(store: Store) -> None:
    frame = houses(30)

    deliver(store, "building", frame)

    found = store.features(FeatureQuery("building"))
    assert found.crs == CRS
    assert found["name"].tolist() == frame["name"].tolist()
    assert found["storeys"].tolist() == frame["storeys"].tolist()
    assert shapely.equals_exact(
        shapely.get_geometry(found.geometry.to_numpy(), 0), frame.geometry.to_numpy(), 0.0
    ).all()
    assert found.index.is_unique and found["fid"].tolist() == list(range(1, 31))
    assert found.dtypes[["fid", "version"]].tolist() == [np.int64, np.int64], "objects are compared one by one"


def test_every_layer_keeps_its_geometry_type_and_values(store: Store) -> None:
    """It writes and reads forty layers, which takes a second or two; a failure names all that are wrong."""
    failures = []
    for described in CATALOGUE:
        if described.kind == "feature" and described.id != "finding":
            try:
                ensure_kept(store, described)
            except AssertionError as failure:
                failures.append(f"{described.id}: {failure}")

    assert failures == [], "\n".join(failures)


def ensure_kept(store: Store, described: Layer) -> None:
    """Deliver two features of a layer, one with a value in every field, and check that they are read as they were."""
    layer = described.id
    shapes = {
        "Point": shapely.points([[618_000, 3_886_000], [618_010, 3_886_010]]),
        "LineString": shapely.linestrings(
            [[[618_000, 3_886_000], [618_050, 3_886_020]], [[618_000, 3_886_100], [618_050, 3_886_120]]]
        ),
        "Polygon": shapely.box([618_000, 618_100], 3_886_000, [618_020, 618_120], 3_886_010),
    }[described.geometry.removesuffix("Z").removeprefix("Multi")]
    values = {
        "string": "甲",
        "integer": 7,
        "number": 1.25,
        "boolean": True,
        "date": "2020-05-01",
        "datetime": "2020-05-01T00:00:00.000Z",
    }
    columns = {one.name: [values[one.type], None] for one in described.fields if one.format != "json"}
    if described.identity_field:
        columns[described.identity_field] = ["a1", "a2"]
    geometry = shapely.force_3d(shapes, 5.0) if described.has_z else shapes

    deliver(store, layer, gpd.GeoDataFrame(columns, geometry=geometry, crs=CRS))

    found = store.features(FeatureQuery(layer))
    assert len(found) == 2
    assert set(found.geometry.geom_type) == {described.geometry.removesuffix("Z")}
    assert found.geometry.has_z.all() == described.has_z
    first = found.iloc[0]
    for one in described.fields:
        if one.format != "json" and one.name != described.identity_field:
            assert first[one.name] == values[one.type], one.name
    names, rows = store.rows(FeatureQuery(layer))
    by_column = {name: [row[n] for row in rows] for n, name in enumerate(names)}
    assert (store.delivered_state(layer).contents == words_of(row_contents(described, by_column))).all()


def test_a_box_finds_what_meets_it_and_nothing_that_only_its_envelope_meets(store: Store) -> None:
    diagonal = gpd.GeoDataFrame(
        {"name": ["a"]}, geometry=[shapely.LineString([(618_000, 3_886_000), (618_100, 3_886_100)])], crs=CRS
    )
    deliver(store, "road_line", diagonal)

    in_the_corner = store.features(FeatureQuery("road_line", bbox=(618_060.0, 3_886_000.0, 618_100.0, 3_886_040.0)))
    on_the_line = store.features(FeatureQuery("road_line", bbox=(618_045.0, 3_886_045.0, 618_055.0, 3_886_055.0)))

    assert len(in_the_corner) == 0
    assert len(on_the_line) == 1


@pytest.fixture(scope="module", params=["geopackage", "postgis"])
def hundred_houses(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    location = "store.gpkg"
    if request.param == "postgis":
        location = request.getfixturevalue("postgis_server").url("hundred_houses")
    store = create_store(location, CATALOGUE, CRS, folder=tmp_path_factory.mktemp("hundred"))
    deliver(store, "building", houses(100))
    yield store
    store.close()


@examples(20, proof=60)
@given(data=st.data())
def test_queries_equal_a_search_row_by_row(hundred_houses: Store, data: st.DataObject) -> None:
    store = hundred_houses
    everything = store.features(FeatureQuery("building"))
    x0, y0 = data.draw(st.integers(617_900, 619_900)), data.draw(st.integers(3_885_900, 3_886_100))
    box = (
        float(x0),
        float(y0),
        float(x0 + data.draw(st.integers(1, 2_000))),
        float(y0 + data.draw(st.integers(1, 200))),
    )
    least = data.draw(st.integers(0, 10))
    limit = data.draw(st.one_of(st.none(), st.integers(1, 120)))
    descending = data.draw(st.booleans())

    query = FeatureQuery(
        "building",
        bbox=box,
        where=parse_filter(f"storeys >= {least}"),
        sort=(SortKey("storeys", not descending),),
        limit=limit,
    )
    found = store.features(query)

    expected = everything[everything.geometry.intersects(shapely.box(*box)) & (everything["storeys"] >= least)]
    expected = expected.sort_values(["storeys", "fid"], ascending=[not descending, True])
    assert found.index.tolist() == expected.index.tolist()[:limit]
    assert store.count(query.with_(limit=None, sort=())) == len(expected)


def test_pages_by_key_hold_every_feature_once(store: Store) -> None:
    deliver(store, "building", houses(47, height=[None if n % 5 == 0 else float(n % 7) for n in range(47)]))
    for sort in ((), (SortKey("height"),), (SortKey("height", False), SortKey("name"))):
        seen: list[str] = []
        after = None
        while True:
            page = store.features(FeatureQuery("building", sort=sort, limit=10, after=after))
            if not len(page):
                break
            seen += page.index.tolist()
            last = page.iloc[-1]
            after = (
                *(None if last[key.name] != last[key.name] else last[key.name] for key in sort),
                int(last["fid"]),
            )

        whole = store.features(FeatureQuery("building", sort=sort)).index.tolist()
        assert seen == whole and len(set(seen)) == 47, sort


def test_a_hidden_field_is_no_field_of_the_layer(store: Store) -> None:
    """It is not sorted by, filtered by, searched, nor named as the nearest; a row filter may speak of it all the same."""
    deliver(store, "building", houses(9))
    hidden = {"building": frozenset({"name", "storeys"})}
    view = View(policy=Policy(hidden=hidden, rows={"building": parse_filter("storeys <= 3")}))
    refusals: list[dict[str, Any]] = [{"where": parse_filter(text)} for text in ("name = 'x'", "storeys > 3")]

    for when in (view, replace(view, datetime=ALWAYS)):
        asked = FeatureQuery("building", view=when)
        for changes in ({"sort": (SortKey("name"),)}, {"sort": (SortKey("storey"),)}, *refusals):
            with pytest.raises(CalledWrongly) as refused:
                store.rows(asked.with_(**changes))
            assert not {"name", "storeys"} & set(refused.value.values["nearest"])
        assert store.count(asked.with_(text="号楼")) == 0
        assert store.count(asked) == 3
    assert store.count(FeatureQuery("building", text="号楼")) == 9


def test_a_view_closes_layers_rows_and_fields(store: Store) -> None:
    deliver(store, "building", houses(9))
    policy = Policy(
        layers=frozenset({"building"}),
        rows={"building": parse_filter("storeys <= 3")},
        hidden={"building": frozenset({"name"})},
    )

    found = store.features(FeatureQuery("building", view=View(policy=policy)))

    assert found["storeys"].max() == 3 and "name" not in found
    with pytest.raises(AccessRefused):
        store.features(FeatureQuery("road_line", view=View(policy=policy)))


def test_a_layer_that_is_not_there_is_named_with_the_nearest(store: Store) -> None:
    with pytest.raises(LayerNotFound, match=r"No layer named 'bilding'\. Nearest: building"):
        store.features(FeatureQuery("bilding"))


def test_a_layer_and_a_field_added_to_the_catalogue_appear_in_an_old_store(
    tmp_path: Path, store: Store, location: str
) -> None:
    deliver(store, "building", houses(2))
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "own.toml").write_text(
        '[building.fields]\nowner = { zh = "业主", en = "Owner" }\n[hydrant]\ngeometry = "Point"\n[hydrant.fields]\nname = {}\n',
        "utf-8",
    )

    grown = open_store(location, read_catalogue(folder), folder=tmp_path)

    assert "owner" in grown.features(FeatureQuery("building"))
    assert grown.summary("hydrant").features == 0
    grown.close()


def test_texts_order_by_code_point_and_what_is_unknown_comes_first(store: Store) -> None:
    names = ["b", "B", "高", "é", None, "a b", "ab", "Z", "a"]
    deliver(store, "building", houses(9, name=names))
    known = sorted(one for one in names if one is not None)

    for ascending, expected in ((True, [None, *known]), (False, [*reversed(known), None])):
        query = FeatureQuery("building", sort=(SortKey("name", ascending),), fields=("name",), geometry=False)
        for one in (query, query.with_(view=at(recorded=1))):
            columns, rows = store.rows(one)
            assert [row[columns.index("name")] for row in rows] == expected


def test_words_are_found_whatever_their_case_and_language(store: Store) -> None:
    deliver(store, "road_line", roads(["Straße 5", "STRASSE 6", "迎宾大道", "Élysée", None]))

    def found(text: str) -> list[str]:
        return store.features(FeatureQuery("road_line", text=text))["name"].tolist()

    assert found("strasse") == ["Straße 5", "STRASSE 6"]
    assert found("宾大") == ["迎宾大道"]
    assert found("éLYS") == ["Élysée"]
    assert found("strasse 6") == ["STRASSE 6"]
    assert found("%") == []


def roads(names: list[str | None]) -> gpd.GeoDataFrame:
    y = 3_886_000 + 50.0 * np.arange(len(names))
    lines = [shapely.LineString([(618_000, one), (618_100, one)]) for one in y]
    return gpd.GeoDataFrame({"name": names}, geometry=lines, crs=CRS)


def test_a_box_is_met_to_the_millimetre_though_indexes_keep_boxes_coarser(store: Store) -> None:
    """At these northings a float32 moves in steps of a quarter of a metre."""
    steps = 0.01 * np.arange(100)
    lamps = shapely.points(618_000 + steps, 3_886_000 + steps)
    deliver(
        store,
        "street_lamp",
        gpd.GeoDataFrame({"pole_no": [f"L{n}" for n in range(100)]}, geometry=lamps, crs=CRS),
    )

    for edge in (0.045, 0.305, 0.5, 0.755, 0.995):
        below = FeatureQuery("street_lamp", bbox=(617_000.0, 3_885_000.0, 619_000.0, 3_886_000 + edge))
        within = FeatureQuery("street_lamp", bbox=(618_000.003, 3_886_000.003, 618_000 + edge, 3_887_000.0))
        assert store.count(below) == round(edge * 100 + 0.5 + 1e-6), edge
        assert store.count(within) == round(edge * 100 + 0.5 + 1e-6) - 1, edge
