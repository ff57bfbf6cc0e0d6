"""Features remembered as GeoJSON bytes: the same values however a page is asked for, and never of another state."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import shapely

from api_config.web.feature_cache import FeatureCache
from api_config.web.properties import properties_of
from tiles.encodings.geojson import geometry_fragments
from twin_model.filter import parse_filter
from twin_model.layer import ATTRIBUTES, Layer
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.temporal import Interval
from twin_model.town import Town, open_town
from twin_model.view import Policy, View

ROOMY = 64 * 2**20


class Asked:
    """A store that notes what it is asked for, and lets something happen before the statement for single rows."""

    def __init__(self, store: Any, before_rows: Callable[[], Any] = lambda: None) -> None:
        self._store, self._before_rows = store, before_rows
        self.queries: list[FeatureQuery] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def rows(self, query: FeatureQuery) -> Any:
        if query.fids is not None:
            self._before_rows()
        self.queries.append(query)
        return self._store.rows(query)

    def read_rows(self, query: FeatureQuery, take: Any) -> None:
        if query.fids is not None:
            self._before_rows()
        self.queries.append(query)
        self._store.read_rows(query, take)

    def said(self) -> list[str]:
        """Return the kinds of statements since the last time: "whole", "keys" or "rows"."""
        kinds = ["rows" if one.fids is not None else "keys" if one.fields == () else "whole" for one in self.queries]
        self.queries.clear()
        return kinds


@pytest.fixture
def demo(demo_town: Path) -> Iterator[Town]:
    with open_town(demo_town) as town:
        yield town


def texts(encoded: FeatureCache, store: Any, layer: Layer, query: FeatureQuery, crs: str = "OGC:CRS84") -> list[Any]:
    return [json.loads(one) for one in encoded.page(store, layer, query, crs)[2]]


def plain(store: Any, layer: Layer, query: FeatureQuery, crs: str = "OGC:CRS84") -> list[Any]:
    """Return the features one by one, each geometry by shapely and each property by its name."""
    columns, rows = store.rows(query)
    features = []
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        wkb = values.pop("geometry", None)
        (shape,) = [b"null"] if wkb is None else geometry_fragments(shapely.from_wkb([wkb]), store.crs, crs)
        properties = {}
        for name, value in values.items():
            field = layer.field_of(name)
            if name in {"fid", "id"} or (query.fields is not None and name not in query.fields):
                continue
            if name == ATTRIBUTES and value is None:
                continue
            if value is not None and field is not None and field.type == "boolean":
                value = bool(value)
            if value is not None and (name == ATTRIBUTES or (field is not None and field.format == "json")):
                value = json.loads(value)
            properties[name] = value
        features.append(
            {"type": "Feature", "id": values["id"], "geometry": json.loads(shape), "properties": properties}
        )
    return features


@pytest.mark.parametrize("crs", ["OGC:CRS84", "EPSG:4326", "EPSG:4490", "EPSG:4548", "EPSG:3857"])
def test_every_layer_is_written_as_its_rows_one_by_one(demo: Town, crs: str) -> None:
    for layer in (one for one in demo.catalogue if one.kind == "feature"):
        query = FeatureQuery(layer.id, limit=200)

        assert texts(FeatureCache(ROOMY), demo.store, layer, query, crs) == plain(demo.store, layer, query, crs)


@pytest.mark.parametrize("fields", [(), ("storeys",), ("name", "version"), ("valid_from", "height", "name", "usage")])
@pytest.mark.parametrize("geometry", [True, False])
def test_only_what_was_asked_for_is_written_the_first_time_and_later(
    demo: Town, fields: tuple[str, ...], geometry: bool
) -> None:
    layer, encoded = demo.catalogue["building"], FeatureCache(ROOMY)
    hidden = View(policy=Policy(hidden={"building": frozenset({"usage"})}))
    query = FeatureQuery("building", view=hidden, fields=fields, geometry=geometry, limit=50)

    answers = [texts(encoded, demo.store, layer, query) for _ in range(3)]

    assert answers == [plain(demo.store, layer, query)] * 3
    assert set(answers[0][0]["properties"]) == set(fields) - {"usage"}


def test_new_streets_take_one_statement_and_known_ones_read_no_geometry(demo: Town) -> None:
    layer, encoded, store = demo.catalogue["building"], FeatureCache(ROOMY), Asked(demo.store)
    near, far = (FeatureQuery("building", limit=50, after=after) for after in (None, (500,)))

    said = []
    for query in (near, near, near, far, far, far):
        assert texts(encoded, store, layer, query) == plain(demo.store, layer, query)
        said.append(store.said())

    assert said == [["whole"], ["whole"], ["keys"], ["keys", "rows"], ["whole"], ["keys"]]


@pytest.mark.parametrize(
    "query",
    [
        FeatureQuery("building", sort=(SortKey("height", ascending=False),), limit=50),
        FeatureQuery("building", view=View(datetime="2026-01-01T00:00:00.000Z"), limit=50),
    ],
)
def test_where_all_must_be_lined_up_only_keys_are(demo: Town, query: FeatureQuery) -> None:
    layer, encoded, store = demo.catalogue["building"], FeatureCache(ROOMY), Asked(demo.store)

    answers = [texts(encoded, store, layer, query) for _ in range(2)]

    assert store.said() == ["keys", "rows", "keys"]
    assert answers == [plain(demo.store, layer, query)] * 2


def test_a_page_half_known_is_the_same_page(demo: Town) -> None:
    layer, encoded, store = demo.catalogue["building"], FeatureCache(ROOMY), Asked(demo.store)
    for _ in range(2):
        texts(encoded, store, layer, FeatureQuery("building", limit=60))
    store.said()
    wider = FeatureQuery("building", limit=80)

    again = texts(encoded, store, layer, wider)

    assert store.said() == ["keys", "rows"]
    assert again == plain(demo.store, layer, wider)


def test_what_is_not_asked_for_again_is_forgotten_and_what_is_stays(demo: Town) -> None:
    layer, encoded, store = demo.catalogue["building"], FeatureCache(120_000), Asked(demo.store)
    often = FeatureQuery("building", limit=20)

    for last in range(20, 400, 20):
        for query in (FeatureQuery("building", limit=20, after=(last,)), often):
            assert texts(encoded, store, layer, query) == plain(demo.store, layer, query)

    assert sum(len(known) for one in (encoded._recent, encoded._older) for known in one.values()) < 200


def test_a_change_between_the_two_statements_puts_no_new_text_under_an_old_name(
    scratch: Town, bring: Any, square: Any
) -> None:
    layer, encoded = scratch.catalogue["building"], FeatureCache(ROOMY)
    bring(scratch, "building", [square(40.0 * n, 0.0) for n in range(4)], code=list("abcd"), name=["old"] * 4)
    three, four = FeatureQuery("building", limit=3), FeatureQuery("building")
    for _ in range(2):
        texts(encoded, scratch.store, layer, three)
    before = scratch.store.version()

    def rebuild() -> None:
        if scratch.store.version() == before:
            bring(
                scratch,
                "building",
                [square(40.0 * n, 0.0) for n in range(4)],
                code=list("abcd"),
                name=["new"] * 4,
            )

    answer = texts(encoded, Asked(scratch.store, rebuild), layer, four)

    assert [one["properties"]["name"] for one in answer] == ["new"] * 4
    earlier = FeatureQuery("building", view=View(recorded=before))
    assert [one["properties"]["name"] for one in texts(encoded, scratch.store, layer, earlier)] == ["old"] * 4
    assert texts(encoded, scratch.store, layer, earlier) == plain(scratch.store, layer, earlier)


def test_an_interval_shows_the_state_that_the_filter_chose(scratch: Town, bring: Any, square: Any) -> None:
    layer, encoded = scratch.catalogue["building"], FeatureCache(ROOMY)
    shapes = [square(40.0 * n, 0.0) for n in range(4)]
    bring(scratch, "building", shapes, code=list("abcd"), name=["old"] * 4, storeys=[3] * 4)
    bring(
        scratch,
        "building",
        shapes,
        since="2025-01-01T00:00:00.000Z",
        code=list("abcd"),
        name=["new"] * 4,
        storeys=[9] * 4,
    )
    long = View(datetime=Interval("2024-02-01T00:00:00.000Z", "2025-06-01T00:00:00.000Z"))
    low = FeatureQuery("building", view=long, where=parse_filter("storeys < 5"))
    one = low.with_(limit=1)

    answers = [texts(encoded, scratch.store, layer, query) for query in (one, one, low, low)]

    assert answers == [plain(scratch.store, layer, query) for query in (one, one, low, low)]
    assert {feature["properties"]["name"] for feature in answers[-1]} == {"old"}


def test_a_single_row_has_the_properties_it_has_on_a_page(demo: Town) -> None:
    layer, query = demo.catalogue["building"], FeatureQuery("building", limit=1)
    columns, rows = demo.store.rows(query)

    written = json.loads(orjson.dumps(properties_of(layer, columns, rows[0])))
    assert written == plain(demo.store, layer, query)[0]["properties"]
