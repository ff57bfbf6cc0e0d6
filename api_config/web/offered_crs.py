"""The coordinate systems in which collections are offered, and the one that a request names, however it writes it."""

import re
from functools import lru_cache

from api_config.web.call import Call
from twin_model.crs import CRS84, uri_of
from twin_model.errors import QueryRefused
from twin_model.layer import Layer
from twin_model.town import Town

__all__ = ["crs_header", "crs_list", "crs_of"]

_COMMON_CRS = ("OGC:CRS84", "EPSG:4326", "EPSG:4490", "EPSG:3857")
_LONGEST_CRS = 200
"""Characters; what has more is none of the systems that are offered."""

_CRS_FORMS = re.compile(
    r"https?://www\.opengis\.net/def/crs/(\w+)/[\w.]+/(\w+)|urn:ogc:def:crs:(\w+):[\w.]*:(\w+)|(\w+):(\w+)|\[(\w+):(\w+)\]|(CRS84)",
    re.IGNORECASE | re.ASCII,
)
"""The spellings of one system: OGC's URI, URN, CURIE with and without brackets."""


def crs_list(town: Town) -> tuple[str, ...]:
    """Return the CRSs a town's collections are offered in; the first is the default, the storage CRS among them."""
    return tuple(dict.fromkeys((*_COMMON_CRS, town.store.crs)))


def crs_header(crs: str) -> dict[str, str]:
    """Return the header that names the CRS of an answer (OGC API - Features part 2, 7.12.1)."""
    return {"Content-Crs": f"<{uri_of(crs)}>"}


def crs_of(call: Call, layer: Layer, name: str) -> str:
    """Return the code of the system that a parameter names, CRS84 where it is not there; one that is not offered is refused."""
    value = call.params.get(name)
    if value is None:
        return CRS84
    offered = crs_list(call.town)
    if len(value) > _LONGEST_CRS:
        raise QueryRefused("query.crs", crs=value[:100], layer=layer.id, nearest=[uri_of(each) for each in offered])
    return _offered(value, layer.id, offered)


@lru_cache(maxsize=256)
def _offered(value: str, layer: str, offered: tuple[str, ...]) -> str:
    """Return the code of an offered system, however it is written; nothing else of the text reaches PROJ."""
    written = _CRS_FORMS.fullmatch(value.strip())
    authority, _, code = (
        (":".join(part for part in written.groups() if part) if written else "").upper().rpartition(":")
    )
    asked_code = f"{authority or 'OGC'}:{code}"
    if asked_code not in offered:
        raise QueryRefused("query.crs", crs=value[:100], layer=layer, nearest=[uri_of(each) for each in offered])
    return asked_code
