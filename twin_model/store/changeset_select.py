"""A `ChangesetQuery` -> one SQL statement, and the indexes by which it reads no more of the history than it answers.

Both stores have the same tables under other names: `vgpkg_twin_changeset` and `twin_changeset`, and so on.
"""

from typing import Any

from twin_model.store.base import ChangesetQuery
from twin_model.store.changeset_record import HASHED_COLUMNS

__all__ = ["changeset_indexes", "select_changesets"]


def select_changesets(
    query: ChangesetQuery, *, tables: str, placeholder: str, find: str
) -> tuple[str, tuple[Any, ...]]:
    """Return the statement and its parameters; `tables` is how the tables begin, `find` the function that finds a text.

    The plus sign keeps SQLite from walking all changesets for the sake of their order.
    """
    table, order = f"{tables}_changeset c", "c.number" if query == ChangesetQuery(query.limit) else "+c.number"
    parts: list[str] = []
    parameters: list[Any] = []
    if query.touching is not None:
        table = f"{tables}_change t JOIN {table} ON c.number = t.version"
        parts.append(f"t.layer = {placeholder} AND t.inserted + t.updated + t.terminated > 0")
        parameters.append(query.touching)
        order = "t.version"
    for name, value in (("source", query.source), ("effective", query.effective_after)):
        if value is not None:
            brought = "" if name == "source" else "c.sha256 IS NOT NULL AND "
            parts.append(f"{brought}c.{name} {'=' if name == 'source' else '>'} {placeholder}")
            parameters.append(value)
    if query.numbers is not None:
        parts.append(f"c.number IN ({', '.join(map(str, map(int, query.numbers))) or 'NULL'})")
    if query.noted:
        parts.append(_noted(find, "c."))
    text = f"SELECT {', '.join(f'c.{name}' for name in (*HASHED_COLUMNS, 'previous', 'hash'))} FROM {table}"
    text += (f" WHERE {' AND '.join(parts)}" if parts else "") + f" ORDER BY {order} DESC"
    if query.limit is not None:
        text += f" LIMIT {placeholder}"
        parameters.append(query.limit)
    return text, tuple(parameters)


def changeset_indexes(*, tables: str, find: str) -> dict[str, str]:
    """Return by name what makes the indexes of the history where they are missing; stores of older programs gain them."""
    changeset, change = f"{tables}_changeset", f"{tables}_change"
    places = {
        f"{changeset}_effective": f"{changeset}(effective) WHERE sha256 IS NOT NULL",
        f"{changeset}_source": f"{changeset}(source) WHERE source IS NOT NULL",
        f"{changeset}_noted": f"{changeset}(number) WHERE {_noted(find)}",
        f"{change}_layer": f"{change}(layer, version)",
    }
    return {name: f"CREATE INDEX IF NOT EXISTS {name} ON {place}" for name, place in places.items()}


def _noted(find: str, table: str = "") -> str:
    """Return the condition of an index that holds few changesets; a query has to say it word by word."""
    texts = (f"{find}({table}counts, '\"{word}\":') > 0" for word in ("reverts", "described"))
    return f"({' OR '.join(texts)})"
