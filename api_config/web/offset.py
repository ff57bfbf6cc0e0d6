"""`offset`: pages by counting, for clients that know no other way.

What it skips is read, so it is bounded. A cursor goes on from where the page before ended, whatever `offset` that began with.
"""

from api_config.web.call import Call
from api_config.web.cursor import behind
from twin_model.errors import QueryRefused
from twin_model.store.base import FeatureQuery, Store

__all__ = ["MOST_SKIPPED", "offset_of", "skipped"]

MOST_SKIPPED = 100_000


def offset_of(call: Call) -> int:
    """Return how many features the caller wants skipped, none beside a cursor; too many are refused."""
    value = call.params.get("offset", "0")
    if not (value.isascii() and value.isdigit() and int(value[:12]) <= MOST_SKIPPED):
        raise QueryRefused("query.offset", value=value[:100], most=MOST_SKIPPED)
    return 0 if "cursor" in call.params else int(value)


def skipped(store: Store, query: FeatureQuery, offset: int) -> FeatureQuery:
    """Return the query that begins after so many features; where there are fewer it finds nothing."""
    if not offset:
        return query
    columns, rows = store.rows(query.with_(fields=(), geometry=False, limit=offset))
    if not rows:
        return query
    return query.with_(after=behind(store, query, columns, rows[-1]))
