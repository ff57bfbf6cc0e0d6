"""One box, one answer: a notebook and the service give the same features, in degrees and metres, on both stores."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from twin_model.crs import transform_bounds, transform_xy
from twin_model.town import init_town

CRS, MIDDLE = "EPSG:4548", 117.0
WEST, SOUTH, EAST, NORTH = 117.8, 35.0, 118.6, 35.2


def places() -> tuple[gpd.GeoDataFrame, np.ndarray, np.ndarray]:
    """Return lamps a metre within and without each edge of the box in degrees, where its sides are curved in metres."""
    share = np.linspace(0.02, 0.98, 13)
    lon, lat = WEST + share * (EAST - WEST), SOUTH + share * (NORTH - SOUTH)
    step = 1e-5
    sides = [(lon, np.full(13, edge + sign * step)) for edge in (SOUTH, NORTH) for sign in (-1, 1)]
    sides += [(np.full(13, edge + sign * step), lat) for edge in (WEST, EAST) for sign in (-1, 1)]
    lons, lats = (np.concatenate([side[n] for side in sides]) for n in (0, 1))
    x, y = transform_xy(lons, lats, "OGC:CRS84", CRS)
    return (
        gpd.GeoDataFrame({"pole_no": np.arange(len(x)).astype(str)}, geometry=gpd.points_from_xy(x, y), crs=CRS),
        lons,
        lats,
    )


def test_a_box_gives_the_same_features_in_a_notebook_and_over_http(
    location: str, tmp_path: Path, inside_of: Callable[..., Any]
) -> None:
    lamps, lons, lats = places()
    inside = set(np.flatnonzero((lons > WEST) & (lons < EAST) & (lats > SOUTH) & (lats < NORTH)).astype(str))
    x, y = lamps.geometry.x, lamps.geometry.y
    metres = (float(x.quantile(0.2)), float(y.quantile(0.3)), float(x.max()), float(y[30]))
    within = set(lamps["pole_no"][(x >= metres[0]) & (x <= metres[2]) & (y >= metres[1]) & (y <= metres[3])])
    degrees = (WEST, SOUTH, EAST, NORTH)
    asked = {
        "OGC:CRS84": (degrees, "http://www.opengis.net/def/crs/OGC/1.3/CRS84", degrees, inside),
        "EPSG:4326": (degrees, "http://www.opengis.net/def/crs/EPSG/0/4326", (SOUTH, WEST, NORTH, EAST), inside),
        "EPSG:4490": (degrees, "http://www.opengis.net/def/crs/EPSG/0/4490", (SOUTH, WEST, NORTH, EAST), inside),
        CRS: (
            metres,
            "http://www.opengis.net/def/crs/EPSG/0/4548",
            (metres[1], metres[0], metres[3], metres[2]),
            within,
        ),
    }

    with init_town(tmp_path / "town", name="镇", crs=CRS, store=location) as town:
        town.edit("street_lamp", lamps, effective="2020-01-01", reason="survey")
        notebook = {
            crs: set(town.features("street_lamp", bbox=box, bbox_crs=crs)["pole_no"])
            for crs, (box, *_) in asked.items()
        }
        frame_box = gpd.GeoSeries([shapely.box(*degrees)], crs="EPSG:4326")
        of_series = set(town.features("street_lamp", bbox=frame_box)["pole_no"])
    service = inside_of(tmp_path / "town")
    answers = {}
    for crs, (_, uri, numbers, _) in asked.items():
        address = f"/collections/street_lamp/items?f=json&limit=1000&bbox-crs={uri}&bbox={','.join(map(repr, numbers))}"
        answers[crs] = {one["properties"]["pole_no"] for one in json.loads(service.get(address).content)["features"]}

    assert 0 < len(within) < len(lamps)
    assert notebook == answers == {crs: expected for crs, (*_, expected) in asked.items()}
    assert of_series == inside


def test_a_box_takes_in_what_its_heights_reach_and_whatever_has_no_place(
    location: str, tmp_path: Path, inside_of: Callable[..., Any]
) -> None:
    """OGC API - Features part 1, 7.15.3: six numbers bound heights; a feature without geometry matches every box.

    A geometry without heights is as high as anything: nothing says that it does not reach the range.
    """
    x, y = 618_000.0, 3_886_000.0
    shapes = {
        "low": shapely.LineString([(x, y, 10), (x + 5, y, 20)]),
        "high": shapely.LineString([(x, y, 30), (x + 5, y, 40)]),
        "flat": shapely.LineString([(x, y), (x + 5, y)]),
        "far": shapely.LineString([(x + 3_000, y, 10), (x + 3_005, y, 20)]),
        "unplaced": None,
    }
    lines = gpd.GeoDataFrame({"segment_key": list(shapes)}, geometry=list(shapes.values()), crs=CRS)
    with init_town(tmp_path / "town", name="镇", crs=CRS, store=location) as town:
        town.edit("pipe_line", lines, effective="2020-01-01", reason="survey")
        notes = {"finding_key": ["F1"], "rule": ["a.b"], "severity": ["info"]}
        town.edit("finding", gpd.GeoDataFrame(notes, geometry=[None], crs=CRS), reason="noticed")
    west, south, east, north = transform_bounds((x - 50, y - 50, x + 50, y + 50), CRS, "OGC:CRS84")
    service = inside_of(tmp_path / "town")

    def keys_within(box: str, **query: str) -> set[str]:
        answer = service.get("/collections/pipe_line/items", params={"bbox": box, "limit": "1000", **query})
        assert answer.status_code == 200, answer.text
        document = answer.json()
        assert document.get("numberMatched", document["numberReturned"]) == len(document["features"])
        return {feature["properties"]["segment_key"] for feature in document["features"]}

    always = {"unplaced"}
    metres = {"bbox-crs": "http://www.opengis.net/def/crs/EPSG/0/4548"}
    for past in (
        {},
        {"datetime": "2020-06-01"},
        {"datetime": "2020-06-01/.."},
        {"sortby": "-segment_key"},
        {"recorded": "1"},
    ):
        assert keys_within(f"{west},{south},{east},{north}", **past) == {"low", "high", "flat"} | always, past
        for low, high, reached in ((0, 15, {"low"}), (20, 30, {"low", "high"}), (21, 29, set()), (40, 99, {"high"})):
            in_degrees = f"{west},{south},{low},{east},{north},{high}"
            in_metres = f"{y - 50},{x - 50},{low},{y + 50},{x + 50},{high}"
            assert keys_within(in_degrees, **past) == reached | {"flat"} | always, (past, low, high)
            assert keys_within(in_metres, **past, **metres) == reached | {"flat"} | always, (past, low, high)
        assert keys_within("-180,-90,180,90", **past) == set(shapes), past
        assert keys_within("0,0,1,1", **past) == always, past
    pages, address = [], f"/collections/pipe_line/items?bbox={west},{south},{east},{north}&limit=2"
    while address:
        page = service.get(address).json()
        pages += [feature["properties"]["segment_key"] for feature in page["features"]]
        address = next((each["href"] for each in page["links"] if each["rel"] == "next"), "")
    assert sorted(pages) == sorted({"low", "high", "flat"} | always)
    assert service.get("/collections/finding/items?bbox=1,1,2,2").json()["numberReturned"] == 1
    for refused in (f"{west},{south},9,{east},{north},1", "1,1,2,2," * 90 + "3,3"):
        assert service.get("/collections/pipe_line/items", params={"bbox": refused}).status_code == 400
