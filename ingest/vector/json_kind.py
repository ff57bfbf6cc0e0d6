"""Whether JSON is GeoJSON, and whether the coordinate reference system it declares stands in it instead of at an address."""

import json
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twin_model.errors import SourceRefused

__all__ = ["ensure_geojson", "other_kind"]

_HEAD_BYTES = 65_536
_WINDOW_BYTES = 65_536
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.S)
_ESCAPED = re.compile(rb"\\u00([0-9a-f]{2})", re.I)
_VALUE = rb"[\"']\s*+(?::\s*+(?=[{\[/])|(?=/))"
"""What follows the name of a member that is no plain value; what has comments is JSON to some of GDAL's parsers."""

_KEYS = re.compile(rb"[\"'](?:crs|coordRefSys)" + _VALUE)
_ESCAPED_KEYS = re.compile(rb"[\"'](?=[^\"']{0,40}\\u00)((?:\w|\\u00[0-9a-f]{2}){3,11})" + _VALUE, re.I)
_OTHERS = {
    "Topology": "TopoJSON",
    "CityJSON": "CityJSON",
    "CityJSONFeature": "CityJSON",
    "gdal_streamed_alg": "GDALG",
    "Catalog": "STAC",
    "Collection": "STAC",
}
_ESRI = re.compile(rb'"fieldAliases"|"esriFieldType|"esriGeometry|"spatialReference"\s*:\s*\{')
_DEFINED = re.compile(r"https?://(www\.)?opengis\.net/(def/crs|gml/srs)", re.I)
_ADDRESS = re.compile(r"\s*([a-z][a-z0-9+.-]*://|//|/|\\|\.{1,2}/|file:|[A-Z][A-Z0-9]*:/)", re.I)


def ensure_geojson(path: Path, head: bytes, source: str, expected: str) -> None:
    """Refuse JSON of another kind, jobs for GDAL, and a CRS that is a link (GDAL would fetch it)."""
    if b"gdal_streamed_alg" in _unescaped(head):
        raise SourceRefused("vector.list_of_files", source=source, found="gdal_streamed_alg", expected=expected)
    kind = other_kind(head[:_HEAD_BYTES])
    if kind is not None:
        raise SourceRefused("vector.other_kind", source=source, found=kind, expected=expected)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for start in _crs_values(content):
            link = _link(content[start : start + _WINDOW_BYTES])
            if link is not None:
                raise SourceRefused("vector.crs_link", source=source, found=link)


def _unescaped(content: bytes) -> bytes:
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), content)


def other_kind(head: bytes) -> str | None:
    """Return the name of the format that JSON is, by the members of its outermost object; None where it may be GeoJSON."""
    members = _members(head)
    if "stac_version" in members:
        return "STAC"
    kinds = members.get("type", [])
    if kinds:
        return next((_OTHERS[kind] for kind in kinds if kind in _OTHERS), None)
    return "Esri JSON" if _ESRI.search(head) else None


def _members(head: bytes) -> dict[str, list[str]]:
    """Return names of the outermost object's members and their texts (of numbers, lists and objects none), as far as the
    head goes."""
    members: dict[str, list[str]] = {}
    depth, name, expects_value = 0, "", False
    for token in _TOKEN.findall(head):
        depth += (token in (b"{", b"[")) - (token in (b"}", b"]"))
        if depth != 1:
            continue
        if token in (b",", b":"):
            expects_value = token == b":"
        elif token[:1] == b'"' and expects_value:
            members.setdefault(name, []).append(_string(token))
        elif token[:1] == b'"':
            name = _string(token)
            members.setdefault(name, [])
    return members


def _string(token: bytes) -> str:
    try:
        return str(json.loads(token))
    except ValueError:
        return token.strip(b'"').decode("utf-8", "replace")


def _crs_values(content: mmap.mmap) -> Iterator[int]:
    """Yield where each object or list starts that is the value of a member named as a CRS is, however its name is escaped."""
    for key in (b"crs", b"coordRefSys"):
        if content.find(key) >= 0:
            yield from (match.end() for match in _KEYS.finditer(content))
            break
    if content.find(b"\\u00") >= 0:
        for match in _ESCAPED_KEYS.finditer(content):
            if _unescaped(match[1]) in (b"crs", b"coordRefSys"):
                yield match.end()


def _link(window: bytes) -> str | None:
    """Return the address or path that a CRS object names, None where it holds its CRS itself."""
    text = window.decode("utf-8", "replace")
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return text[:60]
    return next(_links(value), None)


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if str(value.get("type", "")).lower() in ("link", "url"):
            yield json.dumps(value.get("properties", value), ensure_ascii=False)[:80]
        for key, part in value.items():
            if key.lower() in ("href", "url") and isinstance(part, str):
                yield part[:80]
            yield from _links(part)
    elif isinstance(value, list):
        for part in value:
            yield from _links(part)
    elif isinstance(value, str) and _ADDRESS.match(value) and not _DEFINED.match(value.strip()):
        yield value[:80]
