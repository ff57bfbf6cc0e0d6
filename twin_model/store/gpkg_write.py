"""Writing a changeset into the GeoPackage store: one function inside `BEGIN IMMEDIATE`, whole or not at all.

A feature's rows form a timeline of valid time. A new state takes effect at an instant: what was recorded for the time
after it is closed (version_to), what was true before it is kept with an end, nothing is overwritten.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from twin_model.changeset import Box, Touched
from twin_model.finding import Finding
from twin_model.layer import Layer
from twin_model.store.gpkg_binary import to_blobs
from twin_model.store.gpkg_schema import quoted, row_columns
from twin_model.temporal import Instant

__all__ = ["LayerWriter", "chain_hash", "touched_cells"]

_CELL = 256.0
"""Touched boxes are gathered on a grid of this many metres: a tile asks for them, and a city has few cells."""


def touched_cells(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the boxes (n, 4) of changed geometry gathered by grid cell, so that a big delivery writes few rows."""
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if not len(bounds):
        return bounds
    cells = np.floor((bounds[:, :2] + bounds[:, 2:]) / 2 / _CELL).astype(np.int64)
    _, group = np.unique(cells, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(group.ravel()[order]) > 0])
    low = np.minimum.reduceat(bounds[order, :2], starts)
    high = np.maximum.reduceat(bounds[order, 2:], starts)
    return np.hstack((low, high))


def chain_hash(previous: str, row: Mapping[str, Any]) -> str:
    """Return the hash of a changeset's line in the history, chained to the one before it."""
    return sha256(previous.encode() + orjson.dumps(row, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass
class LayerWriter:
    """Writes the rows of one layer within an open transaction and remembers what it touched."""

    connection: sqlite3.Connection
    layer: Layer
    srs_id: int
    version: int
    effective: Instant
    moment: Instant
    inserted: int = 0
    updated: int = 0
    terminated: int = 0
    unchanged: int = 0
    _boxes: list[NDArray[np.float64]] = field(default_factory=list)
    _digest: Any = field(default_factory=lambda: sha256())

    def write(self, frame: gpd.GeoDataFrame, decisions: NDArray[np.int64]) -> None:
        """Write the rows of one frame: new ones, new versions of known ones; leave out those without change."""
        self.unchanged += int((decisions == -1).sum())
        self._insert(frame[decisions == 0])
        updates = decisions > 0
        if updates.any():
            self._update(frame[updates], decisions[updates])

    def _insert(self, frame: gpd.GeoDataFrame) -> None:
        if not len(frame):
            return
        first = self._take_fids(len(frame))
        fids = np.arange(first, first + len(frame), dtype=np.int64)
        rows = self._rows(frame, fids, [None] * len(frame))
        marks = ", ".join("?" * len(row_columns(self.layer)))
        columns = ", ".join(quoted(c) for c in row_columns(self.layer))
        self.connection.executemany(f"INSERT INTO {quoted(self.layer.id)} ({columns}) VALUES ({marks})", rows)
        self._index(f"rtree_{self.layer.id}_geom", fids, frame)
        self._parts(fids, frame["content"])
        self.inserted += len(frame)

    def _take_fids(self, count: int) -> int:
        first: int = self.connection.execute(
            "SELECT next_fid FROM twin_layer WHERE layer = ?", (self.layer.id,)
        ).fetchone()[0]
        self.connection.execute(
            "UPDATE twin_layer SET next_fid = ? WHERE layer = ?", (first + count, self.layer.id)
        )
        return first

    def _rows(
        self, frame: gpd.GeoDataFrame, fids: NDArray[np.int64], ids: list[str | None]
    ) -> Iterable[tuple[Any, ...]]:
        geometry = frame.geometry.to_numpy()
        given = frame["id"].to_numpy(dtype=object)
        names = [
            known or own or f"{self.layer.id}.{fid}"
            for known, own, fid in zip(ids, given, fids.tolist(), strict=True)
        ]
        since = [value or self.effective for value in frame["valid_from"]]
        columns: list[Any] = [fids.tolist()]
        columns += [to_blobs(self.layer, geometry, self.srs_id)] if self.layer.has_geometry else []
        columns += [names, *(frame[name].tolist() for name in self.layer.field_names)]
        columns += [
            since,
            [None] * len(fids),
            frame["valid_precision"].tolist(),
            [self.version] * len(fids),
            frame["min_zoom"].tolist(),
        ]
        return zip(*columns, strict=True)

    def _index(self, table: str, keys: NDArray[np.int64], frame: gpd.GeoDataFrame) -> None:
        for content in frame["content"]:
            self._digest.update(content)
        if not self.layer.has_geometry:
            return
        bounds = shapely.bounds(frame.geometry.to_numpy())
        self._boxes.append(bounds)
        known = np.isfinite(bounds[:, 0])
        rows = zip(keys[known].tolist(), *bounds[known][:, [0, 2, 1, 3]].T.tolist(), strict=True)
        self.connection.executemany(f"INSERT INTO {quoted(table)} VALUES (?,?,?,?,?)", rows)

    def _parts(self, fids: NDArray[np.int64], contents: Iterable[bytes]) -> None:
        self.connection.executemany(
            "INSERT OR REPLACE INTO twin_part (layer, fid, part, content, version_from) VALUES (?, ?, 0, ?, ?)",
            (
                (self.layer.id, fid, content, self.version)
                for fid, content in zip(fids.tolist(), contents, strict=True)
            ),
        )

    def _update(self, frame: gpd.GeoDataFrame, fids: NDArray[np.int64]) -> None:
        """Give known features a new state from its instant on, up to the next state recorded for later."""
        since = [value or self.effective for value in frame["valid_from"]]
        for position, fid in enumerate(fids.tolist()):
            self._update_one(frame.iloc[position : position + 1], fid, since[position])
        self.connection.execute("UPDATE twin_part SET version_to = ? WHERE layer = ? AND version_to IS NULL AND version_from < ? AND fid IN "
                                "(SELECT value FROM json_each(?))", (self.version, self.layer.id, self.version, orjson.dumps(fids.tolist()).decode()))  # fmt: skip
        self._parts(fids, frame["content"])
        self.updated += len(fids)

    def _update_one(self, frame: gpd.GeoDataFrame, fid: int, since: Instant) -> None:
        timeline = self._timeline(fid)
        name = str(timeline[0]["id"])
        (new_row,) = self._rows(frame, np.array([fid]), [name])
        state = dict(zip(row_columns(self.layer), new_row, strict=True)) | {"valid_from": since}
        later = [row["valid_from"] for row in timeline if row["valid_from"] > since]
        state["valid_to"] = min(later, default=None)
        keep: list[dict[str, Any]] = [state]
        for row in timeline:
            if row["valid_from"] >= since and row["valid_from"] not in later:
                continue
            if row["valid_from"] < since and (row["valid_to"] is None or row["valid_to"] > since):
                keep.append(row | {"valid_to": since, "version_from": self.version})
            else:
                keep.append(row)
        self._rewrite(fid, timeline, keep)
        for content in frame["content"]:
            self._digest.update(content)

    def _timeline(self, fid: int) -> list[dict[str, Any]]:
        """Return the rows that are recorded as of now for a feature, by valid time; `_row` names those in the history."""
        columns = row_columns(self.layer)
        listed = ", ".join(quoted(c) for c in columns)
        text = (f"SELECT NULL, {listed} FROM {quoted(self.layer.id)} WHERE fid = ? UNION ALL SELECT row, {listed} "
                f"FROM {quoted(f'history_{self.layer.id}')} WHERE fid = ? AND version_to IS NULL")  # fmt: skip
        rows = self.connection.execute(text, (fid, fid)).fetchall()
        found = [dict(zip(("_row", *columns), row, strict=True)) for row in rows]
        return sorted(found, key=lambda row: str(row["valid_from"]))

    def _rewrite(self, fid: int, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
        """Bring the recorded timeline of a feature from one state to another; closed rows stay in the history."""
        kept_rows = [row for row in after if row in before]
        for row in before:
            if row not in kept_rows:
                self._close(row)
        current = self._current_of(after)
        for row in after:
            if row in kept_rows and (row["_row"] is None) == (row is current):
                continue
            if row in kept_rows:
                self._take_out(row)
            self._put(row, current=row is current)
        planned = [
            row["valid_from"] for row in after if row["valid_from"] > self.moment and row is not current
        ]
        if planned:
            self.connection.execute("UPDATE twin_layer SET next_planned = min(coalesce(next_planned, ?), ?) WHERE layer = ?",
                                    (min(planned), min(planned), self.layer.id))  # fmt: skip

    def _current_of(self, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Return the row that belongs into the table of current rows: valid now, else the first still to come."""
        alive = [row for row in rows if row["valid_to"] is None or row["valid_to"] > self.moment]
        return min(alive, key=lambda row: str(row["valid_from"])) if alive else None

    def _close(self, row: dict[str, Any]) -> None:
        """Record that a row was believed until now: it goes to the history with `version_to`."""
        self._take_out(row)
        self._put({**row, "_row": None}, current=False, version_to=self.version)

    def _take_out(self, row: dict[str, Any]) -> None:
        past = row.get("_row") is not None
        key, table = (row["_row"], f"history_{self.layer.id}") if past else (row["fid"], self.layer.id)
        column = "row" if past else "fid"
        self.connection.execute(f"DELETE FROM {quoted(table)} WHERE {column} = ?", (key,))
        if self.layer.has_geometry:
            rtree = f"rtree_{table}" if past else f"rtree_{table}_geom"
            self.connection.execute(f"DELETE FROM {quoted(rtree)} WHERE id = ?", (key,))

    def _put(self, row: dict[str, Any], *, current: bool, version_to: int | None = None) -> None:
        columns = list(row_columns(self.layer)) + ([] if current else ["version_to"])
        values = [row[c] for c in row_columns(self.layer)] + ([] if current else [version_to])
        table = self.layer.id if current else f"history_{self.layer.id}"
        cursor = self.connection.execute(
            f"INSERT INTO {quoted(table)} ({', '.join(quoted(c) for c in columns)}) VALUES ({', '.join('?' * len(columns))})",
            values,
        )
        if self.layer.has_geometry and row["geom"] is not None:
            box = _blob_bounds(self.layer, row["geom"])
            self._boxes.append(np.array([box]))
            rtree = f"rtree_{table}_geom" if current else f"rtree_{table}"
            self.connection.execute(
                f"INSERT INTO {quoted(rtree)} VALUES (?,?,?,?,?)",
                (cursor.lastrowid, box[0], box[2], box[1], box[3]),
            )

    def terminate(self, fids: Iterable[int], at: Instant) -> None:
        """End features at an instant: they are true until then and absent after it."""
        for fid in fids:
            timeline = self._timeline(fid)
            keep = [row | ({"valid_to": at, "version_from": self.version} if row["valid_to"] is None or row["valid_to"] > at else {})
                    for row in timeline if row["valid_from"] < at]  # fmt: skip
            self._rewrite(fid, timeline, keep)
            self._digest.update(f"-{fid}".encode())
            self.terminated += 1

    def finish(self) -> tuple[Touched, str]:
        """Write the touched boxes and the layer's numbers; return what was touched and the digest of the content."""
        bounds = np.concatenate(self._boxes) if self._boxes else np.empty((0, 4))
        cells = touched_cells(bounds)
        self.connection.executemany(
            "INSERT INTO twin_touched (minx, maxx, miny, maxy, layer, version) VALUES (?,?,?,?,?,?)",
            ((x0, x1, y0, y1, self.layer.id, self.version) for x0, y0, x1, y1 in cells.tolist()),
        )
        box: Box | None = (
            (*cells[:, :2].min(axis=0).tolist(), *cells[:, 2:].max(axis=0).tolist()) if len(cells) else None
        )
        touched = Touched(self.inserted, self.updated, self.terminated, self.unchanged, box)
        self.connection.execute("INSERT INTO twin_change VALUES (?,?,?,?,?,?,?,?,?,?)", (self.version, self.layer.id, self.inserted,
                                self.updated, self.terminated, self.unchanged, *(box or (None,) * 4)))  # fmt: skip
        self._summarise(box)
        return touched, self._digest.hexdigest()

    def _summarise(self, box: Box | None) -> None:
        self.connection.execute(
            "UPDATE twin_layer SET version = ?, features = (SELECT count(*) FROM "
            + quoted(self.layer.id)
            + ") WHERE layer = ?",
            (self.version, self.layer.id),
        )
        if box is not None:
            self.connection.execute(
                "UPDATE gpkg_contents SET min_x = min(coalesce(min_x, ?1), ?1), min_y = min(coalesce(min_y, ?2), ?2), "
                "max_x = max(coalesce(max_x, ?3), ?3), max_y = max(coalesce(max_y, ?4), ?4), last_change = ?5 WHERE table_name = ?6",
                (*box, self.moment, self.layer.id),
            )


def _blob_bounds(layer: Layer, blob: bytes) -> tuple[float, float, float, float]:
    if layer.dimension == 0:
        x, y = np.frombuffer(blob, "<f8", 2, 13).tolist()
        return x, y, x, y
    minx, maxx, miny, maxy = np.frombuffer(blob, "<f8", 4, 8).tolist()
    return minx, miny, maxx, maxy


def finding_rows(findings: Iterable[Finding], source: str, version: int) -> dict[str, list[Any]]:
    """Return findings as columns of the `finding` layer; the same thing noticed twice keeps its key."""
    columns: dict[str, list[Any]] = defaultdict(list)
    for number, one in enumerate(findings):
        columns["finding_key"].append(f"{version}-{number + 1}")
        columns["rule"].append(one.rule)
        columns["severity"].append(one.severity)
        columns["layer"].append(one.layer)
        columns["feature_id"].append(one.feature_id)
        columns["source"].append(source)
        columns["place"].append(one.place or None)
        columns["details"].append(orjson.dumps(dict(one.values), default=str).decode())
        columns["raw"].append(None if one.raw is None else orjson.dumps(dict(one.raw), default=str).decode())
        columns["status"].append("open")
    return columns
