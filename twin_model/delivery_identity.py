"""What makes a delivery the same as an earlier one: the bytes of its files, and all else that decides what is read.

A source carries digests by name (`changeset.Source.identity`): "reader", "options", "mapping/...", "table/...". When it
has been read, the layers that it used are added ("layer:building"), and the names that found no layer ("left_out").
What was recorded before there were digests is equal to nothing: such a source is read again, which changes nothing.

>>> from twin_model.catalogue import read_catalogue
>>> catalogue = read_catalogue()
>>> recorded = with_layers({"reader": "dxf 1"}, catalogue, ["building"])
>>> is_same(recorded, {"reader": "dxf 1"}, catalogue), is_same(recorded, {"reader": "dxf 2"}, catalogue)
(True, False)
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256

import orjson

from twin_model.catalogue import Catalogue
from twin_model.changeset import Source
from twin_model.layer import Layer
from twin_model.store.base import ChangesetQuery, ChangesetRecord, Store

__all__ = [
    "archived_files",
    "is_same",
    "layer_digest",
    "same_version",
    "standing",
    "standing_of",
    "version_with_same_source",
    "with_layers",
]

_LAYER, _LEFT_OUT = "layer:", "left_out"
_ARCHIVED = ("mapping/", "table/")
_OF_A_LAYER = ("geometry", "identity", "prefix", "classes", "tolerance", "plan_error", "valid_from_field", "dropped")
"""What of a layer, besides its fields, decides what a reader makes of a source."""


def layer_digest(layer: Layer) -> str:
    """Return a digest of what of a layer decides how a source is read: fields, code lists, identity; not its looks."""
    content = {name: getattr(layer, name) for name in _OF_A_LAYER}
    content["fields"] = [asdict(field) for field in layer.fields]
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def with_layers(
    identity: Mapping[str, str], catalogue: Catalogue, layers: Iterable[str], left_out: Iterable[str] = ()
) -> dict[str, str]:
    """Return an identity with digests of the layers that were used, and the names in the source that found none."""
    used = {f"{_LAYER}{name}": layer_digest(catalogue[name]) for name in layers if name in catalogue}
    names = sorted(set(left_out))
    return {**identity, **used, **({_LEFT_OUT: orjson.dumps(names).decode()} if names else {})}


def is_same(recorded: Mapping[str, str], identity: Mapping[str, str], catalogue: Catalogue) -> bool:
    """Say whether a source would be read today as it was when `recorded` was written."""
    before = {name: digest for name, digest in recorded.items() if name != _LEFT_OUT and not name.startswith(_LAYER)}
    used = {name.removeprefix(_LAYER): digest for name, digest in recorded.items() if name.startswith(_LAYER)}
    return (
        bool(recorded)
        and before == dict(identity)
        and all(name in catalogue and layer_digest(catalogue[name]) == digest for name, digest in used.items())
        and not any(name in catalogue for name in orjson.loads(recorded.get(_LEFT_OUT, "[]")))
    )


def archived_files(identity: Mapping[str, str]) -> dict[str, str]:
    """Return SHA-256 -> file name of the mapping and code tables by which a source was read, as the archive keeps them."""
    return {
        digest: name.rpartition("/")[2] for name, digest in identity.items() if name.startswith(_ARCHIVED) and digest
    }


def version_with_same_source(store: Store, source: Source, catalogue: Catalogue) -> int | None:
    """Return the version that brought in the same source read in the same way (`same_version`), None where there is none."""
    if store.has_source(source.sha256) is None:
        return None
    of_file = store.chosen_changesets(ChangesetQuery(source=source.name))
    return same_version(standing_of(store, of_file), source, catalogue)


def same_version(history: Iterable[ChangesetRecord], source: Source, catalogue: Catalogue) -> int | None:
    """Return the version of a history, newest first, that brought in the same source read in the same way.

    A source has its name besides its bytes, for names say what a table holds. A reverted version does not count, nor does
    one after which the same file came with another content: the file that says again what it said before is news.
    """
    of_file = [record for record in standing(history) if record.source == source.name]
    for place, record in enumerate(of_file):
        if record.sha256 == source.sha256 and is_same(record.identity, source.identity, catalogue):
            later = (each for each in of_file[:place] if not record.delivery or each.delivery != record.delivery)
            return None if any(later) else record.number
    return None


def standing(history: Iterable[ChangesetRecord]) -> list[ChangesetRecord]:
    """Return the changesets that were not reverted, newest first; a revert that was reverted itself reverts nothing."""
    listed = list(history)
    reverted = _reverted(listed)
    return [record for record in listed if record.number not in reverted]


def standing_of(store: Store, records: Iterable[ChangesetRecord]) -> list[ChangesetRecord]:
    """Return those of some changesets that were not reverted; of the others only the reverts are read."""
    reverted = _reverted(store.chosen_changesets(ChangesetQuery(noted=True)))
    return [record for record in records if record.number not in reverted]


def _reverted(history: Iterable[ChangesetRecord]) -> set[int]:
    """Return the numbers of the changesets that a history, newest first, has undone."""
    reverted: set[int] = set()
    for record in history:
        if "reverts" in record.counts and record.number not in reverted:
            reverted.add(record.counts["reverts"])
    return reverted
