"""`/collections/{c}/items` and one item: boxes, coordinate systems, properties, words, time; compared with pyproj and shapely."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import shape

from api_config.delivery import Delivery, deliver
from ingest.draft import ReadOptions
from twin_model.errors import QueryRefused
from twin_model.town import Town, init_town, open_town

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
URI = "http://www.opengis.net/def/crs/EPSG/0/{}"
SYSTEMS = {
    "CRS84": CRS84,
    "4326": URI.format(4326),
    "4490": URI.format(4490),
    "4548": URI.format(4548),
    "3857": URI.format(3857),
}
NORTH_FIRST = {"4326", "4490", "4548"}
STORAGE = "EPSG:4548"


@pytest.fixture(scope="module")
def buildings(demo_town: Any) -> gpd.GeoDataFrame:
    """All buildings as the store has them, in the storage CRS."""
    with open_town(demo_town) as town:
        return town.features("building")


def in_system(x: Any, y: Any, name: str) -> tuple[Any, Any]:
    """Return storage coordinates in a system, in its authority's axis order, by pyproj alone."""
    target = "OGC:CRS84" if name == "CRS84" else f"EPSG:{name}"
    # CGCS2000 and WGS 84 are taken as one: the projection is undone on its own ellipsoid.
    if name in {"CRS84", "4326", "4490"}:
        lon, lat = pyproj.Transformer.from_crs(STORAGE, "EPSG:4490", always_xy=True).transform(x, y)
        return (lon, lat) if name == "CRS84" else (lat, lon)
    if name == "4548":
        return y, x
    lon, lat = pyproj.Transformer.from_crs(STORAGE, "EPSG:4490", always_xy=True).transform(x, y)
    return pyproj.Transformer.from_crs("EPSG:4326", target, always_xy=True).transform(lon, lat)


def page(client: httpx.Client, layer: str = "building", **query: Any) -> dict[str, Any]:
    answer = client.get(
        f"/collections/{layer}/items", params={name.replace("_", "-"): value for name, value in query.items()}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def ids(document: dict[str, Any]) -> list[str]:
    return [feature["id"] for feature in document["features"]]


@pytest.mark.parametrize("name", SYSTEMS)
def test_coordinates_come_in_the_system_asked_for_with_its_axis_order(
    client: httpx.Client, buildings: gpd.GeoDataFrame, name: str
) -> None:
    answer = client.get("/collections/building/items", params={"crs": SYSTEMS[name], "limit": "300"})

    assert answer.headers["content-crs"] == f"<{SYSTEMS[name]}>"
    tolerance = 2e-8 if name in {"CRS84", "4326", "4490"} else 0.002
    for feature in answer.json()["features"]:
        stored = shapely.get_coordinates(buildings.geometry[feature["id"]])
        expected = np.column_stack(in_system(stored[:, 0], stored[:, 1], name))
        assert shapely.get_coordinates(shape(feature["geometry"])) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", SYSTEMS)
def test_one_feature_comes_in_the_system_asked_for(
    client: httpx.Client, buildings: gpd.GeoDataFrame, name: str
) -> None:
    answer = client.get("/collections/building/items/building.7", params={"crs": SYSTEMS[name]})

    first = shapely.get_coordinates(buildings.geometry["building.7"])[0]
    got = shapely.get_coordinates(shape(answer.json()["geometry"]))[0]
    assert answer.headers["content-crs"] == f"<{SYSTEMS[name]}>"
    assert got == pytest.approx(np.array(in_system(first[0], first[1], name)), abs=0.002)


def test_without_crs_the_answer_is_in_longitude_latitude(client: httpx.Client) -> None:
    answer = client.get("/collections/building/items?limit=1")

    lon, lat = shapely.get_coordinates(shape(answer.json()["features"][0]["geometry"]))[0]
    assert answer.headers["content-crs"] == f"<{CRS84}>"
    assert 118 < lon < 119
    assert 35 < lat < 36


def test_heights_survive_every_system(client: httpx.Client, demo_town: Any) -> None:
    with open_town(demo_town) as town:
        stored = town.features("pipe_line", limit=20)

    for name, uri in SYSTEMS.items():
        for feature in page(client, "pipe_line", crs=uri, limit=20)["features"]:
            heights = np.array(feature["geometry"]["coordinates"])[:, 2]
            expected = shapely.get_coordinates(stored.geometry[feature["id"]], include_z=True)[:, 2]
            assert heights == pytest.approx(expected, abs=0.002), name


boxes = st.tuples(*[st.floats(-0.1, 1.1)] * 4).map(
    lambda four: (min(four[0], four[2]), min(four[1], four[3]), max(four[0], four[2]), max(four[1], four[3]))
)


@settings(max_examples=25, deadline=None)
@given(share=boxes, name=st.sampled_from(sorted(SYSTEMS)), heights=st.booleans())
def test_bbox_finds_exactly_the_features_that_meet_the_box_in_its_own_system(
    inside: Any, buildings: gpd.GeoDataFrame, share: tuple[float, ...], name: str, heights: bool
) -> None:
    corners = np.array(buildings.total_bounds)
    x, y = corners[[0, 2]], corners[[1, 3]]
    first, second = in_system(np.array([x[0], x[1], x[0], x[1]]), np.array([y[0], y[0], y[1], y[1]]), name)
    low, high = (min(first), min(second)), (max(first), max(second))
    box = [low[n % 2] + (high[n % 2] - low[n % 2]) * share[n] for n in range(4)]
    numbers = box if not heights else [*box[:2], -10.0, *box[2:], 500.0]

    answer = inside.get(
        "/collections/building/items",
        params={
            "bbox": ",".join(map(str, numbers)),
            "bbox-crs": SYSTEMS[name],
            "limit": "10000",
            "skipGeometry": "true",
        },
    ).json()

    shapes = shapely.transform(
        buildings.geometry.to_numpy(), lambda xy: np.column_stack(in_system(xy[:, 0], xy[:, 1], name))
    )
    area = shapely.box(*box)
    sure = set(buildings.index[shapely.intersects(shapes, area)])
    gap = 1e-7 if name in {"CRS84", "4326", "4490"} else 0.01  # at the very edge rounding decides
    edge = set(buildings.index[shapely.dwithin(shapes, area.boundary, gap)])
    assert set(ids(answer)) - edge == sure - edge


@pytest.mark.parametrize("box", ["-180,-90,180,90", "0,0,180,90", "118,35,119,36"])
def test_a_box_around_the_town_finds_all_of_it(client: httpx.Client, buildings: gpd.GeoDataFrame, box: str) -> None:
    answer = page(client, bbox=box, limit=1)

    assert answer["numberReturned"] == 1
    assert len(ids(page(client, bbox=box, limit=10000, skipGeometry="true"))) == len(buildings)


def test_a_box_across_the_180th_meridian_takes_what_lies_outside_the_gap(
    client: httpx.Client, buildings: gpd.GeoDataFrame
) -> None:
    assert len(ids(page(client, bbox="100,-90,-100,90", limit=10000))) == len(buildings)
    assert ids(page(client, bbox="150,-90,-150,90")) == []
    split = {*ids(page(client, bbox="118.3,-90,118.2999,90", limit=10000))}
    assert split == set(buildings.index)


def test_a_box_elsewhere_on_earth_is_empty(client: httpx.Client) -> None:
    for box in ("-10,-10,10,10", "-180,-90,-100,90", "170,80,180,90", "0,0,0,0"):
        answer = page(client, bbox=box)
        assert answer["features"] == []
        assert answer["numberMatched"] == answer["numberReturned"] == 0


def test_properties_are_those_asked_for_and_no_other(client: httpx.Client) -> None:
    whole = page(client, limit=5)["features"]
    some = page(client, limit=5, properties="storeys,height")["features"]

    for one, other in zip(whole, some, strict=True):
        assert other["properties"] == {name: one["properties"][name] for name in ("storeys", "height")}
        assert other["geometry"] == one["geometry"]
        assert other["id"] == one["id"]


def test_geometry_is_left_out_where_it_is_not_wanted(client: httpx.Client) -> None:
    features = page(client, limit=5, skipGeometry="true")["features"]

    assert [one["geometry"] for one in features] == [None] * 5
    assert "storeys" in features[0]["properties"]


def test_q_finds_chinese_words_of_two_characters(client: httpx.Client, demo_town: Any) -> None:
    with open_town(demo_town) as town:
        texts = town.features("annotation")["text"].fillna("")

    for word in ("高铁", "小学", "大道"):
        found = page(client, "annotation", q=word, limit=1000)
        assert set(ids(found)) == set(texts.index[texts.str.contains(word)]), word
        assert found["features"], word


def test_q_with_two_words_wants_both_and_case_does_not_matter(client: httpx.Client) -> None:
    one = set(ids(page(client, q="BUILDING.1", limit=10000)))
    both = set(ids(page(client, q="building.1 9", limit=10000)))

    assert "building.19" in both < one


def test_plain_parameters_ask_for_equality(client: httpx.Client, buildings: gpd.GeoDataFrame) -> None:
    three = set(buildings.index[buildings["storeys"] == 3])

    assert set(ids(page(client, storeys=3, limit=10000))) == three
    assert set(ids(page(client, storeys=3, structure="砖", limit=10000))) == three & set(
        buildings.index[buildings["structure"] == "砖"]
    )
    assert ids(page(client, id="building.7")) == ["building.7"]


def test_one_item_is_the_same_as_in_the_list(client: httpx.Client) -> None:
    for feature in page(client, "pipe_line", limit=10)["features"]:
        item = client.get(f"/collections/pipe_line/items/{feature['id']}").json()

        assert {name: item[name] for name in ("id", "type", "geometry", "properties")} == feature
        own = next(link["href"] for link in item["links"] if link["rel"] == "self")
        assert client.get(own).json()["id"] == feature["id"]


def test_ids_with_strange_characters_have_addresses_that_work(scratch: Any, bring: Any, inside_of: Any) -> None:
    strange = ["雨水 井/7?x=1#a", "a%2Fb", "..", "<b>\"'&"]
    bring(
        scratch,
        "pipe_point",
        [shapely.Point(617_000 + n, 3_886_000, 60) for n in range(4)],
        id=strange,
        survey_no=strange,
    )
    town = inside_of(scratch.path)

    for feature in town.get("/collections/pipe_point/items").json()["features"]:
        assert feature["id"].endswith(tuple(strange))
    found = [one["id"] for one in town.get("/collections/pipe_point/items").json()["features"]]
    for one in found[:2]:
        item = town.get(
            f"/collections/pipe_point/items/{httpx.QueryParams({'': one}).__str__()[1:].replace('+', '%20')}"
        )
        assert item.json()["id"] == one
        assert town.get(item.json()["links"][0]["href"]).json()["id"] == one


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, bring: Any, end: Any, square: Any) -> Any:
    """A town with a history: A from 2020, B from 2022, A gone in 2023, C from 2024; version 4 makes B higher since 2025."""
    scratch = init_town(tmp_path_factory.mktemp("told"), name="小镇", crs="EPSG:4548")
    bring(scratch, "building", [square(0, 0)], name=["甲"], storeys=[3], since="2020-01-01T00:00:00.000Z")
    bring(scratch, "building", [square(50, 0)], name=["乙"], storeys=[6], since="2022-01-01T00:00:00.000Z")
    end(scratch, "building", "building.1", since="2023-01-01T00:00:00.000Z")
    bring(scratch, "building", [square(100, 0)], name=["丙"], storeys=[9], since="2024-01-01T00:00:00.000Z")
    bring(scratch, "building", [square(50, 0)], name=["乙"], storeys=[8], since="2025-01-01T00:00:00.000Z")
    yield scratch
    scratch.store.close()


@pytest.mark.parametrize(
    ("when", "names"),
    [
        ("2019-06-01", ""), ("2020-06-01", "甲"), ("2022-06-01T12:00:00Z", "甲乙"), ("2023-06-01", "乙"), ("2024-06-01", "乙丙"),
        ("2019-01-01/2019-12-31", ""), ("2020-06-01/2022-06-01", "甲乙"), ("../2021-01-01", "甲"), ("2023-06-01/..", "乙丙"),
        ("2020-06-01/2024-06-01", "甲乙丙"), ("2023-06-01/", "乙丙"), ("2022", "甲"), ("2022-06", "甲乙"), ("2022-06-01T20:00:00+08:00", "甲乙"),
    ],
)  # fmt: skip
def test_datetime_gives_what_was_true_then(told: Any, inside_of: Any, when: str, names: str) -> None:
    answer = inside_of(told.path).get("/collections/building/items", params={"datetime": when}).json()

    assert "".join(sorted(one["properties"]["name"] for one in answer["features"])) == "".join(sorted(names))


@pytest.mark.parametrize(
    ("version", "names"),
    [("0", ""), ("1", "甲"), ("2", "甲乙"), ("3", "乙"), ("4", "乙丙"), ("5", "乙丙"), ("2000-01-01", ""), ("2200-01-01", "乙丙")],
)  # fmt: skip
def test_recorded_gives_what_was_known_then(told: Any, inside_of: Any, version: str, names: str) -> None:
    answer = inside_of(told.path).get("/collections/building/items", params={"recorded": version}).json()

    assert "".join(sorted(one["properties"]["name"] for one in answer["features"])) == "".join(sorted(names))


def test_a_recorded_number_is_a_version_though_it_looks_like_a_year(told: Any, inside_of: Any) -> None:
    answer = inside_of(told.path).get("/collections/building/items", params={"recorded": "2024"})

    assert answer.status_code == 400
    assert answer.json()["rule"] == "store.unknown_version"


def test_datetime_and_recorded_together_give_what_was_then_believed_of_an_earlier_day(
    told: Any, inside_of: Any
) -> None:
    ask = inside_of(told.path).get
    storeys = [
        [
            one["properties"]["storeys"]
            for one in ask("/collections/building/items", params=query | {"name": "乙"}).json()["features"]
        ]
        for query in (
            {"datetime": "2024-06-01"},
            {"datetime": "2025-06-01"},
            {"datetime": "2025-06-01", "recorded": "4"},
            {"datetime": "2025-06-01", "recorded": "1"},
        )
    ]

    assert storeys == [[6], [8], [6], []]


def test_one_item_answers_for_its_time(told: Any, inside_of: Any) -> None:
    ask = inside_of(told.path).get

    assert ask("/collections/building/items/building.1").status_code == 404
    assert ask("/collections/building/items/building.1?datetime=2020-06-01").json()["properties"]["name"] == "甲"
    assert ask("/collections/building/items/building.1?recorded=1").json()["properties"]["name"] == "甲"
    assert ask("/collections/building/items/building.2?datetime=2021-01-01").status_code == 404


def test_one_box_has_one_answer_in_a_notebook_and_over_http(inside: Any, demo_town: Path) -> None:
    random = np.random.default_rng(7)
    with open_town(demo_town) as town:
        west, south, east, north = town.extent() or (0.0, 0.0, 0.0, 0.0)
        for _ in range(12):
            x, y = random.uniform(west, east, 2), random.uniform(south, north, 2)
            box = (min(x), min(y), max(x), max(y))
            asked = ",".join(f"{number:.9f}" for number in box)
            answer = inside.get(f"/collections/building/items?bbox={asked}&limit=10000&skipGeometry=true").json()
            frame = town.features("building", bbox=tuple(float(number) for number in asked.split(",")), bbox_crs=CRS84)

            assert sorted(frame.index) == sorted(feature["id"] for feature in answer["features"])
        with pytest.raises(QueryRefused, match="min > max"):
            town.features("building", bbox=(2.0, 1.0, 1.0, 2.0))
        with pytest.raises(QueryRefused, match="nan"):
            town.features("building", bbox=(float("nan"), 0.0, 1.0, 2.0))


def test_attributes_of_a_file_of_ones_own_are_answered_filtered_and_shown(
    scratch: Town, inside_of: Any, tmp_path: Path
) -> None:
    frame = gpd.GeoDataFrame(
        {"OWNER": ["Li", "Wang"], "产权人 (2020)": ["甲", None], "n": [2**53 + 1, 2]},
        geometry=[shapely.box(617_000 + 30 * n, 3_886_000, 617_010 + 30 * n, 3_886_010) for n in (0, 1)],
        crs=scratch.store.crs,
    )
    frame.to_file(tmp_path / "parcels.gpkg", layer="parcels", engine="pyogrio")
    with_as = ReadOptions(kind="building")
    (outcome,) = deliver(scratch, [tmp_path / "parcels.gpkg"], Delivery(options=with_as))
    own = deliver(scratch, [tmp_path / "parcels.gpkg"], Delivery())
    assert outcome.error is None and own[0].error is None
    ask = inside_of(scratch.path)

    def found(**query: str) -> list[Any]:
        answer = ask("GET", "/collections/building/items", params=query)
        assert answer.status_code == 200, answer.text
        return [each["properties"] for each in answer.json()["features"]]

    assert found()[0]["attributes"] == {"OWNER": "Li", "n": 2**53 + 1, "产权人 (2020)": "甲"}
    assert [row["attributes"]["n"] for row in found(filter="attributes.OWNER = 'Wang'")] == [2]
    assert len(found(filter='"attributes.产权人 (2020)" IS NULL')) == 1
    assert found(properties="attributes")[1]["attributes"]["OWNER"] == "Wang"
    assert "attributes" not in found(properties="name")[0]
    page = ask("GET", "/collections/building/items/building.1?f=html&lang=en").text
    assert "Other attributes of the source" in page and "产权人 (2020)" in page
    listed = ask("GET", "/collections/parcels/items?q=Wang").json()["features"]
    assert [each["properties"]["OWNER"] for each in listed] == ["Wang"]
    assert ask("GET", "/collections/parcels/items?f=html").status_code == 200
    names = [each["id"] for each in ask("GET", "/viewer/config.json").json()["layers"]]
    assert "parcels" in names
