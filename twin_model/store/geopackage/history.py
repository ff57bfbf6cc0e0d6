"""What the GeoPackage store knows of its own past: changesets, what they touched, instants at which something begins."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.changeset import Box, Touched
from twin_model.errors import QueryRefused
from twin_model.store.base import ChangesetQuery, ChangesetRecord, LayerMark, Link
from twin_model.store.census import Cells, Instants, Range
from twin_model.store.changeset_record import changeset_record
from twin_model.store.changeset_select import select_changesets
from twin_model.store.geopackage import census
from twin_model.store.geopackage.schema import history_of
from twin_model.store.select import quoted

__all__ = ["GeoPackageHistory", "layer_versions"]


def layer_versions(connection: sqlite3.Connection, layers: list[str]) -> dict[str, int]:
    """Return the last version that touched each of some layers; those without a table are left out."""
    text = "SELECT layer, version FROM vgpkg_twin_layer WHERE layer IN (SELECT value FROM json_each(?))"
    return dict(connection.execute(text, (orjson.dumps(layers).decode(),)).fetchall())


class GeoPackageHistory(ABC):
    """The part of the store that answers about versions; connections are the store's."""

    @abstractmethod
    def _connection(self) -> sqlite3.Connection: ...

    def version(self) -> int:
        return int(self._one("SELECT coalesce(max(number), 0) FROM vgpkg_twin_changeset"))

    def _one(self, text: str, *parameters: Any) -> Any:
        row = self._connection().execute(text, parameters).fetchone()
        return row[0] if row else None

    def layer_mark(self, layer: str) -> LayerMark:
        text = (
            "SELECT t.version, coalesce(c.hash, ''), t.next_planned FROM vgpkg_twin_layer t "
            "LEFT JOIN vgpkg_twin_changeset c ON c.number = t.version WHERE t.layer = ?"
        )
        return LayerMark._make(self._connection().execute(text, (layer,)).fetchone() or (0, "", None))

    def changed_since(self, layer: str, bbox: Box | None) -> int:
        if bbox is None:
            return int(self._one("SELECT version FROM vgpkg_twin_layer WHERE layer = ?", layer) or 0)
        minx, miny, maxx, maxy = bbox
        text = (
            "SELECT coalesce(max(version), 0) FROM rtree_twin_touched "
            "WHERE layer = ? AND minx <= ? AND maxx >= ? AND miny <= ? AND maxy >= ?"
        )
        return int(self._one(text, layer, maxx, minx, maxy, miny))

    @property
    @abstractmethod
    def catalogue(self) -> Catalogue: ...

    def census_ranges(self, layer: str) -> Mapping[str, Range] | None:
        return census.read_ranges(self._connection(), self.catalogue[layer])

    def census_cells(self, layer: str, wanted: Sequence[tuple[int, int, int]]) -> Cells:
        return census.read_cells(self._connection(), layer, wanted)

    def census_instants(self, layer: str) -> Instants | None:
        return census.read_instants(self._connection(), self.catalogue[layer])

    def next_boundary(self, layer: str, after: str) -> str | None:
        planned: str | None = self._one("SELECT next_planned FROM vgpkg_twin_layer WHERE layer = ?", layer)
        return planned if planned is not None and planned > after else None

    def changesets(self, limit: int | None = None) -> list[ChangesetRecord]:
        return self.chosen_changesets(ChangesetQuery(limit))

    def chosen_changesets(self, query: ChangesetQuery) -> list[ChangesetRecord]:
        text, parameters = select_changesets(query, tables="vgpkg_twin", placeholder="?", find="instr")
        return [changeset_record(row) for row in self._connection().execute(text, parameters)]

    def changes(self, version: int) -> Mapping[str, Touched]:
        text = (
            "SELECT layer, inserted, updated, terminated, unchanged, min_x, min_y, max_x, max_y FROM vgpkg_twin_change "
            "WHERE version = ? ORDER BY layer"
        )
        rows = self._connection().execute(text, (version,)).fetchall()
        return {
            row[0]: Touched(row[1], row[2], row[3], row[4], row[5:] if row[5] is not None else None) for row in rows
        }

    def links(self, layer: str) -> list[Link]:
        text = (
            "SELECT version, kind, from_fid, to_fid FROM vgpkg_twin_link WHERE layer = ? AND version_to IS NULL "
            "ORDER BY version, from_fid, to_fid"
        )
        return [Link(*row) for row in self._connection().execute(text, (layer,))]

    def changed_fids(self, layer: str, after: int, until: int) -> NDArray[np.int64]:
        now, past = quoted(layer), quoted(history_of(layer))
        text = (
            f"SELECT fid FROM {now} WHERE version_from > ?1 AND version_from <= ?2 UNION "
            f"SELECT fid FROM {past} WHERE version_from > ?1 AND version_from <= ?2 UNION "
            f"SELECT fid FROM {past} WHERE version_to > ?1 AND version_to <= ?2 ORDER BY 1"
        )
        rows = self._connection().execute(text, (after, until)).fetchall()
        return np.array([row[0] for row in rows], dtype=np.int64)

    def recorded_at(self, instant: str) -> int:
        text = "SELECT number FROM vgpkg_twin_changeset WHERE recorded <= ? ORDER BY recorded DESC LIMIT 1"
        return int(self._one(text, instant) or 0)

    def hash_of(self, number: int) -> str:
        return self._one("SELECT hash FROM vgpkg_twin_changeset WHERE number = ?", number) or ""

    def ensure_version(self, number: int) -> None:
        if not 0 <= number <= self.version():
            raise QueryRefused("store.unknown_version", value=number, found=self.version())

    def has_source(self, sha256: str) -> int | None:
        number: int | None = self._one("SELECT max(number) FROM vgpkg_twin_changeset WHERE sha256 = ?", sha256)
        return number
