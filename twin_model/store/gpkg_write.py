"""Writing a changeset into the GeoPackage store: one function inside `BEGIN IMMEDIATE`, whole or not at all.

A feature's rows form a timeline of valid time. A new state takes effect at an instant: what was recorded for the time
after it is closed (version_to), what was true before it is kept with an end, nothing is overwritten.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from twin_model.changeset import Box, Rows, Touched
from twin_model.finding import Finding
from twin_model.layer import Layer
from twin_model.store.gpkg_binary import to_blobs
from twin_model.store.gpkg_rtree import insert
from twin_model.store.gpkg_schema import quoted, row_columns, unguarded
from twin_model.temporal import Instant

__all__ = ["LayerWriter", "chain_hash", "finding_columns", "touched_cells"]

_CELL = 256.0
"""Touched boxes are gathered on a grid of this many metres: a tile asks for them, and a city has few cells."""


_BULK = 5_000
"""From this many rows on, taking the guards away for the load costs less than asking them row by row."""


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
    _unindexed: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=list)
    _digest: Any = field(default_factory=lambda: sha256())

    def write(self, rows: Rows, decisions: NDArray[np.int64]) -> None:
        """Write delivered rows: new ones, new versions of known ones; leave out those without change."""
        self.unchanged += int((decisions == -1).sum())
        new = rows.take(decisions == 0) if (decisions != 0).any() else rows
        with unguarded(self.connection, self.layer) if len(new) >= _BULK else nullcontext():
            self._insert(new)
        updates = decisions > 0
        if updates.any():
            self._update(rows.take(updates), decisions[updates])

    def _insert(self, rows: Rows) -> None:
        if not len(rows):
            return
        first = self._take_fids(len(rows))
        fids = np.arange(first, first + len(rows), dtype=np.int64)
        columns = self._columns(rows, fids, [None] * len(rows))
        said = {
            name: values for name, values in columns.items() if any(value is not None for value in values)
        }
        self.connection.executemany(
            f"INSERT INTO {quoted(self.layer.id)} ({', '.join(map(quoted, said))}) VALUES ({', '.join('?' * len(said))})",
            zip(*said.values(), strict=True),
        )
        self._index(fids, rows)
        self._parts(fids, rows.content)
        self._digest.update(b"".join(rows.content.tolist()))
        self._plan(columns["valid_from"])
        self.inserted += len(rows)

    def _take_fids(self, count: int) -> int:
        first: int = self.connection.execute(
            "SELECT next_fid FROM vgpkg_twin_layer WHERE layer = ?", (self.layer.id,)
        ).fetchone()[0]
        self.connection.execute(
            "UPDATE vgpkg_twin_layer SET next_fid = ? WHERE layer = ?", (first + count, self.layer.id)
        )
        return first

    def _columns(
        self, rows: Rows, fids: NDArray[np.int64], known_ids: list[str | None]
    ) -> dict[str, list[Any]]:
        """Return values by column of `row_columns`; an id is the known one, the delivered one, or minted from the fid."""
        given = zip(known_ids, rows.ids.tolist(), fids.tolist(), strict=True)
        columns: dict[str, list[Any]] = {"fid": fids.tolist()}
        if self.layer.has_geometry:
            columns["geom"] = to_blobs(self.layer, rows.wkb, rows.bounds, self.srs_id)
        columns["id"] = [known or own or f"{self.layer.id}.{fid}" for known, own, fid in given]
        columns |= {name: rows.columns[name].tolist() for name in self.layer.field_names}
        columns["valid_from"] = [one or self.effective for one in rows.valid_from.tolist()]
        columns["valid_to"] = [None] * len(rows)
        columns["valid_precision"] = rows.valid_precision.tolist()
        columns["version_from"] = [self.version] * len(rows)
        columns["min_zoom"] = rows.min_zoom.tolist()
        return columns

    def _index(self, fids: NDArray[np.int64], rows: Rows) -> None:
        if self.layer.has_geometry:
            self._boxes.append(rows.bounds)
            there = np.isfinite(rows.bounds[:, 0])
            self._unindexed.append((fids[there], rows.bounds[there]))

    def _parts(self, fids: NDArray[np.int64], contents: NDArray[Any]) -> None:
        self.connection.executemany(
            "INSERT OR REPLACE INTO vgpkg_twin_part (layer, fid, part, content, version_from) VALUES (?, ?, 0, ?, ?)",
            (
                (self.layer.id, fid, content, self.version)
                for fid, content in zip(fids.tolist(), contents.tolist(), strict=True)
            ),
        )

    def _update(self, rows: Rows, fids: NDArray[np.int64]) -> None:
        """Give known features a new state from its instant on, up to the next state recorded for later."""
        for position, fid in enumerate(fids.tolist()):
            self._update_one(rows.take(np.array([position])), fid)
        self.connection.execute("UPDATE vgpkg_twin_part SET version_to = ? WHERE layer = ? AND version_to IS NULL AND version_from < ? AND fid IN "
                                "(SELECT value FROM json_each(?))", (self.version, self.layer.id, self.version, orjson.dumps(fids.tolist()).decode()))  # fmt: skip
        self._parts(fids, rows.content)
        self._digest.update(b"".join(rows.content.tolist()))
        self.updated += len(fids)

    def _update_one(self, row: Rows, fid: int) -> None:
        timeline = self._timeline(fid)
        columns = self._columns(row, np.array([fid]), [str(timeline[0]["id"])])
        state: dict[str, Any] = {name: value for name, (value,) in columns.items()}
        since = state["valid_from"]
        later = [known["valid_from"] for known in timeline if known["valid_from"] > since]
        keep: list[dict[str, Any]] = [state | {"valid_to": min(later, default=None)}]
        for known in timeline:
            if known["valid_from"] > since:
                keep.append(known)
            elif known["valid_from"] < since:
                open_then = known["valid_to"] is None or known["valid_to"] > since
                keep.append(known | {"valid_to": since, "version_from": self.version} if open_then else known)
        self._rewrite(fid, timeline, keep)

    def _timeline(self, fid: int) -> list[dict[str, Any]]:
        """Return the rows that are recorded as of now for a feature, by valid time; `_row` names those in the history."""
        columns = row_columns(self.layer)
        listed = ", ".join(quoted(c) for c in columns)
        text = (f"SELECT NULL, {listed} FROM {quoted(self.layer.id)} WHERE fid = ? UNION ALL SELECT row, {listed} "
                f"FROM {quoted(f'vgpkg_history_{self.layer.id}')} WHERE fid = ? AND version_to IS NULL")  # fmt: skip
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
        self._plan([row[name] for row in after for name in ("valid_from", "valid_to")])

    def _plan(self, instants: Iterable[Instant | None]) -> None:
        """Remember the first instant still to come at which something of the layer begins or ends."""
        ahead = min((one for one in instants if one is not None and one > self.moment), default=None)
        if ahead is not None:
            self.connection.execute("UPDATE vgpkg_twin_layer SET next_planned = min(coalesce(next_planned, ?), ?) WHERE layer = ?",
                                    (ahead, ahead, self.layer.id))  # fmt: skip

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
        key, table = (row["_row"], f"vgpkg_history_{self.layer.id}") if past else (row["fid"], self.layer.id)
        column = "row" if past else "fid"
        self.connection.execute(f"DELETE FROM {quoted(table)} WHERE {column} = ?", (key,))
        if self.layer.has_geometry:
            rtree = f"rtree_history_{self.layer.id}" if past else f"rtree_{table}_geom"
            self.connection.execute(f"DELETE FROM {quoted(rtree)} WHERE id = ?", (key,))

    def _put(self, row: dict[str, Any], *, current: bool, version_to: int | None = None) -> None:
        columns = list(row_columns(self.layer)) + ([] if current else ["version_to"])
        values = [row[c] for c in row_columns(self.layer)] + ([] if current else [version_to])
        table = self.layer.id if current else f"vgpkg_history_{self.layer.id}"
        cursor = self.connection.execute(
            f"INSERT INTO {quoted(table)} ({', '.join(quoted(c) for c in columns)}) VALUES ({', '.join('?' * len(columns))})",
            values,
        )
        if self.layer.has_geometry and row["geom"] is not None:
            box = _blob_bounds(self.layer, row["geom"])
            self._boxes.append(np.array([box]))
            rtree = f"rtree_{table}_geom" if current else f"rtree_history_{self.layer.id}"
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
        if self._unindexed:
            fids, boxes = (np.concatenate(parts) for parts in zip(*self._unindexed, strict=True))
            insert(self.connection, f"rtree_{self.layer.id}_geom", fids, boxes)
        bounds = np.concatenate(self._boxes) if self._boxes else np.empty((0, 4))
        cells = touched_cells(bounds)
        self.connection.executemany(
            "INSERT INTO rtree_twin_touched (minx, maxx, miny, maxy, layer, version) VALUES (?,?,?,?,?,?)",
            ((x0, x1, y0, y1, self.layer.id, self.version) for x0, y0, x1, y1 in cells.tolist()),
        )
        box: Box | None = (
            (*cells[:, :2].min(axis=0).tolist(), *cells[:, 2:].max(axis=0).tolist()) if len(cells) else None
        )
        touched = Touched(self.inserted, self.updated, self.terminated, self.unchanged, box)
        self.connection.execute("INSERT INTO vgpkg_twin_change VALUES (?,?,?,?,?,?,?,?,?,?)", (self.version, self.layer.id, self.inserted,
                                self.updated, self.terminated, self.unchanged, *(box or (None,) * 4)))  # fmt: skip
        self._summarise(box)
        return touched, self._digest.hexdigest()

    def _summarise(self, box: Box | None) -> None:
        self.connection.execute(
            "UPDATE vgpkg_twin_layer SET version = ?, features = (SELECT count(*) FROM "
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


def finding_columns(findings: Iterable[Finding], source: str, version: int) -> dict[str, list[Any]]:
    """Return findings as columns of the `finding` layer, numbered within their version."""
    columns: dict[str, list[Any]] = defaultdict(list)
    for number, one in enumerate(findings):
        record = {
            "finding_key": f"{version}-{number + 1}", "rule": one.rule, "severity": one.severity, "layer": one.layer, "feature_id": one.feature_id,
            "source": source, "place": one.place or None, "details": orjson.dumps(dict(one.values), default=str).decode(),
            "raw": None if one.raw is None else orjson.dumps(dict(one.raw), default=str).decode(), "status": "open",
        }  # fmt: skip
        for name, value in record.items():
            columns[name].append(value)
    return columns
