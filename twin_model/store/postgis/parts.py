"""What was delivered of each feature, as PostGIS keeps it: a row a part in `twin_part`, and of a first load 64 features
in one row of `twin_packed_part`, their hashes one after the other.

A packed row never changes: it holds for those of its features that have no row in `twin_part`. What happens to one of
the others is written there, after what the packed row said of it. `twin_parts` is a view of both, a row a part.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray

from twin_model.changeset import Scope
from twin_model.store.postgis.copy_queue import CopyQueue
from twin_model.store.postgis.rows import copy_rows

__all__ = ["CREATE_PACKED", "CREATE_VIEW", "TOGETHER", "WIDTH", "PartsWriter", "delivered", "whole_numbers"]

Connection = psycopg.Connection[Any]

TOGETHER = 64
WIDTH = 16
_PACK = TOGETHER * WIDTH
_NOTHING = bytes(WIDTH)
_PACKED = f"substring(p.contents FROM mod(f.fid, {TOGETHER})::integer * {WIDTH} + 1 FOR {WIDTH})"
"""What packed row `p` says of feature `f.fid`."""

_FIRST_PACKED = _PACKED.replace("p.contents", "p.first_contents")
"""The same by the rule of stores before format 3, NULL where the row was written since."""

_HOLDS, _HOLDS_OF_EACH = (
    f"{_PACKED} <> '\\x{_NOTHING.hex()}' AND NOT EXISTS "
    f"(SELECT FROM twin_part own WHERE own.layer = p.layer AND own.fid = f.fid{one_by_one})"
    for one_by_one in ("", " OFFSET 0")
)
"""Whether what packed row `p` says of feature `f.fid` holds still: asked of many features at once, of each by its key."""

_EACH = "unnest(%s::bigint[]) AS f (fid) CROSS JOIN LATERAL"
"""Features given by their fids, each with what is looked up of it. A look-up with OFFSET 0 stays in its place when the
query is planned: a feature is found by its key, whatever the server's statistics say of the table. Where they lag behind,
the planner would rather read all parts of a layer."""

_COLUMNS = "layer, fid, part, content, scope, series, version_from"
_KINDS = {"layer": "text", "fid": "int8", "part": "int4", "content": "bytea", "pack": "int8", "contents": "bytea",
          "scope": "text", "series": "text", "version_from": "int8"}  # fmt: skip

CREATE_PACKED = """
CREATE TABLE twin_packed_part (layer text COLLATE "C" NOT NULL, pack bigint NOT NULL, contents bytea NOT NULL, scope text,
  series text, version_from bigint NOT NULL, first_contents bytea, PRIMARY KEY (layer, pack));
"""

CREATE_VIEW = f"""
CREATE VIEW twin_parts AS SELECT {_COLUMNS}, version_to, first_content FROM twin_part
  UNION ALL SELECT p.layer, f.fid, 0, {_PACKED}, p.scope, p.series, p.version_from, NULL, {_FIRST_PACKED}
  FROM twin_packed_part p CROSS JOIN LATERAL generate_series(p.pack * {TOGETHER}, p.pack * {TOGETHER} + {TOGETHER - 1}) f (fid)
  WHERE {_HOLDS};
"""


_APART = (
    "SELECT string_agg(int8send(fid), ''::bytea) FROM (SELECT DISTINCT fid FROM twin_part WHERE layer = %s) AS apart"
)
_EACH_APART = (
    "SELECT string_agg(int8send(f.fid), ''::bytea) FROM twin_packed_part p CROSS JOIN LATERAL "
    f"generate_series(p.pack * {TOGETHER}, p.pack * {TOGETHER} + {TOGETHER - 1}) f (fid) WHERE p.layer = %s "
    "AND EXISTS (SELECT FROM twin_part own WHERE own.layer = p.layer AND own.fid = f.fid OFFSET 0)"
)
_MANY = (
    "SELECT EXISTS (SELECT FROM twin_part p WHERE p.layer = l.layer OFFSET 2 * l.features + 2000) "
    "FROM twin_layer l WHERE l.layer = %s"
)
"""Of which packed features is there a part of their own: all parts are read, or, where a long history has many of them
for each feature, each feature is looked up."""


def delivered(ask: Callable[[str, str], list[Any]], layer: str) -> tuple[NDArray[np.int64], bytes]:
    """Return the features of a layer of which something stands delivered, in any order, and its hashes in the same."""
    text = (
        "SELECT string_agg(int8send(fid), ''::bytea), string_agg(content, ''::bytea) FROM twin_part "
        f"WHERE layer = %s AND part = 0 AND version_to IS NULL AND octet_length(content) = {WIDTH}"
    )
    ((own, contents),) = ask(text, layer)
    text = "SELECT string_agg(int8send(pack), ''::bytea), string_agg(contents, ''::bytea) FROM twin_packed_part WHERE layer = %s"
    ((packs, packed),) = ask(text, layer)
    ((many,),) = ask(_MANY, layer)
    ((apart,),) = ask(_EACH_APART if many else _APART, layer)
    fids = (whole_numbers(packs)[:, None] * TOGETHER + np.arange(TOGETHER)).ravel()
    hashes = np.frombuffer(packed or b"", dtype=np.uint64).reshape(-1, WIDTH // 8)
    holds = hashes.any(axis=1) & ~np.isin(fids, whole_numbers(apart))
    return np.concatenate((whole_numbers(own), fids[holds])), (contents or b"") + hashes[holds].tobytes()


class PartsWriter:
    """Writes what one version delivers of a layer's features, on the queue of its transaction."""

    def __init__(self, queue: CopyQueue, layer: str, version: int, scope: Scope) -> None:
        self._queue, self._layer, self._version, self._scope = queue, layer, version, scope
        self._last = 0
        self._following: int | None = None
        self._begin, self._loose = 0, bytearray()

    @property
    def _connection(self) -> Connection:
        return self._queue.connection

    def keep(self, fids: list[int], contents: list[bytes], *, packed: bool) -> None:
        """Keep parts of features, closed before where others kept some; `packed` says that they are new and many and follow
        one another."""
        if packed and set(map(len, contents)) == {WIDTH}:
            self._pack(fids, contents)
        elif min(fids, default=0) > self._last and len(set(fids)) == len(fids):
            self._copy(fids, contents)
        else:
            self._replace(fids, contents)
        self._last = max(self._last, max(fids, default=0))

    def close(self, fids: list[int]) -> None:
        """Close what was delivered of features before this version."""
        self._close("version_from < %s", self._version, fids)
        self._unpack(fids, until=self._version)

    def restore(self, fids: list[int], version: int) -> list[tuple[int, bytes]]:
        """Open again what stood delivered of features at a version; return fid and content of what was opened."""
        self._unpack(fids)
        self._close("version_from > %s", version, fids)
        again = (
            f"INSERT INTO twin_part ({_COLUMNS}) SELECT own.layer, own.fid, own.part, own.content, own.scope, own.series, %s FROM {_EACH} "
            "(SELECT * FROM twin_part WHERE layer = %s AND fid = f.fid AND version_from <= %s AND version_to > %s OFFSET 0) own "
            "RETURNING fid, content"
        )
        parameters = (self._version, fids, self._layer, version, version)
        return self._connection.execute(again, parameters).fetchall()

    def finish(self) -> None:
        """Send what waits for its packed row to be full."""
        self._send(-(-len(self._loose) // _PACK))
        self._following = None

    def _pack(self, fids: list[int], contents: list[bytes]) -> None:
        """Gather hashes into packed rows; a row that another version may have begun gets none of them."""
        first = fids[0]
        if first != self._following:
            self.finish()
            apart = 0 if first == 1 else -first % TOGETHER
            if apart:
                self._copy(fids[:apart], contents[:apart])
            contents = contents[apart:]
            self._begin, self._loose = first + apart, bytearray(_NOTHING if first == 1 else b"")
        self._loose += b"".join(contents)
        self._following = fids[-1] + 1
        self._send(len(self._loose) // _PACK)

    def _send(self, packs: int) -> None:
        if not packs:
            return
        end = packs * _PACK
        content = bytes(self._loose[:end]).ljust(end, b"\0")
        first = self._begin // TOGETHER
        self._copy_into(
            "twin_packed_part",
            packs,
            pack=list(range(first, first + packs)),
            contents=[content[start : start + _PACK] for start in range(0, end, _PACK)],
        )
        self._begin, self._loose = (first + packs) * TOGETHER, self._loose[end:]

    def _copy(self, fids: list[int], contents: list[bytes]) -> None:
        """Keep parts of features of which this version has kept none yet."""
        self._copy_into("twin_part", len(fids), fid=fids, part=[0] * len(fids), content=contents)

    def _copy_into(self, table: str, rows: int, **columns: list[Any]) -> None:
        shared = {
            "layer": self._layer,
            "scope": self._scope.name,
            "series": self._scope.series,
            "version_from": self._version,
        }
        columns |= {name: [value] * rows for name, value in shared.items()}
        self._queue.submit(partial(copy_rows, table=table, columns=columns, kinds=_KINDS))

    def _replace(self, fids: list[int], contents: list[bytes]) -> None:
        parts = dict(zip(fids, contents, strict=True))
        self._connection.execute(
            f"INSERT INTO twin_part ({_COLUMNS}) "
            "SELECT %s, fid, 0, content, %s, %s, %s FROM unnest(%b::bigint[], %b::bytea[]) AS delivered (fid, content) "
            "ON CONFLICT (layer, fid, part, version_from) DO UPDATE SET content = excluded.content, scope = excluded.scope, "
            "series = excluded.series, version_to = NULL",
            (self._layer, self._scope.name, self._scope.series, self._version, list(parts), list(parts.values())),
        )

    def _close(self, which: LiteralString, version: int, fids: list[int]) -> None:
        text = (
            f"UPDATE twin_part SET version_to = %s WHERE ctid = ANY(ARRAY(SELECT own.ctid FROM {_EACH} "
            f"(SELECT ctid FROM twin_part WHERE layer = %s AND fid = f.fid AND version_to IS NULL AND {which} OFFSET 0) own))"
        )
        self._connection.execute(text, (self._version, fids, self._layer, version))

    def _unpack(self, fids: list[int], *, until: int | None = None) -> None:
        """Write apart what packed rows say of features to which something is about to happen, as true until a version."""
        self.finish()
        text = (
            f"INSERT INTO twin_part ({_COLUMNS}, version_to, first_content) "
            f"SELECT p.layer, f.fid, 0, {_PACKED}, p.scope, p.series, p.version_from, "
            f"CASE WHEN p.version_from < %s THEN %s::bigint END, {_FIRST_PACKED} "
            f"FROM {_EACH} (SELECT * FROM twin_packed_part WHERE layer = %s AND pack = f.fid / {TOGETHER} OFFSET 0) p "
            f"WHERE {_HOLDS_OF_EACH} ON CONFLICT DO NOTHING"
        )
        self._connection.execute(text, (until, until, fids, self._layer))


def whole_numbers(content: bytes | None) -> NDArray[np.int64]:
    """Return the numbers of int8send, one after the other."""
    return np.frombuffer(content or b"", dtype=">i8").astype(np.int64)
