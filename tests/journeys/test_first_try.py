"""Other people's files at the first command: how many come in with all their columns, and why the others do not."""

from pathlib import Path

import pytest
from first_try import BROKEN, first_tries, table_of

README = Path(__file__).resolve().parents[2] / "README.md"
REFUSED = {
    "source.empty",  # a drawing of images
    "source.nothing_readable",  # lines of one point; upright prisms, which have no area seen from above
    "vector.citygml",
    "vector.only_tables",  # a feature with neither geometry nor properties
}


@pytest.mark.proof
def test_files_of_others_come_in_whole_or_are_refused_for_a_reason_to_act_on(realdata: Path) -> None:
    tries = list(first_tries(realdata))
    table = table_of(tries)
    print(table)

    plain = [each for each in tries if each.kind != BROKEN]
    rules = {each.outcome.error.rule_id for each in tries if each.outcome.error is not None}
    good = sum(each.is_good for each in plain)
    assert len(plain) >= 60 and good >= 0.9 * len(plain)
    assert rules <= REFUSED
    assert table in README.read_text("utf-8"), "README shows another table"
