"""Whoever is told that what they hold still stands (304) holds what they would be sent now: any history, any look, any hour.

The clock is moved: what is planned begins and ends without a commit.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pyproj
import pytest
from drawn_examples import examples
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

import twin_model.temporal
from tiles.grid import TILE_MATRIX_SETS
from twin_model.errors import TwinError
from twin_model.town import Town, init_town

NUMBERS = itertools.count()
BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
TO_LONLAT = pyproj.Transformer.from_crs("EPSG:4548", "OGC:CRS84", always_xy=True)
PLACES = (0, 700)
"""Metres to the east: two places in tiles of their own."""

DAYS = st.integers(-4, 8)
STEPS = st.one_of(
    st.tuples(st.just("build"), st.sampled_from(PLACES), DAYS, st.integers(1, 9)),
    st.tuples(st.just("end"), st.integers(1, 4), DAYS),
    st.tuples(st.just("wait"), st.integers(1, 3)),
    st.tuples(st.just("elsewhere")),
)
LOOKS = ("", "?datetime=2030-01-03", "?datetime=2030-01-02/2030-01-05", "?datetime=2030-01-02/..", "?recorded=1", "?recorded=3",
         "?recorded=2&datetime=2030-01-04")  # fmt: skip


class Clock(datetime):
    """The clock of the process while a test runs."""

    present = BEGIN

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return cls.present


@contextmanager
def moved_clock() -> Iterator[type[Clock]]:
    Clock.present = BEGIN
    patch = pytest.MonkeyPatch()
    patch.setattr(twin_model.temporal, "datetime", Clock)
    yield Clock
    patch.undo()


def addresses() -> list[str]:
    here = "/collections/building"
    grid = TILE_MATRIX_SETS["WebMercatorQuad"]
    tiles = []
    for east in PLACES:
        lon, lat = TO_LONLAT.transform(617_005.0 + east, 3_886_005.0)
        x, y = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True).transform(lon, lat)
        tile = grid.tile_of(x, y, 17)
        tiles.append(f"{here}/tiles/WebMercatorQuad/17/{tile.row}/{tile.col}")
    return [
        f"{here}/items",
        f"{here}/items/building.1",
        f"{here}/items/building.1/versions",
        *tiles,
        f"{here}/3dtiles/tileset.json",
    ]


def day(number: int) -> str:
    return (BEGIN + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def content_of(answer: Any) -> Any:
    """Return what an answer says, without the instant at which it was said."""
    if answer.status_code != 200 or "json" not in answer.headers["content-type"]:
        return answer.status_code, answer.content
    document = orjson.loads(answer.content)
    document.pop("timeStamp", None)
    return answer.status_code, document


def kept_addresses(ask: Any) -> list[str]:
    """Return the addresses with a version that the viewer is told now: tiles at the two places, the tileset, the ground."""
    config = ask.get("/viewer/config.json").json()
    layer = next(layer for layer in config["layers"] if layer["id"] == "building")
    version = layer["mvt"].partition("?")[2]
    tiles = [f"{address}?{version}" for address in addresses() if "/tiles/" in address]
    dated = [f"{address}&datetime={day(number)}" for address in tiles for number in (0, 3)]
    ground = [config["terrain"].replace("?", "/layer.json?")] if config["terrain"] else []
    return [*tiles, *dated, *([layer["tileset"]] if layer["tileset"] else []), *ground]


def ensure_kept_is_true(ask: Any, address: str, kept: dict[str, Any]) -> None:
    """Ask, and see that whoever keeps an answer for good, since its address names its version, keeps this one."""
    answer = ask.get(address)
    content = content_of(answer)
    assert "immutable" in answer.headers["cache-control"], address
    assert kept.setdefault(address, content) == content, address


def contents_of(ask: Any) -> list[str]:
    """Return the addresses of the contents of the buildings' tileset."""
    here = "/collections/building/3dtiles"
    parts = re.findall(r'"uri":"([^"]+\.glb[^"]*)"', ask.get(f"{here}/tileset.json").text)
    return [f"{here}/{part}" for part in parts]


@pytest.mark.parametrize("kind", ["geopackage", "postgis"])
@given(steps=st.lists(STEPS, min_size=3, max_size=8))
@example(steps=[("build", 0, 2, 5), ("wait", 3), ("elsewhere",)])
@example(steps=[("build", 700, 1, 1), ("wait", 1), ("build", 0, 0, 1)])
@examples(1, proof=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_confirmed_is_what_would_be_sent(
    kind: str,
    steps: list[tuple[Any, ...]],
    request: Any,
    inside_of: Callable[..., Any],
    bring: Any,
    end: Any,
    square: Any,
) -> None:
    town = town_on(kind, request)
    held: dict[tuple[str, str], Any] = {}
    kept: dict[str, Any] = {}
    with moved_clock() as clock:
        ask = inside_of(town.path)
        for step in [("build", 0, 0, 3), *steps]:
            if step[0] == "build":
                bring(town, "building", [square(step[1], 0)], since=day(step[2]), storeys=[step[3]])
            elif step[0] == "end":
                with suppress(TwinError):  # it is not there, or has ended, or does not begin before that day
                    end(town, "building", f"building.{step[1]}", since=day(step[2]))
            elif step[0] == "wait":
                clock.present += timedelta(days=step[1])
            else:
                bring(town, "building", [square(5_000, 0)], since=day(-9), storeys=[1])
            asked = [address + look for look in LOOKS for address in addresses()]
            for address in [*asked, *contents_of(ask)]:
                ensure_fresh(ask, address, held)
            for address in kept_addresses(ask):
                ensure_kept_is_true(ask, address, kept)
            ensure_counted(ask)
        for address in kept:  # one with a version that has passed may be asked for by a page that is still open
            answer = ask.get(address)
            assert "immutable" not in answer.headers["cache-control"] or content_of(answer) == kept[address], address
        for store in (town.store, ask.app.state.service.town.store):
            store.close()


def town_on(kind: str, request: Any) -> Town:
    """Return an empty town on a GeoPackage or on a schema of its own."""
    folder = request.getfixturevalue("tmp_path_factory").mktemp("held") / "town"
    store = (
        "store.gpkg" if kind == "geopackage" else request.getfixturevalue("postgis_server").url(f"held_{next(NUMBERS)}")
    )
    return init_town(folder, name="小镇", crs="EPSG:4548", store=store)


def ensure_counted(ask: Any) -> None:
    """See that counts tell what is there now: not what is still to begin, nor what has ended by itself."""
    here = "/collections/building"
    there = len(ask.get(f"{here}/items").json()["features"])
    page = ask.get(f"{here}/items?limit=1").json()
    assert page.get("numberMatched", there) == ask.get(here).json()["x-features"] == there


def ensure_fresh(ask: Any, address: str, held: dict[tuple[str, str], Any]) -> None:
    """Ask, and see that all who hold an answer under its validator, from whatever time, hold this one."""
    answer = ask.get(address)
    etag, content = answer.headers.get("etag"), content_of(answer)
    if etag is not None:
        assert held.setdefault((address, etag), content) == content, address
        assert ask.get(address, headers={"If-None-Match": etag}).status_code == 304
