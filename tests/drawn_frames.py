"""Frames as notebooks make them, drawn at random: columns of any name, kind and value, any index, geometry and CRS.

A `DrawnFrame` knows beside the frame what each of its rows says in plain values, for comparing with what a town answers.
"""

import datetime as days
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from hypothesis import strategies as st

__all__ = ["CRS", "DrawnColumn", "DrawnFrame", "as_series", "columns", "frames", "is_same", "names", "shapes"]

CRS = "EPSG:4548"
EAST, NORTH = 618_000.0, 3_886_000.0
ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class DrawnColumn:
    """Values as pandas has them, and what each of them means: None, a truth, a number, a text, a day, an instant of UTC."""

    kind: str
    values: Any
    meaning: list[Any]


@dataclass(frozen=True)
class DrawnFrame:
    """A frame and what its rows say by column; `ids` are those of an index or column `id`, None for a new feature."""

    frame: Any
    rows: list[dict[Any, Any]]
    ids: list[str | None]


def _listed(
    kind: str, values: st.SearchStrategy[Any], make: Callable[[list[Any]], Any], mean: Callable[[Any], Any]
) -> Any:
    """Return a function: number of rows -> strategy of a column whose values are drawn one by one."""

    def column(count: int) -> st.SearchStrategy[DrawnColumn]:
        drawn = st.lists(values, min_size=count, max_size=count)
        return drawn.map(lambda each: DrawnColumn(kind, make(each), [mean(value) for value in each]))

    return column


def _objects(values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    column[:] = [*values, None][:-1] if values else values
    for place, value in enumerate(values):
        column[place] = value
    return column


def _itself(value: Any) -> Any:
    return None if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) else value


def _instant(value: Any) -> Any:
    if value is None or value is pd.NaT:
        return None
    stamp = pd.Timestamp(value)
    return (stamp.tz_localize(ZONE) if stamp.tzinfo is None else stamp).tz_convert("UTC")


def _integers(dtype: str) -> Any:
    limits = np.iinfo(dtype)
    values = st.integers(int(limits.min), int(limits.max)) | st.integers(0, 9)
    return _listed(dtype, values, lambda each: np.array(each, dtype=dtype), int)


TEXTS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="甲乙丙abc '\"\\;%_.\n\t\0", max_size=8),
    st.sampled_from(["", " ", "NaN", "None", "null", "2024-01-01", "1", "true", "[1]", "\ud800", "𠀀", "e\u0301", "\x7f", "<b>", "=1+1", "x" * 5000]),
)  # fmt: skip
PLAIN_TEXTS = st.text(alphabet="甲乙abc ", min_size=1, max_size=4)
FLOATS = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 1e-9, 1e300, 5e-324, 2.0**53 + 2, float("nan"), 1.5]),
    st.floats(-1e6, 1e6, width=32),
)
DAYS = st.dates(days.date(1, 1, 1), days.date(9999, 12, 31)) | st.dates(days.date(1990, 1, 1), days.date(2030, 1, 1))
MOMENTS = st.datetimes(days.datetime(1700, 1, 1), days.datetime(2200, 1, 1))
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
).filter(lambda value: isinstance(value, list | dict))
ODD_JSONS = st.sampled_from(
    [[math.nan], {"a": math.inf}, {1: 2}, {(1, 2): 3}, {1: 1, "1": 2, None: 3}, [np.int64(3)], [np.datetime64("2024-01-01")], {1, 2}, (1,), [b"x"], [2**70],
     ["\ud800"], ["\0"], [[["a"]]], np.array([1.5, np.nan]), np.array("x"), [pd.NaT], {"a": {1, "b"}}]
)  # fmt: skip
MIXED = st.sampled_from(
    [None, 1, 2.5, "a", True, Decimal("1.5"), Decimal("NaN"), Decimal("Infinity"), Decimal("1e400"), Fraction(1, 3), days.date(2024, 1, 1), days.datetime(2024, 1, 1),
     days.datetime(2024, 1, 1, tzinfo=days.UTC), days.time(8), np.float32(1.5), np.int8(3), np.str_("b"), np.bool_(True), np.datetime64("2024-01-01"), np.datetime64("NaT"), pd.NaT,
     pd.NA, math.nan, math.inf, 2**70, -(2**63), 10**5000, 1j, b"x", UUID(int=1), object, range(2), [1], {"a": 1}, (), frozenset(), days.timedelta(1), np.timedelta64(1, "D"),
     pd.Timedelta(1), pd.Interval(0, 1), pd.Period("2024-01", "M"), pd.Timestamp("2024-01-01", tz="UTC"), shapely.Point(1, 2), np.array([1]), pd.Series([1, 2]), bytearray(b"a"), np.void(b"a")]
)  # fmt: skip


def _whole(kind: str, make: Callable[[int], Any]) -> Any:
    """Return a function: number of rows -> strategy of a column that nobody says the meaning of."""

    def column(count: int) -> st.SearchStrategy[DrawnColumn]:
        return st.just(None).map(lambda _: DrawnColumn(kind, make(count), [...] * count))

    return column


def _nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


COLUMNS: dict[str, Any] = {
    **{name: _integers(name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "Int64": _listed("Int64", _nullable(st.integers(-(2**63), 2**63 - 1)), lambda each: pd.array(each, dtype="Int64"), _itself),
    "UInt8": _listed("UInt8", _nullable(st.integers(0, 255)), lambda each: pd.array(each, dtype="UInt8"), _itself),
    "float64": _listed("float64", FLOATS, lambda each: np.array(each, dtype="float64"), _itself),
    "float32": _listed("float32", st.floats(-1e6, 1e6, width=32) | st.just(math.nan), lambda each: np.array(each, dtype="float32"), _itself),
    "float16": _listed("float16", st.floats(-1e3, 1e3, width=16), lambda each: np.array(each, dtype="float16"), _itself),
    "Float64": _listed("Float64", _nullable(st.floats(-1e6, 1e6)), lambda each: pd.array(each, dtype="Float64"), _itself),
    "inf": _listed("inf", st.sampled_from([math.inf, -math.inf, 1.0]), lambda each: np.array(each, dtype="float64"), _itself),
    "float object": _listed("float object", _nullable(FLOATS), _objects, _itself),
    "str": _listed("str", _nullable(PLAIN_TEXTS), lambda each: pd.array(each, dtype="str"), _itself),
    "string": _listed("string", _nullable(TEXTS.filter(lambda text: "\ud800" not in text)), lambda each: pd.array(each, dtype="string"), _itself),
    "text object": _listed("text object", _nullable(TEXTS), _objects, _itself),
    "category": _listed("category", _nullable(PLAIN_TEXTS), lambda each: pd.Categorical(each), _itself),
    "category of numbers": _listed("category of numbers", _nullable(st.integers(0, 3)), lambda each: pd.Categorical(each), _itself),
    "bool": _listed("bool", st.booleans(), lambda each: np.array(each, dtype="bool"), bool),
    "boolean": _listed("boolean", _nullable(st.booleans()), lambda each: pd.array(each, dtype="boolean"), _itself),
    "bool object": _listed("bool object", _nullable(st.booleans()), _objects, _itself),
    "date": _listed("date", _nullable(DAYS), _objects, _itself),
    "datetime64[ms]": _listed("datetime64[ms]", _nullable(MOMENTS), lambda each: np.array(each, dtype="datetime64[ms]"), lambda value: _instant(None if value is None else np.datetime64(value, "ms"))),
    "datetime64[ns]": _listed("datetime64[ns]", _nullable(MOMENTS), lambda each: np.array(each, dtype="datetime64[ns]"), _instant),
    "datetime with zone": _listed("datetime with zone", _nullable(MOMENTS), lambda each: pd.DatetimeIndex(pd.Series(each, dtype="datetime64[us]")).tz_localize("UTC").tz_convert("America/New_York"),
                                  lambda value: None if value is None else pd.Timestamp(value, tz="UTC")),
    "datetime object": _listed("datetime object", _nullable(st.datetimes(days.datetime(1, 1, 2), timezones=st.sampled_from([None, ZONE, days.UTC]))), _objects, _instant),
    "list": _listed("list", _nullable(JSONS), _objects, lambda value: None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)),
    "odd list": _listed("odd list", _nullable(ODD_JSONS), _objects, lambda value: None if value is None else ...),
    "mixed": _listed("mixed", MIXED, _objects, lambda value: ...),
    "nothing": _listed("nothing", st.none(), _objects, _itself),
    "decimal": _listed("decimal", _nullable(st.decimals(-1000, 1000, places=2)), _objects, lambda value: None if value is None else float(value)),
    "timedelta": _whole("timedelta", lambda count: pd.to_timedelta(range(count), unit="h")),
    "complex": _whole("complex", lambda count: np.full(count, 1j)),
    "interval": _whole("interval", lambda count: pd.IntervalIndex.from_breaks(range(count + 1))),
    "period": _whole("period", lambda count: pd.period_range("2024-01", periods=count, freq="M")),
    "sparse": _whole("sparse", lambda count: pd.arrays.SparseArray([0.0] * count)),
    "arrow": _whole("arrow", lambda count: pd.array(["a"] * count, dtype="string[pyarrow]")),
    "arrow number": _whole("arrow number", lambda count: pd.array([1] * count, dtype="int64[pyarrow]")),
    "arrow list": _whole("arrow list", lambda count: _arrow_lists(count)),
    "geometry": _whole("geometry", lambda count: gpd.array.from_shapely([shapely.Point(1, 2)] * count)),
    "record": _whole("record", lambda count: [pd.Series([1])] * count),
}  # fmt: skip


def _arrow_lists(count: int) -> Any:
    import pyarrow as pa

    return pd.array([[1]] * count, dtype=pd.ArrowDtype(pa.list_(pa.int64())))


_COMMON = ("int64", "float64", "str", "bool", "date", "datetime with zone", "list", "Int64", "category", "text object")


@st.composite
def columns(draw: Any, count: int, *, tame: bool = False) -> DrawnColumn:
    kind = draw(st.sampled_from(_COMMON) if tame else st.sampled_from(sorted(COLUMNS)))
    column: DrawnColumn = draw(COLUMNS[kind](count))
    return column


NAMES = st.one_of(
    st.sampled_from(["value", "area", "密度", "name"]),
    st.sampled_from(["Value", "total length", "a.b", "a\"b", "a'b", "a`b", "a;--", "%", "%s", "{x}", "", " ", "_", "select", "SELECT", "order", "table", "rowid", "oid", "ctid", "fid", "version",
                     "valid_from", "geom", "Geometry", "ID", "id", "Id", "index", "content", "attributes", "search_key", "min_zoom", "x" * 63, "x" * 64, "密" * 21, "密" * 22, "1st", "2024", "ﬁeld",
                     "K", "ſ", "İ", "ı", "ß", "SS", "Ω", "Ω", "é", "e\u0301", "Å", "ª", "º", "٣", "a\0b", "a\nb", "a\u200db", "\ud800", "🏠", "bbox", "limit", "datetime", "f", "crs", "links",
                     "type", "properties", "null", "true", "NaN", "case", "user", "default", "check", "group", "values", "index_", "column", "__proto__", "constructor", "a-b", "a/b", "geometry_", "wkb"]),
    st.text(max_size=6),
    st.sampled_from([0, 1, -1, 2.5, None, math.nan, True, ("height", "mean"), ("a",), (), b"x", days.date(2024, 1, 1), pd.Timestamp("2024-01-01"), Decimal("1"), frozenset(), pd.NA]),
)  # fmt: skip


USUAL_NAMES = st.sampled_from(["value", "area", "密度", "name"])


def names() -> st.SearchStrategy[Any]:
    """Return names of columns: usual ones, reserved words, letters that are one to somebody, and what is no text at all."""
    return USUAL_NAMES | NAMES


def _square(x: float, y: float, side: float = 10.0, z: float | None = None) -> Any:
    box = shapely.box(x, y, x + side, y + side)
    return box if z is None else shapely.force_3d(box, z)


@st.composite
def shapes(draw: Any, family: str, *, tame: bool = False) -> Any:
    """Draw one geometry of a family ("area", "line", "point"), mostly valid."""
    x, y = EAST + 50 * draw(st.integers(0, 6)), NORTH + 50 * draw(st.integers(0, 2))
    z = draw(st.sampled_from([None, None, 65.0, 0.0]))
    kind = draw(st.sampled_from(["single", "multi"] if tame else ["single", "single", "multi", "odd"]))
    if kind == "odd":
        return draw(
            st.sampled_from(
                [None, shapely.Polygon(), shapely.Point(), shapely.MultiPolygon(), shapely.GeometryCollection(), shapely.LineString([(x, y), (x, y)]), shapely.LinearRing([(x, y), (x + 1, y), (x, y + 1)]),
                 shapely.Polygon([(x, y), (x + 9, y + 9), (x + 9, y), (x, y + 9)]), shapely.Point(math.nan, 1), shapely.Point(math.inf, 1), shapely.Point(1e300, 1e300), shapely.Point(0, 0), _square(0, 0, 1e8),
                 shapely.MultiPoint([(x, y), (x + 1, y)]), shapely.GeometryCollection([shapely.Point(x, y), _square(x, y)]), shapely.Point(x, y, math.nan), _square(x, y, 1e-9), shapely.Polygon([(x, y, 1.0), (x + 9, y, math.nan), (x, y + 9, 2.0)]),
                 shapely.from_wkt(f"POINT M ({x} {y} 5)"), shapely.from_wkt(f"LINESTRING ZM ({x} {y} 1 5, {x} {y + 9} 2 6)"), shapely.from_wkt(f"MULTIPOLYGON ((({x} {y}, {x + 9} {y}, {x} {y + 9}, {x} {y})), EMPTY)"),
                 shapely.Point(-x, -y), shapely.Point(y, x), shapely.box(x, y, x, y + 5)]
            )
        )  # fmt: skip
    if family == "point":
        point = shapely.Point(x, y) if z is None else shapely.Point(x, y, z)
        return point if kind == "single" else shapely.MultiPoint([point])
    if family == "line":
        line = shapely.LineString([(x, y), (x + 30, y + 5)])
        line = line if z is None else shapely.force_3d(line, z)
        return line if kind == "single" else shapely.MultiLineString([line, shapely.affinity.translate(line, 0, 9)])
    area = _square(x, y, z=z)
    return area if kind == "single" else shapely.MultiPolygon([area, _square(x + 20, y, z=z)])


def as_series(column: DrawnColumn, index: Any) -> "pd.Series[Any]":
    """Return a drawn column as pandas keeps it; objects stay objects."""
    return pd.Series(column.values, index=index, copy=True, dtype=getattr(column.values, "dtype", None))


@st.composite
def frames(draw: Any, *, most: int = 4, ids: st.SearchStrategy[Any] | None = None) -> DrawnFrame:
    """Draw a frame of up to `most` rows; `ids` are drawn for an index or column `id`."""
    count, tame = draw(st.integers(0, most)), draw(st.integers(0, 3)) > 0
    own_names = st.lists(USUAL_NAMES if tame and draw(st.booleans()) else names(), max_size=3, unique_by=repr)
    drawn = {name: draw(columns(count, tame=tame)) for name in draw(own_names)}
    family = draw(st.sampled_from(["area"] * 6 + ["line", "point"] if tame else ["area", "line", "point", "mixed"]))
    wanted = [family if family != "mixed" else draw(st.sampled_from(["area", "line", "point"])) for _ in range(count)]
    geometry = [draw(shapes(each, tame=tame)) for each in wanted]
    index, meant = draw(_indexes(count, ids, tame))
    table = pd.DataFrame({place: as_series(column, index) for place, column in enumerate(drawn.values())}, index=index)
    table.columns = pd.Index(list(drawn), dtype=object, tupleize_cols=False)
    crs = (
        CRS
        if tame
        else draw(st.sampled_from([CRS, CRS, CRS, CRS, None, "EPSG:4326", "EPSG:3857", "EPSG:4490", "EPSG:4549"]))
    )
    shape_name = draw(st.sampled_from(["geometry", "geometry", "geom", "图形", "shape", "value"]))
    if shape_name in table.columns:
        shape_name = "geometry"
    if shape_name in table.columns:
        table = table.drop(columns=shape_name)
        drawn.pop(shape_name)
    frame = gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(geometry, index=index, crs=CRS).rename(shape_name))
    if crs in ("EPSG:4326", "EPSG:4549") and draw(st.booleans()):
        frame = frame.set_crs(crs, allow_override=True)
    elif crs is None:
        frame = frame.set_crs(None, allow_override=True)
    elif crs != CRS:
        frame = frame.to_crs(crs)
    kind = "geo" if tame else draw(st.sampled_from([*["geo"] * 12, "table", "series", "no active geometry", "dict"]))
    if kind == "table":
        frame = pd.DataFrame(frame)
    elif kind == "series":
        frame = frame.geometry
    elif kind == "no active geometry":
        frame = gpd.GeoDataFrame(
            pd.DataFrame(frame).loc[
                :, [name is not shape_name and name != shape_name for name in frame.columns.astype(object).map(str)]
            ]
        )
    elif kind == "dict":
        frame = {"a": 1}
    rows = [{name: column.meaning[row] for name, column in drawn.items()} for row in range(count)]
    return DrawnFrame(frame, rows, meant)


@st.composite
def _indexes(draw: Any, count: int, ids: st.SearchStrategy[Any] | None, tame: bool) -> tuple[Any, list[str | None]]:
    kind = draw(
        st.sampled_from(
            ["range", "range", "duplicates", "id"]
            if tame
            else ["range", "range", "duplicates", "days", "named", "id", "id", "id of floats"]
        )
    )
    new: list[str | None] = [None] * count
    if kind == "duplicates":
        return pd.Index([7] * count), new
    if kind == "days":
        return pd.date_range("2024-01-01", periods=count, name="day"), new
    if kind == "named":
        return pd.Index([f"r{row}" for row in range(count)], name="region"), new
    if kind == "id of floats":
        values = [math.nan if draw(st.booleans()) else float(row) for row in range(count)]
        return pd.Index(values, dtype="float64", name="id"), [
            None if math.isnan(value) else str(int(value)) for value in values
        ]
    if kind == "id":
        odd = st.sampled_from(
            [
                None,
                1,
                2,
                1.5,
                "1",
                "a",
                "a.1",
                "",
                " ",
                "a b",
                "a/b",
                "密",
                "\0",
                "\ud800",
                "x" * 300,
                math.nan,
                True,
                (1, 2),
                pd.Timestamp("2024-01-01"),
                "first.1",
                "first.2",
                "building.1",
                "first.999999999999999999999",
                "first.-1",
                "first.01",
                "?",
                "#",
                "%2F",
                "..",
                "a,b",
            ]
        )
        likely = st.sampled_from(["a", "b", "c", 4, "first.1", "building.1"]) if ids is None else ids
        values = draw(st.lists(likely if tame else likely | odd, unique=tame, min_size=count, max_size=count))  # fmt: skip
        index = pd.Index(_objects(values), dtype=object, name="id", tupleize_cols=False)
        return index, [_id_meant(value) for value in values]
    return pd.RangeIndex(count), new


def _id_meant(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return str(value)


def is_same(meant: Any, answered: Any) -> bool:
    """Return whether a town answers what was meant; `...` is a meaning nobody knows."""
    if meant is ...:
        return True
    absent = (
        answered is None
        or answered is pd.NA
        or answered is pd.NaT
        or (isinstance(answered, float) and math.isnan(answered))
    )
    if meant is None or absent:
        return meant is None and absent
    if isinstance(answered, pd.Timestamp):
        if isinstance(meant, pd.Timestamp):
            if answered.tzinfo is None:
                return abs((answered - meant.tz_convert(ZONE).tz_localize(None)).total_seconds()) < 86_400
            return abs((answered - meant).total_seconds()) < 0.0011
        return isinstance(meant, str) or answered.date() == meant
    if isinstance(answered, str) and not isinstance(meant, str):
        return True
    if isinstance(answered, bool | np.bool_) or isinstance(meant, bool):
        return bool(answered) == bool(meant)
    if isinstance(meant, str):
        return bool(meant == answered)
    return math.isclose(float(meant), float(answered), rel_tol=1e-9, abs_tol=2e-6)
