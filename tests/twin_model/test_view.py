"""The one way to look: what a policy admits, and names that caches can trust."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_model.errors import AccessRefused
from twin_model.filter import parse_filter
from twin_model.temporal import Interval
from twin_model.view import OPEN, Policy, View

LAYERS = st.frozensets(st.sampled_from(["building", "pipe_line", "rail", "finding"]))


def test_the_open_policy_admits_every_layer_and_looks_at_now() -> None:
    View().ensure_admits("pipe_line")

    assert OPEN.admits("pipe_line")
    assert View().is_now


@pytest.mark.parametrize(
    "view",
    [View("2024-01-01T00:00:00.000Z"), View(Interval(None, "2024")), View(recorded=1), View(recorded=0)],
)
def test_a_view_of_then_is_not_now(view: View) -> None:
    assert not view.is_now


def test_a_closed_layer_is_refused_by_name_in_both_languages() -> None:
    view = View(policy=Policy(layers=frozenset({"building"})))

    with pytest.raises(AccessRefused, match="'pipe_line' is not open to you") as refused:
        view.ensure_admits("pipe_line")

    assert "管线段" in refused.value.text("zh")


@given(LAYERS, LAYERS)
def test_policies_share_a_name_exactly_when_they_admit_the_same(a: frozenset[str], b: frozenset[str]) -> None:
    assert (Policy(a).digest == Policy(b).digest) == (a == b)
    assert Policy(a).digest != OPEN.digest


def test_hidden_fields_and_row_filters_change_the_name_of_a_policy() -> None:
    low, high = parse_filter("storeys < 3"), parse_filter("storeys < 4")
    digests = {
        one.digest
        for one in (
            OPEN,
            Policy(hidden={"building": frozenset({"address"})}),
            Policy(hidden={"building": frozenset({"address", "name"})}),
            Policy(rows={"building": low}),
            Policy(rows={"building": high}),
        )
    }

    assert len(digests) == 5
    assert (
        Policy(rows={"building": low}).digest == Policy(rows={"building": parse_filter("storeys < 3")}).digest
    )
    assert hash(Policy(rows={"building": low})) == hash(
        Policy(rows={"building": parse_filter("storeys < 3")})
    )
