"""WKB of many rows as one block: what was packed comes back, of all rows or some, in whatever order."""

import numpy as np
from drawn_examples import examples
from hypothesis import given
from hypothesis import strategies as st

from twin_model.rows.packed_wkb import PackedWkb


@examples(25, proof=100)
@given(st.lists(st.one_of(st.none(), st.binary(min_size=1, max_size=6)), max_size=12), st.data())
def test_packed_wkb_gives_back_what_was_packed_of_all_rows_or_some(
    wkb: list[bytes | None], data: st.DataObject
) -> None:
    packed = PackedWkb.of(wkb)
    rows = data.draw(st.lists(st.sampled_from(range(len(wkb))), max_size=9)) if wkb else []

    assert packed.objects().tolist() == wkb
    assert packed.objects(np.array(rows, dtype=np.intp)).tolist() == [wkb[row] for row in rows]
