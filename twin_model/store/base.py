"""What every store answers: four small Protocols, the Store that is all of them, and the query they take.

Both stores pass one contract test.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import geopandas as gpd
import numpy as np
import orjson
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from twin_model.catalogue import Catalogue
from twin_model.changeset import Box, Changeset, Rows, Scope, Touched, Version
from twin_model.crs import CRS84
from twin_model.filter import Expression
from twin_model.layer import Layer
from twin_model.plan import Plan, Progress
from twin_model.store.census import Cells, Instants, Range
from twin_model.store.damage import Damage
from twin_model.store.sort_index import SortIndexes
from twin_model.temporal import Instant
from twin_model.view import View

__all__ = [
    "FIRST_ROWS",
    "ChangesetQuery",
    "ChangesetRecord",
    "DeliveredState",
    "Described",
    "FeatureQuery",
    "HeadStart",
    "LayerCounters",
    "Link",
    "Provenance",
    "SortKey",
    "Store",
    "StoreHistory",
    "StoreReads",
    "StoreTransfer",
    "StoreUpkeep",
    "StoreWrites",
    "Summary",
]


FIRST_ROWS = 24
"""Rows that may be large are read so many at first, and then as many as there is room for."""


@dataclass(frozen=True)
class SortKey:
    """One key of an order; NULLs come first ascending, last descending."""

    name: str
    ascending: bool = True


@dataclass(frozen=True)
class FeatureQuery:
    """What is asked of one layer.

    `bbox` and `area` are in the storage CRS, x, y, and keep what meets them; with `heights` (metres, lowest and highest)
    only what reaches into that range, where the height is known; with `unplaced` also what has no geometry at all.
    Literal geometries of `where` are in `where_crs`, x, y. Without `sort` the order is that of `fid`; `after` continues behind the row
    with these sort values and fid. `max_zoom` keeps what is drawn at that zoom. `text` looks in ids and names. With an
    interval of valid time the latest state of each feature answers, or with `states` every one, by fid and time. With
    `precision` the column `valid_precision` answers too. `near` keeps what the spatial index alone finds about a box: all whose own
    box meets it, and perhaps some more.
    """

    layer: str
    view: View = field(default_factory=View)
    bbox: Box | None = None
    near: Box | None = None
    area: BaseGeometry | None = None
    heights: tuple[float, float] | None = None
    unplaced: bool = False
    where: Expression | None = None
    where_crs: str = CRS84
    ids: tuple[str, ...] | None = None
    fids: tuple[int, ...] | None = None
    text: str | None = None
    sort: tuple[SortKey, ...] = ()
    limit: int | None = None
    after: tuple[Any, ...] | None = None
    fields: tuple[str, ...] | None = None
    geometry: bool = True
    max_zoom: int | None = None
    states: bool = False
    precision: bool = False

    def with_(self, **changes: Any) -> "FeatureQuery":
        return replace(self, **changes)

    @property
    def finds_few(self) -> bool:
        """Whether it cannot find more than some dozens of rows."""
        named = None if self.ids is None or self.states else len(self.ids)
        return min(count for count in (self.limit, named, FIRST_ROWS + 1) if count is not None) <= FIRST_ROWS


@dataclass(frozen=True)
class Summary:
    """What a layer holds now: number of features and extent in the storage CRS (None when empty)."""

    features: int
    extent: Box | None


@dataclass(frozen=True)
class DeliveredState:
    """What the store holds of a layer now, for comparing a delivery: parallel arrays by rising fid.

    `ids` are None in a layer that has no numbers of its own, where nobody asks for them; `contents` (n, 2) are the words
    of the hash of what was last delivered of a feature, zeros where an edit made it.
    """

    fids: NDArray[np.int64]
    ids: NDArray[Any]
    contents: NDArray[np.uint64]

    @classmethod
    def of(
        cls, fids: NDArray[np.int64], ids: Mapping[int, str], delivered: NDArray[np.int64], contents: bytes
    ) -> "DeliveredState":
        """Return it from the current fids, their ids where the layer has some, and what was delivered of which feature
        (hashes of 16 bytes, one after the other); any order will do."""
        order = np.argsort(delivered)
        parts = cls(delivered[order], _nobody(len(order)), np.frombuffer(contents, "<u8").reshape(-1, 2)[order])
        fids = np.sort(fids)
        named = np.array([ids.get(fid) for fid in fids.tolist()], dtype=object) if ids else _nobody(len(fids))
        return cls(fids, named, parts.contents_of(fids))

    def contents_of(self, fids: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the contents (n, 2) of features in any order, zeros for those that are not known."""
        words = np.zeros((len(fids), 2), dtype=np.uint64)
        at = np.searchsorted(self.fids, fids)
        within = at < len(self.fids)
        within[within] = self.fids[at[within]] == fids[within]
        words[within] = self.contents[at[within]]
        return words


def _nobody(count: int) -> NDArray[Any]:
    return np.full(count, None, dtype=object)


@dataclass(frozen=True)
class Provenance:
    """With what features of a layer were last delivered: sheet or source, and map scale; parallel arrays."""

    fids: NDArray[np.int64]
    scopes: NDArray[Any]
    series: NDArray[Any]

    @classmethod
    def of(cls, rows: list[tuple[Any, ...]]) -> "Provenance":
        """Return it from rows of fid, scope and series."""
        fids, scopes, series = list(zip(*rows, strict=True)) or [()] * 3
        return cls(np.array(fids, dtype=np.int64), np.array(scopes, dtype=object), np.array(series, dtype=object))


@dataclass(frozen=True)
class ChangesetRecord:
    """One line of the history: who brought what, why, when it was recorded and since when it is true."""

    number: int
    recorded: str
    effective: str
    author: str
    reason: str
    source: str
    sha256: str
    counts: Mapping[str, Any]
    previous: str
    hash: str
    line: Mapping[str, Any]
    """What the hash is made of, as it was written."""
    rule: int = 3
    """By which rule its digests are made (`twin_model/store/digests.py`)."""

    @property
    def delivery(self) -> str:
        """What ties the files of one folder together, "" for a file that came alone."""
        return str(self.line.get("delivery") or "")

    @property
    def identity(self) -> dict[str, str]:
        """Digests of what decided how its source was read (`twin_model/delivery_identity.py`), empty where none were kept."""
        digests: dict[str, str] = orjson.loads(self.line.get("identity") or "{}")
        return digests


@dataclass(frozen=True)
class ChangesetQuery:
    """Which changesets are asked for, the newest of them where there is a limit; what is None is no condition.

    `source` is the name of the file that was brought, `effective_after` an instant: of those that brought a source, the ones
    that are true later. `touching` is the layer of which features changed. `noted` are those that undo another one or say
    something of a layer's description.
    """

    limit: int | None = None
    numbers: tuple[int, ...] | None = None
    source: str | None = None
    effective_after: Instant | None = None
    touching: str | None = None
    noted: bool = False


@dataclass(frozen=True)
class Link:
    """A feature that follows another, by a version: `kind` is how ("split", "merged")."""

    version: int
    kind: str
    from_fid: int
    to_fid: int


class LayerCounters(NamedTuple):
    """What a store keeps of a layer in numbers: logical table `layer` (`copying`), in the order of its columns."""

    layer: str
    next_fid: int
    features: int
    version: int
    next_planned: Instant | None
    min_x: float | None
    min_y: float | None
    max_x: float | None
    max_y: float | None


@dataclass(frozen=True)
class Described:
    """A layer that a commit brings: its table, or the columns it gains, are made in the transaction that writes its rows.

    `table` is what its file in the town's catalogue is to say, as JSON: a store keeps it until that file is in place.
    """

    layer: Layer
    table: str


class HeadStart:
    """What a store does for a delivery while its source is still read. Rows that it takes in become part of the commit
    that follows; until then nobody sees them. This one does nothing: all is asked and written at the commit."""

    def take(self, layer: str, rows: Rows, since: Callable[[], Instant], scope: Scope) -> None:
        """Take the next rows of a layer, which hold since an instant unless they say otherwise, or leave them."""

    def delivered_state(self, layer: str) -> DeliveredState | None:
        """Return what the store knows of a layer whose rows were handed over; None where it is to be asked."""
        return None

    def commit(self, changeset: Changeset, plan: Plan) -> Version | None:
        """Write the changeset of which the rows were taken; None where it is to be written as if none had been."""
        return None


class StoreReads(Protocol):
    """What is asked of a store: features of a layer, now or at any time, and blobs."""

    @property
    def url(self) -> str: ...

    @property
    def crs(self) -> str: ...

    @property
    def catalogue(self) -> Catalogue: ...

    def features(self, query: FeatureQuery) -> gpd.GeoDataFrame:
        """Return the features asked for: index `id`, columns fid, fields, valid_from, valid_to, version, geometry."""
        ...

    def frames(self, query: FeatureQuery, rows: int = 50_000) -> Iterator[gpd.GeoDataFrame]:
        """Yield the same in frames of at most `rows`."""
        ...

    def rows(self, query: FeatureQuery) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Return columns and plain rows, geometry as WKB: for encoders that make no frame of them."""
        ...

    def read_rows(self, query: FeatureQuery, take: Callable[[tuple[str, ...], list[tuple[Any, ...]]], int]) -> None:
        """Hand columns and plain rows to `take`, `FIRST_ROWS` of them and then at most as many as it asks for; at 0 the
        rest is not read. So whoever has little room need not hold all rows at once."""
        ...

    def count(self, query: FeatureQuery) -> int: ...

    def summary(self, layer: str, view: View | None = None) -> Summary: ...

    def blob(self, digest: str) -> bytes: ...

    def blobs(self, digests: list[str]) -> dict[str, bytes]: ...

    def keep_sort_indexes(self) -> SortIndexes:
        """From now on make an index for every order in which a large layer is asked for (`store/sort_index.py`)."""
        ...

    def close(self) -> None:
        """Let connections go. Those on which other threads read end with what they read; whoever asks later opens one."""
        ...


class StoreWrites(Protocol):
    """What a changeset needs: what was delivered before, and the one transaction that writes it."""

    def extend(self, catalogue: Catalogue) -> None:
        """Take over a catalogue; make tables of layers and columns of fields that it has gained."""
        ...

    def delivered_state(self, layer: str) -> DeliveredState:
        """Return what the layer's current features are and were delivered as."""
        ...

    def provenance(self, layer: str, *, ended: bool = False) -> Provenance:
        """Return with what the layer's current features were delivered, with `ended` those too that have ended since.

        Features that an edit made are not among them."""
        ...

    def fids_of_past_ids(self, layer: str, ids: list[str]) -> dict[str, int]:
        """Return the fids of features that have ended, or go by another id now, by the ids they once had."""
        ...

    def head_start(self) -> AbstractContextManager[HeadStart]:
        """Lend what takes rows of a delivery before its commit; what it took is gone where no commit follows."""
        ...

    def commit(
        self, changeset: Changeset, plan: Plan, described: Sequence[Described] = (), progress: Progress = ...
    ) -> Version:
        """Write a changeset in one transaction, and in the same the tables or the columns of described layers.

        Columns that others have added to the layers it writes are known afterwards. `progress` hears how far it is.
        """
        ...

    def descriptions(self) -> Mapping[str, str]:
        """Return the tables of described layers whose files are not known to be in place, by layer, as JSON."""
        ...

    def forget_description(self, layer: str, table: str) -> None:
        """Take note that the file of a described layer is in place; one that was described anew since then stays."""
        ...


class LayerMark(NamedTuple):
    """What a layer is at: its last version, that one's hash in the chain, and when something planned begins or ends next."""

    version: int
    digest: str
    next_planned: str | None


class StoreHistory(Protocol):
    """What a store knows of its own past: versions, what each touched, when something begins or ends."""

    def version(self) -> int:
        """Return the number of the newest version; 0 before the first changeset."""
        ...

    def hash_of(self, number: int) -> str:
        """Return the hash of a version in the chain, "" where there is none of that number."""
        ...

    def layer_mark(self, layer: str) -> LayerMark:
        """Return what a layer is at, by one statement: an answer in a few milliseconds asks nothing else about its freshness."""
        ...

    def changed_since(self, layer: str, bbox: Box | None) -> int:
        """Return the number of the last version that touched the layer within the box; 0 for none."""
        ...

    def census_ranges(self, layer: str) -> Mapping[str, Range] | None:
        """Return between which values the shaping fields of a layer ever were (`store/census.py`); None where the store has
        no census of it that counts all its rows."""
        ...

    def census_cells(self, layer: str, wanted: Sequence[tuple[int, int, int]]) -> Cells:
        """Return the cells with rows of a layer among those that are wanted: (level, first place, last place) each."""
        ...

    def census_instants(self, layer: str) -> Instants | None:
        """Return when features of a layer begin and end, as is believed now; None as for `census_ranges`."""
        ...

    def next_boundary(self, layer: str, after: str) -> str | None:
        """Return the next instant after `after` at which something of the layer begins or ends, None for never."""
        ...

    def changesets(self, limit: int | None = None) -> list[ChangesetRecord]:
        """Return the history, newest first."""
        ...

    def chosen_changesets(self, query: ChangesetQuery) -> list[ChangesetRecord]:
        """Return some of the history, newest first; what is read of it does not grow with the rest."""
        ...

    def changes(self, version: int) -> Mapping[str, Touched]:
        """Return what a version changed, by layer."""
        ...

    def links(self, layer: str) -> list[Link]:
        """Return which features of a layer follow which others, as known now, by version."""
        ...

    def changed_fids(self, layer: str, after: int, until: int) -> NDArray[np.int64]:
        """Return the features of which a version in (after, until] says something else than the one before it."""
        ...

    def has_source(self, sha256: str) -> int | None:
        """Return the version that brought the source with this SHA-256, None if none did."""
        ...

    def recorded_at(self, instant: str) -> int:
        """Return the number of the version that was the newest at an instant."""
        ...

    def ensure_version(self, number: int) -> None:
        """Refuse a version number that does not exist."""
        ...


class StoreTransfer(Protocol):
    """A store as a whole: copied while it is used, shown as logical tables, filled with them."""

    is_unfinished: bool
    """Whether it is the target of a copy that has not been proved equal."""

    def backup(self, target: Path) -> None:
        """Write the whole store as it is at one moment into a file, while others read and write."""
        ...

    def dump(self, table: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a logical table (`copying.tables_of`) in batches; geometry is ISO WKB, instants are texts."""
        ...

    def load(self, tables: Iterable[tuple[str, Iterator[list[tuple[Any, ...]]]]]) -> None:
        """Fill an empty store with the rows of logical tables, in one transaction; what a stopped copy left goes before."""
        ...

    def finish_copy(self) -> None:
        """Make the target of a copy a town's store: both were proved equal."""
        ...


class StoreUpkeep(Protocol):
    """What an audit asks of a store besides its rows: up to where it was proved, and the state of tables and indexes."""

    def checkpoint(self) -> tuple[int, str] | None:
        """Return number and hash of the version up to which the history was last proved, None for never."""
        ...

    def keep_checkpoint(self, number: int, digest: str) -> None:
        """Remember up to where the history was proved. Raises `StoreError` where the store cannot be written to."""
        ...

    def damages(self) -> list[Damage]:
        """Return what is wrong with tables, guards and indexes."""
        ...

    def rebuild(self, counters: Iterable[LayerCounters]) -> None:
        """Make guards, indexes and what hangs on the rows anew, with these numbers of layers; rows stay as they are."""
        ...


class Store(StoreReads, StoreWrites, StoreHistory, StoreTransfer, StoreUpkeep, Protocol):
    """Keeps layers, versions and blobs. Many readers, writers one after the other; each commit whole or not at all.

    Who needs only a part of it says so: a function that reads takes `StoreReads`.
    """
