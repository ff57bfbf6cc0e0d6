"""What an audit finds wrong beside the chain, and what can be made again from the rows.

A `Damage` is named by a rule and values, as an error is; `is_derived` says that `Store.rebuild` makes it good, because
nothing is lost: indexes, guards, counters, boxes of changes. The checks stand in `soundness`, those of tables and indexes
with each store.
"""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Damage"]


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it should be: `rule` names the message of `values`."""

    rule: str
    values: dict[str, Any] = field(default_factory=dict)
    is_derived: bool = False
