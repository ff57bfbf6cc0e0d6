"""Colours and a legend for the values of a column: classes of numbers and days, categories of texts and codes.

Not here: the colours that the catalogue gives a layer (`feature_colors` in `solids`), pages that show a legend (`offline_page`).

    >>> import pandas as pd
    >>> symbols = symbols_of(pd.Series([1.0, 2.0, 3.0, 50.0]), lang="en", breaks=[0, 2, 10])
    >>> [(entry.text, entry.count) for entry in symbols.entries]
    [('0 – 2', 1), ('2 – 10', 2), ('> 10', 1)]
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from twin_model.errors import QueryRefused
from twin_model.layer import Field, Text

__all__ = ["CATEGORIES", "NO", "RAMPS", "YES", "Breaks", "LegendEntry", "Palette", "Symbols", "rgba", "symbols_of"]

Floats = NDArray[np.float64]
Palette = str | Sequence[str] | Mapping[Any, str]
Breaks = str | Sequence[Any]
Shown = Callable[[float], str]

RAMPS: Mapping[str, tuple[str, ...]] = {
    "heat": ("#fbe3a2", "#f7b35f", "#e87b3a", "#c23f26", "#7d1522"),
    "blues": ("#d6e6f2", "#9cc4e0", "#5c9bc9", "#2869a5", "#0f3c6e"),
    "greens": ("#dcecd2", "#a9d19b", "#6caf6a", "#33803f", "#0f4c25"),
    "viridis": ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"),
    "diverging": ("#2b5c9e", "#8fb3d9", "#ebe8e0", "#e8a07f", "#b3372f"),
}
"""Colours from low to high, by name."""

CATEGORIES = (
    "#3f7fb5",
    "#e3912d",
    "#4f9d5d",
    "#c1559b",
    "#7d6bb8",
    "#c8503c",
    "#3fa7a3",
    "#a08a2f",
    "#8c5a3c",
    "#6f87a3",
    "#9bb83f",
    "#d98aa0",
)
"""Colours of values that have none of their own; further values are shown together."""

_MISSING, _OTHER = "#d3cfc7", "#a8a39a"
_NO_VALUE, _OTHERS = Text("无数据", "no data"), Text("其他", "other")
YES, NO = Text("是", "yes"), Text("否", "no")
_SINGLE = 7
"""Whole numbers with so many distinct values get a class each."""
_COLOR = re.compile("#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class LegendEntry:
    """A line of a legend: colour "#rrggbb", what it means, how many features have it."""

    color: str
    text: str
    count: int


@dataclass(frozen=True)
class Symbols:
    """The RGBA colour (n, 4) of each row, and the legend's lines in order; `title` heads them, "" for none."""

    colors: NDArray[np.uint8]
    entries: tuple[LegendEntry, ...]
    title: str = ""


@dataclass(frozen=True)
class _Classes:
    """The class of each row (-1: no value), the text and the colour of each class."""

    numbers: NDArray[np.intp]
    texts: list[str]
    colors: list[str]


def rgba(color: str) -> tuple[int, int, int, int]:
    """Return the opaque colour of "#rrggbb"."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255


def symbols_of(
    values: "pd.Series[Any]",
    *,
    lang: str,
    field: Field | None = None,
    palette: Palette | None = None,
    breaks: Breaks = "quantile",
    colors: Mapping[str, str] = {},
) -> Symbols:
    """Return colours and legend of a column: numbers and times in classes, anything else by value.

    `breaks` is "quantile" (as many features in each class), "equal" (as wide a range), or the borders of the classes in
    ascending order. `palette` is a name of `RAMPS`, colours from low to high, or the colour of each value; without it the
    `colors` of the catalogue count. `field` has the title, the unit and the words of codes. A class holds its lower border,
    not its upper one, which only the last class holds. Raises `QueryRefused` for a palette or breaks that are none.
    """
    ramp, own_colors = _ramp(palette), _own_colors(palette, colors)
    if own_colors or (field is not None and field.codes) or not _is_measured(values):
        spare = CATEGORIES if palette is None else () if isinstance(palette, Mapping) else ramp
        classes = _categories(values, field, own_colors, spare, lang)
    elif pd.api.types.is_datetime64_any_dtype(values):
        classes = _numeric_classes(np.floor(_days(values)), ramp, _day_breaks(breaks), whole=True, shown=_shown_day)
    else:
        numbers, whole = values.to_numpy(dtype=np.float64, na_value=np.nan), pd.api.types.is_integer_dtype(values)
        classes = _numeric_classes(numbers, ramp, breaks, whole=whole, shown=_shown_number)
    return _symbols(classes, "" if field is None else _heading(field, lang), lang)


def _heading(field: Field, lang: str) -> str:
    unit = Text(f"（{field.unit}）", f" ({field.unit})") if field.unit else Text()
    return field.title(lang) + unit(lang)


def _is_measured(values: "pd.Series[Any]") -> bool:
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return is_number or pd.api.types.is_datetime64_any_dtype(values)


def _symbols(classes: _Classes, title: str, lang: str) -> Symbols:
    counts = np.bincount(classes.numbers[classes.numbers >= 0], minlength=len(classes.texts)).tolist()
    entries = [LegendEntry(*each) for each in zip(classes.colors, classes.texts, counts, strict=True)]
    if missing := int((classes.numbers < 0).sum()):
        entries.append(LegendEntry(_MISSING, _NO_VALUE(lang), missing))
    lookup = np.array([rgba(color) for color in (*classes.colors, _MISSING)], dtype=np.uint8)
    return Symbols(lookup[classes.numbers], tuple(entries), title)


def _numeric_classes(numbers: Floats, ramp: Sequence[str], breaks: Breaks, *, whole: bool, shown: Shown) -> _Classes:
    is_known = np.isfinite(numbers)
    distinct = np.unique(numbers[is_known])
    _ensure_breaks(breaks)
    if isinstance(breaks, str) and len(distinct) <= (_SINGLE if whole else 1):
        number = np.where(is_known, np.searchsorted(distinct, numbers), -1)
        return _Classes(number, [shown(each) for each in distinct.tolist()], _blended(ramp, len(distinct)))
    if isinstance(breaks, str):
        edges = _edges(numbers[is_known], breaks, len(ramp), whole)
    else:
        edges = np.asarray(breaks, dtype=np.float64)
    number = np.searchsorted(edges, numbers, side="right")
    number = np.where(numbers == edges[-1], len(edges) - 1, number)
    texts = [f"< {shown(edges[0])}", *_ranges(edges, whole, shown), f"> {shown(edges[-1])}"]
    used = sorted({*number[is_known].tolist(), *range(1, len(edges))})
    number = np.where(is_known, np.searchsorted(used, number), -1)
    return _Classes(number, [texts[each] for each in used], _blended(ramp, len(used)))


def _ranges(edges: Floats, whole: bool, shown: Shown) -> list[str]:
    """Return the text of each class; a class of whole numbers ends with the last number that belongs to it."""
    ends = edges[1:].copy()
    if whole:
        ends[:-1] = np.ceil(ends[:-1]) - 1
    return [shown(low) if low == end else f"{shown(low)} – {shown(end)}" for low, end in zip(edges, ends, strict=False)]


def _ensure_breaks(breaks: Breaks) -> None:
    if isinstance(breaks, str):
        is_fit = breaks in ("quantile", "equal")
    else:
        edges = pd.to_numeric(pd.Series(list(breaks)), errors="coerce").to_numpy(dtype=np.float64)
        is_fit = len(edges) > 1 and bool((np.diff(edges) > 0).all())
    if not is_fit:
        raise QueryRefused("notebook.breaks", breaks=repr(breaks)[:100])


def _edges(known: Floats, breaks: str, classes: int, whole: bool) -> Floats:
    """Return the borders of classes, rounded to what tells them apart; the outer ones enclose all values."""
    shares = np.linspace(0, 1, classes + 1)
    span = float(np.ptp(known))
    edges = np.unique(np.quantile(known, shares) if breaks == "quantile" else known.min() + shares * span)
    narrowest = max(float(np.diff(edges).min()), span * 1e-9)
    decimals = int(1 - np.floor(np.log10(narrowest)))
    scale = 10.0 ** min(decimals, 0 if whole else 15)
    inner = np.round(edges[1:-1] * scale) / scale
    return np.unique([np.floor(edges[0] * scale) / scale, *inner, np.ceil(edges[-1] * scale) / scale])


def _shown_number(number: float) -> str:
    """Return a number as a legend shows it: 1,200; 0.35; 1e-07."""
    return f"{number:,.5f}".rstrip("0").rstrip(".") if number == 0 or abs(number) >= 1e-4 else f"{number:.3g}"


def _shown_day(day: float) -> str:
    return str(np.datetime64(int(day), "D"))


def _days(times: "pd.Series[Any]") -> Floats:
    """Return local days since 1970-01-01, NaN for no time."""
    local = times.dt.tz_localize(None) if times.dt.tz is not None else times
    return np.asarray((local - pd.Timestamp(0)) / pd.Timedelta(days=1), dtype=np.float64)


def _day_breaks(breaks: Breaks) -> Breaks:
    if isinstance(breaks, str):
        return breaks
    try:
        return list(np.floor(_days(pd.Series(pd.to_datetime(list(breaks))))))
    except (TypeError, ValueError) as error:
        raise QueryRefused("notebook.breaks", breaks=repr(breaks)[:100]) from error


def _categories(
    values: "pd.Series[Any]", field: Field | None, colors: Mapping[str, str], spare: Sequence[str], lang: str
) -> _Classes:
    """Return a class for each value: codes in the catalogue's order, others the most frequent first, the rest together."""
    texts = values.astype(object).map(_text, na_action="ignore")
    counts = texts.value_counts()
    codes = [code for code in (field.codes if field is not None else colors) if code in counts.index]
    ordered = [*codes, *sorted(set(counts.index) - set(codes), key=lambda text: (-counts[text], text))]
    free = [color for color in spare if color not in colors.values()]
    unpainted = [text for text in ordered if text not in colors]
    painted = {**colors, **dict(zip(unpainted, free, strict=False))}
    shown = [text for text in ordered if text in painted]
    words, paints = [_word(text, field, lang) for text in shown], [painted[text] for text in shown]
    if len(shown) < len(ordered):
        words, paints = [*words, _OTHERS(lang)], [*paints, _OTHER]
    place = {text: number for number, text in enumerate(shown)}
    numbers = [-1 if pd.isna(text) else place.get(text, len(shown)) for text in texts]
    return _Classes(np.array(numbers, dtype=np.intp), words, paints)


def _text(value: Any) -> str:
    """Return a value as it is looked up: a whole number read as a decimal one is a whole number."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _word(text: str, field: Field | None, lang: str) -> str:
    if field is not None and text in field.codes:
        return field.codes[text](lang)
    return {"True": YES, "False": NO}.get(text, Text(text, text))(lang)


def _ramp(palette: Palette | None) -> Sequence[str]:
    if palette is None or isinstance(palette, Mapping):
        return RAMPS["heat"]
    colors = RAMPS.get(palette, ()) if isinstance(palette, str) else palette
    _ensure_colors(palette, colors)
    return colors


def _own_colors(palette: Palette | None, colors: Mapping[str, str]) -> Mapping[str, str]:
    """Return the colours that values have of their own: by the palette, else by the catalogue."""
    if isinstance(palette, Mapping):
        _ensure_colors(palette, list(palette.values()))
        return {_text(value): color for value, color in palette.items()}
    return colors if palette is None else {}


def _ensure_colors(palette: Palette, colors: Sequence[str]) -> None:
    if not colors or not all(isinstance(color, str) and _COLOR.fullmatch(color) for color in colors):
        raise QueryRefused("notebook.palette", palette=repr(palette)[:100], nearest=sorted(RAMPS))


def _blended(ramp: Sequence[str], count: int) -> list[str]:
    """Return `count` colours from the first of a ramp to its last; one alone is the middle."""
    stops = np.array([rgba(color)[:3] for color in ramp], dtype=np.float64)
    places = np.linspace(0, len(ramp) - 1, count) if count > 1 else np.array([(len(ramp) - 1) / 2] * count)
    mixed = np.column_stack([np.interp(places, np.arange(len(ramp)), stops[:, part]) for part in range(3)])
    return ["#{:02x}{:02x}{:02x}".format(*color) for color in mixed.round().astype(int).tolist()]
