"""The one way to look: which instant, which recorded state, and what the looker may see.

Routes, tiles, exports, processes and pages take a `View` from one place and hand it to every query.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from twin_model.errors import AccessRefused
from twin_model.filter import Expression
from twin_model.temporal import Instant, Interval

__all__ = ["OPEN", "Policy", "View"]


@dataclass(frozen=True)
class Policy:
    """What a looker may see: `layers` None means all; rows by filter; fields that stay hidden."""

    layers: frozenset[str] | None = None
    rows: Mapping[str, Expression] = field(default_factory=dict)
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.digest)

    def admits(self, layer: str) -> bool:
        return self.layers is None or layer in self.layers

    @property
    def digest(self) -> str:
        """A short name of this policy, for cache keys."""
        shown = (sorted(self.layers) if self.layers is not None else None, sorted((k, str(v)) for k, v in self.rows.items()),
                 sorted((k, sorted(v)) for k, v in self.hidden.items()))  # fmt: skip
        return blake2b(repr(shown).encode(), digest_size=6).hexdigest()


OPEN = Policy()


@dataclass(frozen=True)
class View:
    """Valid time, recorded state (a version number; None is the newest) and policy of one look at the town."""

    datetime: Instant | Interval | None = None
    recorded: int | None = None
    policy: Policy = OPEN

    def ensure_admits(self, layer: str) -> None:
        if not self.policy.admits(layer):
            raise AccessRefused(layer=layer)

    @property
    def is_now(self) -> bool:
        return self.datetime is None and self.recorded is None
