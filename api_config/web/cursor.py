"""Keyset cursors: version, sort values and fid of the last row, tied to the query by a checksum.

They hold no open read transaction: who pages while someone writes goes on in the state of the first page.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from twin_model.errors import QueryRefused
from twin_model.store.base import FeatureQuery, Store

__all__ = ["Cursor", "behind"]


@dataclass(frozen=True)
class Cursor:
    """Where a page ended: the version it was read in, and the sort values and fid of its last row."""

    version: int
    after: tuple[Any, ...]

    def text(self, checksum: bytes) -> str:
        body = orjson.dumps([self.version, *self.after])
        return base64.urlsafe_b64encode(checksum + body).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, checksum: bytes, *, keys: int, newest: int) -> "Cursor":
        """Return the cursor of a text; one of another query, or a damaged one, is refused.

        `keys` is the number of sort keys, `newest` the store's version. A checksum is no secret, so nothing of the
        content is taken on trust.
        """
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            version, *after = orjson.loads(raw[len(checksum) :])
        except (binascii.Error, ValueError, TypeError) as error:
            raise QueryRefused("query.cursor") from error
        whole = [value for value in (version, *after) if isinstance(value, int)]
        if (
            raw[: len(checksum)] != checksum
            or type(version) is not int
            or not 0 <= version <= newest
            or len(after) != keys + 1
            or type(after[-1]) is not int
            or not all(value is None or isinstance(value, (str, int, float)) for value in after)
            or any(abs(number) >= 2**63 for number in whole)
        ):
            raise QueryRefused("query.cursor")
        return cls(version, tuple(after))


def behind(store: Store, query: FeatureQuery, columns: tuple[str, ...], row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return where a query goes on behind one of its rows: the values it sorts by, and the fid.

    Values that were not asked for are fetched for this row alone.
    """
    names, values = [key.name for key in query.sort], dict(zip(columns, row, strict=True))
    if not all(name in values for name in names):
        whole = query.with_(
            fields=None,
            geometry=False,
            fids=(values["fid"],),
            after=None,
            limit=1,
            bbox=None,
            area=None,
            where=None,
            text=None,
        )
        columns, (row,) = store.rows(whole)
        values = dict(zip(columns, row, strict=True))
    return (*(values[name] for name in names), values["fid"])
