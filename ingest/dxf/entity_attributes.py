"""What an entity of a drawing says beside its shape, kept in `attributes`: linetype, thickness, hyperlink, XDATA, by these names.

What a whole record says (layer, block, block attributes, colour, text) is put to it by those who store records.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ingest.dxf.texts import decoded_name

__all__ = ["entity_attributes"]

_LINK = "PE_URL"
"""The application whose XDATA is a hyperlink."""
_OF_LAYER = ("BYLAYER", "BYBLOCK", "")
_TEXTS, _SHORT_AND_LONG, _REALS = (1000, 1003), (1070, 1071), (1040, 1041, 1042)
_POINTS = (1010, 1011, 1012, 1013)


def entity_attributes(entity: Any, encoding: str) -> dict[str, Any] | None:
    """Return linetype, thickness, hyperlink and `xdata.APPLICATION` of an entity, where it has any of its own."""
    own = vars(entity.dxf)
    attributes: dict[str, Any] = {}
    linetype = own.get("linetype", "")
    if linetype.upper() not in _OF_LAYER:
        attributes["linetype"] = decoded_name(linetype, encoding)
    if own.get("thickness"):
        attributes["thickness"] = float(own["thickness"])
    if entity.xdata is not None:
        attributes |= _of_applications(entity.xdata.data, encoding)
    return attributes or None


def _of_applications(data: Mapping[str, Iterable[Any]], encoding: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for application, tags in data.items():
        values = [value for tag in tags if (value := _value(tag, encoding)) is not None]
        if application.upper() == _LINK:
            attributes |= {"hyperlink": values[0]} if values else {}
        elif values:
            attributes[f"xdata.{decoded_name(application, encoding)}"] = values[0] if len(values) == 1 else values
    return attributes


def _value(tag: Any, encoding: str) -> Any:
    """Return the value of an XDATA tag (DXF reference, group codes 1000 to 1071), None for brackets and names of layers' own."""
    if tag.code in _TEXTS:
        return decoded_name(str(tag.value), encoding) or None
    if tag.code in _SHORT_AND_LONG:
        return int(tag.value)
    if tag.code in _REALS:
        return float(tag.value)
    return [float(part) for part in tag.value] if tag.code in _POINTS else None
