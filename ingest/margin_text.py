"""What the margin of a map or the title of a table says about its coordinates: datum, meridian or zone, heights.

    2000国家大地坐标系，3度带，中央子午线117°，1985国家高程基准        1980西安坐标系 3度带第39带        独立坐标系

It is evidence, never the answer: it is compared with the CRS that is named (`ingest/source_crs.py`), and quoted where
none is. A text may name several datums ("由1954北京坐标系转换"): then any of them agrees.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from twin_model.crs import central_meridian, datum_of

__all__ = ["Margin", "codes_of", "contradicts", "margin_of"]

LOCAL_SYSTEM = "local"
_MOST_QUOTED = 3
_DATUMS = {
    "CGCS2000/WGS 84": re.compile(r"2000国家大地|国家2000|国家大地坐标系2000|CGCS-?2000|WGS-?(19)?84"),
    "Xian 1980": re.compile(r"(19)?80年?西安|西安(19)?80|Xi'?an-?(19)?80"),
    "Beijing 1954": re.compile(r"(19)?54年?北京|北京(19)?54|Beijing-?(19)?54"),
    LOCAL_SYSTEM: re.compile(r"独立(平面)?坐标|地方(平面)?坐标|假定坐标|相对坐标系"),
}
_HEIGHTS = {
    "1985国家高程基准": re.compile(r"(19)?85年?国家高程|国家(19)?85高程|(19)?85高程|高程基准(19)?85"),
    "1956年黄海高程系": re.compile(r"(19)?56年?黄海|黄海(19)?56|黄海高程"),
    "假定高程": re.compile(r"假定高程|独立高程|相对高程系"),
}
_MERIDIAN = re.compile(
    r"(?:中央(?:子午线|经线)|轴子午线|L0=)[^\d]{0,8}(\d{2,3}(?:\.\d+)?)(?:[°度](?:(\d{1,2})(?:[′'分]|$))?)?"
)
_ZONE = re.compile(r"(?:(3|三|6|六)[°度](?:分)?带?)?[^\d]{0,8}(?:带号|第)?[^\d]{0,3}(\d{2})(?:号)?带(?!宽)")
_ZONE_NUMBER = re.compile(r"带号[为是:]?(\d{2})(?!\d)")
_OF_ZONES = re.compile(r"度带|°带|带号|坐标|投影|高斯|子午线|^第?\d{2}带$")
_FIRST_3, _LAST_3, _FIRST_6, _LAST_6 = 25, 45, 13, 23
_SERIES = {"CGCS2000/WGS 84": (4534, 4513), "Xian 1980": (2370, 2349), "Beijing 1954": (2422, 2401)}
"""First EPSG code of the 3-degree zones from 75 E, without and with the zone's number."""


@dataclass
class Margin:
    """What texts say: names of datums as `twin_model.crs.datum_of` gives them, meridians in degrees, heights; the texts."""

    datums: set[str] = field(default_factory=set)
    meridians: set[float] = field(default_factory=set)
    heights: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    @property
    def quoted(self) -> str | None:
        """The texts that say it, None where none does."""
        return "；".join(self.texts[:_MOST_QUOTED]) or None


def margin_of(texts: Iterable[str]) -> Margin:
    """Return what texts say about coordinates and heights; most texts of a map say nothing."""
    margin = Margin()
    for text in texts:
        words = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
        datums = {name for name, pattern in _DATUMS.items() if pattern.search(words)}
        heights = {name for name, pattern in _HEIGHTS.items() if pattern.search(words)}
        meridians = {*_meridians(words), *_zones(words)}
        margin.datums |= datums
        margin.heights |= heights
        margin.meridians |= meridians
        if (datums or meridians or heights) and text.strip() not in margin.texts:
            margin.texts.append(text.strip())
    return margin


def _meridians(words: str) -> Iterable[float]:
    for match in _MERIDIAN.finditer(words):
        degrees = float(match[1]) + float(match[2] or 0) / 60
        if 70.0 <= degrees <= 140.0:
            yield degrees


def _zones(words: str) -> Iterable[float]:
    """Yield the meridians of zones that are named by their number; of 39 there is one of three degrees only."""
    named = [(int(match[2]), match[1]) for match in _ZONE.finditer(words)] if _OF_ZONES.search(words) else []
    for zone, width in [*named, *((int(match[1]), None) for match in _ZONE_NUMBER.finditer(words))]:
        if _FIRST_3 <= zone <= _LAST_3 and width not in ("6", "六"):
            yield 3.0 * zone
        elif _FIRST_6 <= zone <= _LAST_6 and width not in ("3", "三"):
            yield 6.0 * zone - 3.0


def contradicts(margin: Margin, crs: str) -> bool:
    """Say whether a margin names a datum or a meridian, and neither that of the CRS."""
    datum, meridian = datum_of(crs), central_meridian(crs)
    if margin.datums and not any(datum.startswith(name) for name in margin.datums):
        return True
    if meridian is None or not margin.meridians:
        return False
    return all(abs(degrees - meridian) > 1e-6 for degrees in margin.meridians)


def codes_of(margin: Margin) -> list[str]:
    """Return the systems a margin may mean, of 3-degree zones without and with their number; empty where it leaves it open."""
    codes = []
    for datum in sorted(margin.datums & set(_SERIES)):
        for meridian in sorted(margin.meridians):
            steps = (meridian - 75.0) / 3.0
            if steps == int(steps) and 0 <= steps <= _LAST_3 - _FIRST_3:
                codes += [f"EPSG:{first + int(steps)}" for first in _SERIES[datum]]
    return codes
