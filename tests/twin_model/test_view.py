"""The one way to look: what a policy admits, and names that caches can trust."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_model.errors import AccessRefused
from twin_model.filter import parse_filter
from twin_model.layer import Field, Layer, Text
from twin_model.temporal import Interval
from twin_model.view import OPEN, Policy, View, withholding

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


def test_districts_that_differ_in_one_late_corner_are_two_policies() -> None:
    """A filter's repr cuts a long outline short; caches would give the one district to the other."""

    def district(north: float) -> Policy:
        ring = [[118 + n / 1000, 35.0] for n in range(60)] + [[118.06, north], [118.0, 35.0]]
        area = {"type": "Polygon", "coordinates": [ring]}
        within = {"op": "s_intersects", "args": [{"property": "geometry"}, area]}
        return Policy(rows={"building": parse_filter(within, lang="cql2-json")})

    assert district(35.5).digest == district(35.5).digest
    assert district(35.5).digest != district(35.6).digest


def test_a_layer_without_its_hidden_fields_is_made_once_and_speaks_of_none_of_them() -> None:
    fields = tuple(Field(name, "string", Text()) for name in ("name", "owner", "usage"))
    style = {"color": "#fff", "by": "owner", "label": "owner", "colors": {"city": "#000"}}
    model = {"kind": "extrude", "height": "usage", "properties": ["name", "owner"]}
    layer = Layer(
        "house", "feature", Text(), Text(), "base", "", "MultiPolygon", "match", fields, style=style, model=model
    )
    policy = Policy(hidden={"house": frozenset({"owner", "usage"}), "other": frozenset({"name"})})

    visible = policy.visible(layer)

    assert visible.field_names == ("name",)
    assert visible.style == {"color": "#fff"}
    assert visible.model == {"kind": "extrude", "height": "usage", "properties": ["name"]}
    assert policy.visible(layer) is visible is policy.visible(visible)
    assert OPEN.visible(layer) is layer is Policy(hidden={"house": frozenset({"gone"})}).visible(layer)


def test_what_is_not_shown_whole_is_in_no_finding_either() -> None:
    layers = [Layer(name, "feature", Text(), Text(), "base", "", "None", "match", ()) for name in ("a", "b", "finding")]

    assert withholding(layers) == OPEN
    for policy in (
        withholding(layers, closed=["a"]),
        withholding(layers, rows={"a": parse_filter("id = '1'"), "finding": parse_filter("rule = 'x'")}),
        withholding(layers, hidden={"a": frozenset({"name"})}),
    ):
        assert "Constant(value='a')" in str(policy.rows["finding"])
        assert "Constant(value='b')" not in str(policy.rows["finding"])
    assert withholding(layers, closed=["finding"]) == Policy(frozenset({"a", "b"}))


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
    assert Policy(rows={"building": low}).digest == Policy(rows={"building": parse_filter("storeys < 3")}).digest
    assert hash(Policy(rows={"building": low})) == hash(Policy(rows={"building": parse_filter("storeys < 3")}))
