"""Rows of survey tables as one text frame: a column for each field, where each row stands, and what was
noticed of it.

A record of a survey is one row that is not empty; titles, headings and captions are decoration.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingest.draft import Draft
from ingest.number_text import Comma, comma_of, numbers_of_texts
from ingest.survey.heading import Heading
from ingest.survey.vocabulary import UNITS, PipeClass, Vocabulary, kind_of_number
from ingest.tables import TextTable, is_text_table
from twin_model.finding import Finding, Severity

__all__ = [
    "SurveyRows",
    "SurveyTable",
    "add_by_table",
    "first_place",
    "joined_keys",
    "natural_key",
    "numbers_of",
    "rows_of",
    "status_codes",
]

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
Texts = NDArray[Any]
_NUMBERS = ("x", "y", "depth", "elevation")
"""How names of fields end that hold numbers with decimals."""


@dataclass(frozen=True)
class SurveyTable:
    """A table whose heading is known, and the class its name says."""

    table: TextTable
    heading: Heading
    named_class: PipeClass

    @property
    def role(self) -> str:
        return self.heading.role


@dataclass
class SurveyRows:
    """Rows of one role: `frame` holds text by field ("" where absent), `table` and `row` say where each came
    from.

    A row merged of two has the second in the columns `also_table`, `also_row` (-1 for none).
    `keep` marks the rows still to be stored. `own` is False where the row's record is told by another frame
    (the point of a row that is also half a line): such a row is reported, not counted, when it cannot be
    used.
    """

    layer: str
    tables: Sequence[SurveyTable]
    frame: pd.DataFrame
    own: Mask
    draft: Draft
    points: Floats | None = None
    keep: Mask = field(init=False)
    _comma: Comma | None = None

    def __post_init__(self) -> None:
        self.keep = np.ones(len(self.frame), dtype=bool)

    def text(self, name: str) -> Texts:
        """Return a column of text; "" throughout where no table has it."""
        if name not in self.frame:
            return np.full(len(self.frame), "", dtype=object)
        return self.frame[name].to_numpy(dtype=object)

    @property
    def comma(self) -> Comma:
        """What a comma between digits means in these rows, as those of their numbers tell that can be read in one way."""
        if self._comma is None:
            names = [name for name in self.frame if str(name).endswith(_NUMBERS)]
            texts = {text for name in names for text in self.frame[name].unique() if isinstance(text, str)}
            self._comma = comma_of(texts)
        return self._comma

    def has(self, name: str) -> Mask:
        """Return which rows stand in a table that has a column for the field."""
        given = np.array([name in table.heading.columns for table in self.tables], dtype=bool)
        return given[self.frame["table"].to_numpy(dtype=int)] if len(self.frame) else np.zeros(0, dtype=bool)

    def place(self, row: int) -> str:
        """Return where a row stands: "WSLine row 17"."""
        return self._place(*self._delivered(row)[0])

    def _place(self, table: int, row: int) -> str:
        one = self.tables[table].table
        return f"{one.name} row {one.numbers[row]}"

    def places(self) -> list[str]:
        return [self._place(table, row) for table, row in zip(self.frame["table"], self.frame["row"], strict=True)]

    def records(self) -> NDArray[np.intp]:
        """Return how many records of the source each row stands for: none where told elsewhere, two where
        merged."""
        merged = (
            (self.frame["also_row"] >= 0).to_numpy()
            if "also_row" in self.frame
            else np.zeros(len(self.frame), dtype=bool)
        )
        return np.where(self.own, 1 + merged, 0)

    def _delivered(self, row: int) -> list[tuple[int, int]]:
        values = self.frame.iloc[row]
        first = (int(values["table"]), int(values["row"]))
        return (
            [first, (int(values["also_table"]), int(values["also_row"]))]
            if values.get("also_row", -1) >= 0
            else [first]
        )

    def _raw(self, table: int, row: int) -> dict[str, str]:
        """Return a row as it was delivered: heading -> text; columns without a heading by their number."""
        titles, cells = self.tables[table].heading.titles, self.tables[table].table.rows[row]
        named = [titles[n] if n < len(titles) and titles[n] else f"column {n + 1}" for n in range(len(cells))]
        return {name: cell for name, cell in zip(named, cells, strict=True) if cell}

    def sorted_by(self, *names: str) -> "SurveyRows":
        """Return the rows in an order that their content alone decides, by some columns first: it does not matter in
        which order an office wrote them."""
        others = sorted(str(name) for name in self.frame.columns if name not in ("table", "row", *names))
        columns = [self.text(name).astype(str).tolist() for name in (*names, *others)]
        leading, rest = columns[: len(names)], columns[len(names) :]
        keys = [
            (*map(natural_key, first), *more)
            for first, more in zip(zip(*leading, strict=True), zip(*rest, strict=True), strict=True)
        ]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        frame = self.frame.iloc[order].reset_index(drop=True)
        ordered = SurveyRows(self.layer, self.tables, frame, self.own[order], self.draft)
        ordered.keep = self.keep[order]
        return ordered

    def report(
        self,
        rule: str,
        rows: Mask | Iterable[int],
        severity: Severity = "warning",
        *,
        at: Floats | None = None,
        **values: Any,
    ) -> None:
        """Note one finding a row; `values` are arrays by row, functions of the row, or plain.

        `at` are the places (n, 2) of what is meant, where that is not the row's own: one end of a line.
        """
        for row in self._listed(rows):
            finding = self._finding(rule, row, severity, values)
            known = at is not None and bool(np.isfinite(at[row]).all())
            point = (float(at[row, 0]), float(at[row, 1])) if at is not None and known else finding.point
            self.draft.report(replace(finding, point=point))

    def set_aside(self, rule: str, rows: Mask | Iterable[int], **values: Any) -> None:
        """Quarantine rows that are still kept, each with every record it was made of."""
        for row in self._listed(rows):
            if not self.keep[row]:
                continue
            self.keep[row] = False
            finding = self._finding(rule, row, "error", values)
            if not self.own[row]:
                self.draft.report(finding)
                continue
            for table, number in self._delivered(row):
                self.draft.set_aside(replace(finding, place=self._place(table, number), raw=self._raw(table, number)))

    def _listed(self, rows: Mask | Iterable[int]) -> list[int]:
        listed = np.asarray(rows if isinstance(rows, np.ndarray) else list(rows))
        return [int(row) for row in (np.flatnonzero(listed) if listed.dtype == bool else listed)]

    def _finding(self, rule: str, row: int, severity: Severity, values: Mapping[str, Any]) -> Finding:
        known = self.points is not None and bool(np.isfinite(self.points[row]).all())
        point = (float(self.points[row, 0]), float(self.points[row, 1])) if known and self.points is not None else None
        shown = {name: _of_row(value, row) for name, value in values.items()}
        return Finding(rule, severity, layer=self.layer, place=self.place(row), point=point, values=shown)


def _of_row(value: Any, row: int) -> Any:
    """Return what a named value is for one row: an array's element, a function's answer, or the value
    itself."""
    shown = value(row) if callable(value) else value[row] if isinstance(value, np.ndarray) else value
    shown = shown.item() if isinstance(shown, np.generic) else shown
    return None if isinstance(shown, str) and not shown else round(shown, 3) if isinstance(shown, float) else shown


def rows_of(
    tables: Sequence[SurveyTable], layer: str, draft: Draft, vocabulary: Vocabulary, *, own: bool = True
) -> SurveyRows:
    """Return the rows below the headings of some tables as one frame; captions and repeated headings are
    decoration."""
    parts = []
    for number, survey_table in enumerate(tables):
        part = _text_frame(survey_table, number, vocabulary)
        decoration = _decoration(survey_table, part, vocabulary)
        if own:
            draft.decorate(int(decoration.sum()))
        parts.append(part[~decoration])
    frame = (
        pd.concat(parts, ignore_index=True).fillna("") if parts else pd.DataFrame({"table": [], "row": []}, dtype=int)
    )
    frame[["table", "row"]] = frame[["table", "row"]].astype(int)
    rows = SurveyRows(
        layer, tables, _with_class(frame, tables, vocabulary), np.full(len(frame), own, dtype=bool), draft
    )
    return _without_divided(rows)


def _without_divided(rows: SurveyRows) -> SurveyRows:
    """Return the rows without those that are set aside here: of a text table with more cells than its heading.

    A decimal comma, or a comma in a text, divided one of them.
    """
    if not len(rows.frame):
        return rows
    places = list(zip(rows.frame["table"].astype(int), rows.frame["row"].astype(int), strict=True))
    cells = [rows.tables[table].table.rows[row] for table, row in places]
    widths = [len(rows.tables[table].heading.titles) for table, _ in places]
    is_text = [is_text_table(rows.tables[table].table.file) for table, _ in places]
    divided = [text and any(row[width:]) for text, row, width in zip(is_text, cells, widths, strict=True)]
    rows.set_aside(
        "survey.cells_divided",
        np.array(divided, dtype=bool),
        cells=np.array([len(row) for row in cells]),
        columns=np.array(widths),
        row=lambda r: ",".join(cells[r])[:80],
    )
    if not any(divided):
        return rows
    left = ~np.array(divided, dtype=bool)
    return SurveyRows(rows.layer, rows.tables, rows.frame[left].reset_index(drop=True), rows.own[left], rows.draft)


def _text_frame(survey_table: SurveyTable, number: int, vocabulary: Vocabulary) -> pd.DataFrame:
    """Return the rows of a table as text by field; numbers that are not in our unit have theirs behind them."""
    first = survey_table.heading.rows
    below = survey_table.table.rows[first:]
    columns: dict[str, Any] = {
        name: [row[column] if column < len(row) else "" for row in below]
        for name, column in survey_table.heading.columns.items()
    }
    for name in columns:
        unit = vocabulary.written_in(name, survey_table.heading.units.get(name, ""))
        if unit != UNITS.get(kind_of_number(name), unit):
            columns[name] = [f"{cell}{unit}" if cell[-1:].isdigit() else cell for cell in columns[name]]
    frame = pd.DataFrame(columns, dtype=object)
    return frame.assign(table=number, row=np.arange(first, first + len(below)))


def _decoration(table: SurveyTable, frame: pd.DataFrame, vocabulary: Vocabulary) -> Mask:
    """Return which rows are captions ("制表：") or the heading once more, as at the top of each printed
    page."""
    heading = {tuple(row) for row in table.table.rows[: table.heading.rows]}
    begins = tuple(vocabulary.rules["captions"]["begins"])
    needed = [name for name in ("x", "y", "end_no", "connected_no") if name in frame]
    decoration = np.zeros(len(frame), dtype=bool)
    blank = (frame[needed] == "").all(axis=1).to_numpy()
    for n, row in enumerate(frame["row"].tolist()):
        cells = table.table.rows[row]
        decoration[n] = tuple(cells) in heading or (blank[n] and next((c for c in cells if c), "").startswith(begins))
    return decoration


def _with_class(frame: pd.DataFrame, tables: Sequence[SurveyTable], vocabulary: Vocabulary) -> pd.DataFrame:
    """Add `major`, `sub`, `scope`: the class column's word, narrowed by the table's name and the element
    code."""
    words = frame["class"].tolist() if "class" in frame else [""] * len(frame)
    codes = [code[:4] for code in frame["feature_code"]] if "feature_code" in frame else [""] * len(frame)
    triples = list(zip(frame["table"].tolist(), words, codes, strict=True))
    meant = {
        key: _narrowest(vocabulary.pipe_class(key[1]), tables[key[0]].named_class, _by_code(key[2], vocabulary))
        for key in set(triples)
    }
    major = np.array([meant[key].major for key in triples], dtype=object)
    sub = np.array([meant[key].sub for key in triples], dtype=object)
    return frame.assign(major=major, sub=sub, scope=np.where(sub != "", sub, major).astype(object))


def _by_code(code: str, vocabulary: Vocabulary) -> PipeClass:
    """Return the class in an element code of eight digits (5 + class + sub-class ...); other codes say
    nothing."""
    return vocabulary.pipe_class(code) if code.isdigit() and code.startswith("5") else PipeClass()


def _narrowest(*classes: PipeClass) -> PipeClass:
    """Return the first class said, with the sub-class of a later one that does not contradict it."""
    known = [each for each in classes if each.major]
    if not known:
        return PipeClass()
    major = known[0].major
    return PipeClass(major, next((each.sub for each in known if each.sub and each.major == major), ""))


def numbers_of(rows: SurveyRows, name: str, *, quiet: bool = False) -> Floats:
    """Return a column as numbers in the unit of its field, NaN where empty; a text that is no finite number is reported
    once and counts as empty; `quiet` asks again without a report.

    What a comma means in `1,250` is told by all numbers of the rows, which one office wrote.
    """
    texts = rows.text(name)
    numbers, wrong = numbers_of_texts(texts, unit=UNITS.get(kind_of_number(name), ""), comma=rows.comma)
    if quiet:
        return numbers
    rows.report("survey.number_unreadable", wrong & rows.keep, field=name, value=lambda r: str(texts[r])[:60])
    return numbers


def status_codes(rows: SurveyRows, vocabulary: Vocabulary) -> Texts:
    """Return the status as "0".."3", None where empty; a word nobody knows is reported and left out."""
    status = rows.text("status")
    codes = np.array([vocabulary.word("status", text) if text else None for text in status], dtype=object)
    unknown = np.array([code is None for code in codes], dtype=bool) & (status != "") & rows.keep
    rows.report(
        "survey.status_unknown",
        unknown,
        word=status,
        expected=list(vocabulary.rules["status"])[:12],
    )
    return codes


_DIGITS = re.compile(r"(\d+)")


def natural_key(text: str) -> tuple[Any, ...]:
    """Return what sorts texts as people do: J2 before J10.

    >>> sorted(["J10", "J2"], key=natural_key)
    ['J2', 'J10']
    """
    return tuple(int(part) if n % 2 else part for n, part in enumerate(_DIGITS.split(text)))


def add_by_table(rows: SurveyRows, layer: str, frame: gpd.GeoDataFrame, chosen: NDArray[np.intp]) -> None:
    """Store rows, of which `frame` are those `chosen`, a table at a time: a column that is empty throughout a table is not
    there, whatever other tables of the survey have."""
    table = rows.frame["table"].to_numpy(dtype=int)[chosen]
    records = rows.records()[chosen]
    for number in dict.fromkeys(table.tolist()):
        part = frame.iloc[np.flatnonzero(table == number)]
        empty = [name for name in part.columns if name != "geometry" and (part[name].isna() | (part[name] == "")).all()]
        rows.draft.add(layer, part.drop(columns=empty), records=int(records[table == number].sum()))


def joined_keys(parts: Sequence[Texts]) -> Texts:
    """Return one key a row out of several columns of text."""
    return np.array(["\x1f".join(key) for key in zip(*(part.tolist() for part in parts), strict=True)], dtype=object)


def first_place(rows: SurveyRows, keys: "pd.Series[Any]", row: int) -> str:
    """Return where the first row of the same key stands."""
    return rows.place(int(np.flatnonzero((keys == keys.iloc[row]).to_numpy())[0]))
