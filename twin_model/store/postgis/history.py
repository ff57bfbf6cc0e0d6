"""What the PostGIS store knows of its own past: changesets, what they touched, instants at which something begins."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.changeset import Box, Touched
from twin_model.errors import QueryRefused
from twin_model.store.base import ChangesetQuery, ChangesetRecord, LayerMark, Link
from twin_model.store.census import Cells, Instants, Range
from twin_model.store.changeset_record import changeset_record
from twin_model.store.changeset_select import select_changesets
from twin_model.store.postgis import census
from twin_model.store.postgis.schema import history_of
from twin_model.store.select import quoted

__all__ = ["PostgisHistory", "layer_versions"]


def layer_versions(connection: "psycopg.Connection[Any]", layers: list[str]) -> dict[str, int]:
    """Return the last version that touched each of some layers; those without a table are left out."""
    text = "SELECT layer, version FROM twin_layer WHERE layer = ANY(%s)"
    return {layer: int(version) for layer, version in connection.execute(text, (layers,)).fetchall()}


class PostgisHistory(ABC):
    """The part of the store that answers about versions; connections are the store's."""

    @abstractmethod
    def _all(self, text: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""

    def _one(self, text: str, *parameters: Any) -> Any:
        rows = self._all(text, *parameters)
        return rows[0][0] if rows else None

    def version(self) -> int:
        return int(self._one("SELECT coalesce(max(number), 0) FROM twin_changeset"))

    def layer_mark(self, layer: str) -> LayerMark:
        text = (
            "SELECT t.version, coalesce(c.hash, ''), t.next_planned FROM twin_layer t "
            "LEFT JOIN twin_changeset c ON c.number = t.version WHERE t.layer = %s"
        )
        rows = self._all(text, layer)
        return LayerMark._make(rows[0] if rows else (0, "", None))

    def changed_since(self, layer: str, bbox: Box | None) -> int:
        if bbox is None:
            return int(self._one("SELECT version FROM twin_layer WHERE layer = %s", layer) or 0)
        minx, miny, maxx, maxy = bbox
        text = (
            "SELECT coalesce(max(version), 0) FROM twin_touched WHERE layer = %s AND minx <= %s AND maxx >= %s "
            "AND miny <= %s AND maxy >= %s AND box(point(minx, miny), point(maxx, maxy)) && box(point(%s, %s), point(%s, %s))"
        )
        return int(self._one(text, layer, maxx, minx, maxy, miny, *bbox))

    @property
    @abstractmethod
    def catalogue(self) -> Catalogue: ...

    def census_ranges(self, layer: str) -> Mapping[str, Range] | None:
        return census.read_ranges(self._all, self.catalogue[layer])

    def census_cells(self, layer: str, wanted: Sequence[tuple[int, int, int]]) -> Cells:
        return census.read_cells(self._all, layer, wanted)

    def census_instants(self, layer: str) -> Instants | None:
        return census.read_instants(self._all, self.catalogue[layer])

    def next_boundary(self, layer: str, after: str) -> str | None:
        planned: str | None = self._one("SELECT next_planned FROM twin_layer WHERE layer = %s", layer)
        return planned if planned is not None and planned > after else None

    def changesets(self, limit: int | None = None) -> list[ChangesetRecord]:
        return self.chosen_changesets(ChangesetQuery(limit))

    def chosen_changesets(self, query: ChangesetQuery) -> list[ChangesetRecord]:
        text, parameters = select_changesets(query, tables="twin", placeholder="%s", find="strpos")
        return [changeset_record(row) for row in self._all(text, *parameters)]

    def changes(self, version: int) -> Mapping[str, Touched]:
        text = (
            "SELECT layer, inserted, updated, terminated, unchanged, min_x, min_y, max_x, max_y FROM twin_change "
            "WHERE version = %s ORDER BY layer"
        )
        return {
            row[0]: Touched(row[1], row[2], row[3], row[4], row[5:] if row[5] is not None else None)
            for row in self._all(text, version)
        }

    def links(self, layer: str) -> list[Link]:
        text = (
            "SELECT version, kind, from_fid, to_fid FROM twin_link WHERE layer = %s AND version_to IS NULL "
            "ORDER BY version, from_fid, to_fid"
        )
        return [Link(*row) for row in self._all(text, layer)]

    def changed_fids(self, layer: str, after: int, until: int) -> NDArray[np.int64]:
        now, past = quoted(layer), quoted(history_of(layer))
        text = (
            f"SELECT fid FROM {now} WHERE version_from > %s AND version_from <= %s UNION "
            f"SELECT fid FROM {past} WHERE version_from > %s AND version_from <= %s UNION "
            f"SELECT fid FROM {past} WHERE version_to > %s AND version_to <= %s ORDER BY 1"
        )
        return np.array([row[0] for row in self._all(text, *(after, until) * 3)], dtype=np.int64)

    def recorded_at(self, instant: str) -> int:
        text = "SELECT number FROM twin_changeset WHERE recorded <= %s ORDER BY recorded DESC LIMIT 1"
        return int(self._one(text, instant) or 0)

    def hash_of(self, number: int) -> str:
        return self._one("SELECT hash FROM twin_changeset WHERE number = %s", number) or ""

    def ensure_version(self, number: int) -> None:
        if not 0 <= number <= self.version():
            raise QueryRefused("store.unknown_version", value=number, found=self.version())

    def has_source(self, sha256: str) -> int | None:
        number: int | None = self._one("SELECT max(number) FROM twin_changeset WHERE sha256 = %s", sha256)
        return number
