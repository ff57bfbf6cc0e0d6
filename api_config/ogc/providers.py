"""Ordinary pygeoapi plugins over a town, read-only: an unmodified `pygeoapi serve` can publish it with them."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from pygeoapi.provider.base import BaseProvider, ProviderItemNotFoundError, ProviderQueryError

from api_config.ogc.ecql import UnknownNode, cql2_json
from api_config.web.call import anonymous_policy
from api_config.web.properties import properties_of, typed_value
from tiles.encodings.geojson import geometry_fragments
from twin_model.crs import CRS84, reachable_extent
from twin_model.errors import TwinError
from twin_model.filter import parse_filter
from twin_model.query_area import box_area, filter_in_storage_crs, narrowed_to
from twin_model.store.base import FeatureQuery, SortKey
from twin_model.store.frames import from_wkb
from twin_model.town import Town, open_town
from twin_model.town_settings import TOWN_FILE
from twin_model.view import View

__all__ = ["TownFeatureProvider"]

_JSON_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "date": "string",
    "datetime": "string",
}


def _town(path: str) -> Town:
    """Return the town of a folder, as its `town.toml` is now: a layer that is closed there is closed at the next request."""
    written = (Path(path) / TOWN_FILE).stat()
    return _town_as_written(path, written.st_mtime_ns, written.st_size)


@lru_cache(maxsize=8)
def _town_as_written(path: str, _changed_ns: int, _size: int) -> Town:
    return open_town(path)


class TownFeatureProvider(BaseProvider):  # type: ignore[misc]
    """Features of one layer in longitude, latitude. `data` names the town's folder and the layer."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self._known_fields: dict[str, dict[str, str]] = {}
        self._town = _town(provider_def["data"]["town"])
        self._policy = anonymous_policy(self._town)
        if not self._policy.admits(provider_def["data"]["layer"]):
            raise ProviderItemNotFoundError(f"collection {provider_def['data']['layer']} not found")
        self._layer = self._policy.visible(self._town.catalogue[provider_def["data"]["layer"]])
        self.get_fields()

    def get_fields(self) -> dict[str, dict[str, str]]:
        if not self._known_fields:
            formats = {"date": {"format": "date"}, "datetime": {"format": "date-time"}}
            self._known_fields = {
                field.name: {"type": _JSON_TYPES[field.type], **formats.get(field.type, {})}
                for field in self._layer.fields
            }
        self._fields = self._known_fields
        return self._known_fields

    def query(self, offset: int = 0, limit: int = 10, resulttype: str = "results", bbox: Any = None, datetime_: str | None = None,
              properties: Any = None, sortby: Any = None, select_properties: Any = None, skip_geometry: bool = False, q: str | None = None,
              filterq: Any = None, **_: Any) -> dict[str, Any]:  # fmt: skip
        """Return a FeatureCollection as pygeoapi wants it; what our store refuses is a query error."""
        try:
            query = self._query(bbox, datetime_, properties, sortby, select_properties, skip_geometry, q, filterq)
            matched = self._town.store.count(query)
            features = [] if resulttype == "hits" else self._features(query.with_(limit=offset + limit))[offset:]
        except (TwinError, UnknownNode) as error:
            raise ProviderQueryError(str(error)) from error
        return {
            "type": "FeatureCollection",
            "features": features,
            "numberMatched": matched,
            "numberReturned": len(features),
        }

    def get(self, identifier: str, **_: Any) -> dict[str, Any]:
        features = self._features(FeatureQuery(self._layer.id, view=View(policy=self._policy), ids=(identifier,)))
        if not features:
            raise ProviderItemNotFoundError(f"item {identifier} not found")
        return features[0]

    def _query(
        self,
        bbox: Any,
        datetime_: str | None,
        properties: Any,
        sortby: Any,
        fields: Any,
        skip_geometry: bool,
        q: str | None,
        filterq: Any,
    ) -> FeatureQuery:
        wanted = [
            {"op": "=", "args": [{"property": name}, typed_value(self._layer, name, value)]}
            for name, value in properties or ()
        ]
        if filterq is not None:
            wanted.append(cql2_json(filterq))
        where = (
            parse_filter({"op": "and", "args": wanted} if len(wanted) > 1 else wanted[0], lang="cql2-json")
            if wanted
            else None
        )
        store = self._town.store
        extent = reachable_extent(store.summary(self._layer.id).extent, store.crs)
        query = FeatureQuery(
            self._layer.id,
            view=self._town.view(datetime_, policy=self._policy),
            text=q,
            where_crs=store.crs,
            where=None if where is None else filter_in_storage_crs(where, CRS84, store.crs, extent),
            sort=tuple(SortKey(key["property"], key.get("order", "+") != "-") for key in sortby or ()),
            fields=tuple(fields) if fields else None,
            geometry=not skip_geometry,
        )
        if not bbox:
            return query
        return narrowed_to(query.with_(unplaced=True), box_area(bbox, CRS84), CRS84, store.crs, extent)

    def _features(self, query: FeatureQuery) -> list[dict[str, Any]]:
        columns, rows = self._town.store.rows(query)
        shapes = [b"null"] * len(rows)
        if "geometry" in columns and rows:
            geometry = from_wkb([row[columns.index("geometry")] for row in rows])
            shapes = geometry_fragments(geometry, self._town.store.crs, CRS84)
        return [
            {
                "type": "Feature",
                "id": row[1],
                "geometry": orjson.loads(shape),
                "properties": orjson.loads(orjson.dumps(properties_of(self._layer, columns, row))),
            }
            for row, shape in zip(rows, shapes, strict=True)
        ]
