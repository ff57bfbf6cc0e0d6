"""One attribute of an IFC entity that its class or schema may not have.

`getattr` with a default is no way to ask: ifcopenshell answers a missing name by importing the schema's express rules
(half a second and tens of megabytes) before it raises.
"""

from typing import Any

__all__ = ["attribute"]

_FORWARD, _INVERSE = 1, 2


def attribute(thing: Any, name: str) -> Any:
    """Return an attribute or inverse attribute of an entity; None where its class has none of that name."""
    return getattr(thing, name) if thing.get_attribute_category(name) in (_FORWARD, _INVERSE) else None
