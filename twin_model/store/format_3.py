"""From format 2 to format 3, for both stores: what was delivered is hashed anew, by the names of fields, and the history
so far is sealed by a changeset of its own.

Hashes of the first rule stay beside the new ones (`first_content`), so that older changesets verify by their own rule.
How rows are read and written is the store's part (`migrations` in each).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from twin_model.catalogue import Catalogue
from twin_model.rows.content import Words
from twin_model.store.digests import RULE
from twin_model.store.evidence import Dump, LayerRows, layer_rows, parts_by_layer, sealed_digest
from twin_model.store.writing import Transaction, chain_hash, moment_after

__all__ = ["reseal"]

Rehash = Callable[[str, NDArray[np.int64], NDArray[np.int64], Words], None]
"""Takes layer, fids, versions and new contents (n, 2) of parts and writes them."""


def reseal(dump: Dump, catalogue: Catalogue, rehash: Rehash, transaction: Transaction) -> None:
    """Hash anew what was delivered of every layer of the catalogue, and record a changeset that seals what there is.

    The seal names by layer how many features say something else than the first rule can prove (a field gained since then
    is enough): they are taken as they stand.
    """
    parts = parts_by_layer(dump)
    unproved: dict[str, int] = {}
    for layer in catalogue:
        if layer.id not in parts:
            continue
        delivered = parts[layer.id]
        rows = layer_rows(dump, catalogue, layer.id, first_rule=True)
        contents, missing = _contents_of_parts(rows, delivered.fids, delivered.version_from, delivered.contents)
        rehash(layer.id, delivered.fids, delivered.version_from, contents)
        if missing and layer.id != "finding":
            unproved[layer.id] = missing
    number, recorded, previous = transaction.last()
    if recorded is None:
        return
    parts = parts_by_layer(dump)
    seals = {
        layer.id: sealed_digest(layer_rows(dump, catalogue, layer.id), parts.get(layer.id), number + 1)
        for layer in catalogue
    }
    moment = moment_after(recorded)
    counts = {"content": seals, "sealed": number, "unproved": unproved}
    line: dict[str, Any] = {
        "number": number + 1, "recorded": moment, "effective": moment, "author": "twin", "reason": f"store format {RULE}", "source": None,
        "sha256": None, "kind": None, "delivery": None, "counts": orjson.dumps(counts).decode(), "rule": RULE, "identity": None,
    }  # fmt: skip
    transaction.record({**line, "previous": previous, "hash": chain_hash(previous, line)})


def _contents_of_parts(
    rows: LayerRows, fids: NDArray[np.int64], versions: NDArray[np.int64], first: Words
) -> tuple[Words, int]:
    """Return the new contents (n, 2) of parts, and of how many the old hash fits no row.

    A part is what the version that brought it wrote of its feature: of several rows that whose old hash it has, else the
    latest. A part without a row keeps its hash, which then fits nothing that is delivered.
    """
    written = pd.DataFrame({"fid": rows.fids, "version": rows.version_from, "row": np.arange(len(rows.fids))})
    wanted = pd.DataFrame({"fid": fids, "version": versions, "part": np.arange(len(fids))})
    pairs = wanted.merge(written, on=["fid", "version"])
    row, part = pairs["row"].to_numpy(), pairs["part"].to_numpy()
    fits = (rows.first_contents[row] == first[part]).all(axis=1)
    order = np.lexsort((rows.valid_from[row], fits, part))
    last = np.r_[part[order][1:] != part[order][:-1], True][: len(order)]
    chosen = order[last]
    contents = first.copy()
    contents[part[chosen]] = rows.contents[row[chosen]]
    return contents, len(fids) - int(fits[chosen].sum())
