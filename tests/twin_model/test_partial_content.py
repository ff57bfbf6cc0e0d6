"""A hash with the mark of a partial row is alike the one without it, is another, and is no third."""

import numpy as np

from twin_model.rows.content import contents_from, words_of
from twin_model.rows.partial_content import are_alike, are_partial, partial_contents


def test_a_marked_hash_is_found_and_known_as_marked() -> None:
    words = words_of([bytes(16), bytes(range(16)), b"\xff" * 16, bytes(15) + b"\x01"])

    kept = partial_contents(words, np.array([True, False, True, False]))

    assert are_partial(kept, words).tolist() == [True, False, True, False]
    assert are_alike(kept, words).all() and are_alike(words, words).all()
    assert not are_partial(kept, words[::-1]).any() and not are_alike(kept, words[::-1]).any()
    assert contents_from(kept).tolist()[1] == bytes(range(16))
