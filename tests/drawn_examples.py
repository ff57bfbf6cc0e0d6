"""How many examples a rule is tried with: few that stay the same in every run, many that are drawn anew in the proof."""

from typing import Any

from hypothesis import settings

__all__ = ["examples"]


def examples(every_run: int, *, proof: int, **more: Any) -> settings:
    """Return the settings of a test that costs seconds: `every_run` examples, and `proof` where a proof runs."""
    in_proof = not settings.default.derandomize  # type: ignore[attr-defined]
    return settings(max_examples=proof if in_proof else every_run, deadline=None, **more)
