"""Areas of rules that are no messages, for tests that look at all words."""

__all__ = ["NAMING_AREAS"]

NAMING_AREAS = (
    "help.",
    "usage.",
    "http_title.",
    "link.",
    "parameter.",
    "rule_area.",
    "shown.",
    "report.",
    "pipe_table.",
    "environment_fact.",
)
"""What names things, and lines to paste, which `test_cli` runs."""
