"""Pipeline surveys as CJJ 61-2017 offices deliver them: tables of points and lines become `pipe_point` and
`pipe_line`.

Read are a workbook, a folder of tables, or a CSV with its partner beside it; one table a class (WSPoint,
WSLine), a class column instead, or the one sheet (成果表) that lists every line twice. The tables' X is
north, Y is east. Neighbours: `heading` (columns), `points`, `lines`, `halves`, `heights`;
tables are opened in `ingest/tables.py`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ingest.draft import Draft, ReadOptions
from ingest.margin_text import margin_of
from ingest.source_crs import source_crs
from ingest.survey.altered_numbers import numbers_as_typed
from ingest.survey.files import class_of_name, named_for_pipes, survey_files
from ingest.survey.halves import filled_down, lines_of_halves, points_of_sheet
from ingest.survey.heading import Heading, find_heading
from ingest.survey.lines import read_lines
from ingest.survey.points import PointPlaces, places_of, read_points
from ingest.survey.rows import SurveyTable, rows_of
from ingest.survey.vocabulary import Vocabulary, read_vocabulary
from ingest.tables import TextTable, read_tables
from twin_model.errors import QueryRefused, SourceRefused
from twin_model.finding import Finding
from twin_model.temporal import Instant, now, parse_instant

__all__ = ["files_of_survey", "read_survey", "recognises_survey"]

_RECOGNISED_ROWS = 25

_SHEET_ORDER = ("project", "scope", "survey_no", "connected_no")
"""What rows are sorted by that tell lines from their ends: the halves of a line lie anywhere in a sheet."""


def recognises_survey(path: Path) -> bool:
    """Say whether a file, or any table of a folder, has the headings of a pipeline survey; reads only first
    rows."""
    vocabulary = read_vocabulary(ReadOptions())
    try:
        files = survey_files(path, vocabulary) if path.is_dir() else (path,)
        return any(_speaks_of_pipes(table, vocabulary) for file in files for table in _first_rows(file))
    except SourceRefused:
        return False


def _first_rows(path: Path) -> list[TextTable]:
    try:
        return read_tables(path, limit=_RECOGNISED_ROWS)
    except SourceRefused:
        return []


def _speaks_of_pipes(table: TextTable, vocabulary: Vocabulary) -> bool:
    try:
        heading = find_heading(table, vocabulary)
    except SourceRefused:
        return bool(class_of_name(table.name, vocabulary).major)
    return heading is not None and (heading.speaks_of_pipes or bool(class_of_name(table.name, vocabulary).major))


def files_of_survey(path: Path) -> tuple[Path, ...]:
    """Return the files that `read_survey(path)` reads as one source: the tables of a folder, or a table and
    its partner."""
    return survey_files(path, read_vocabulary(ReadOptions()))


def read_survey(path: Path, draft: Draft, options: ReadOptions) -> None:
    """Read a survey into the draft: points at the ground, lines at the pipe's axis, findings for what is odd.

    A record is one row that is not empty, of any table or sheet; titles, headings and captions are
    decoration, a line told by two rows is one feature of two records. Crown and invert are nominal (no wall
    thickness); a depth that cannot be gives no height. Needs a CRS from `options.crs` or the mapping:
    `SourceRefused` without, as for a damaged file, missing columns, or coordinates of which most are in
    another zone or order than said.
    """
    vocabulary = read_vocabulary(options)
    tables = _tables(path, draft, options, vocabulary)
    as_typed = numbers_as_typed(tables, draft)
    tables = as_typed.tables
    by_role = {role: [table for table in tables if table.role == role] for role in ("point", "line", "half", "sheet")}
    rows = rows_of(by_role["point"], "pipe_point", draft, vocabulary)
    margin = margin_of(_titles(tables))
    crs = source_crs(draft, options, lambda: places_of(rows, vocabulary), margin=margin)
    points = replace(read_points(rows, crs, vocabulary), lost=as_typed.lost)
    sheets = _read_sheets(by_role["sheet"], points, crs, draft, vocabulary)
    _ensure_points(sheets, by_role["line"] + by_role["half"], draft)
    halves = rows_of(by_role["half"], "pipe_line", draft, vocabulary)
    if len(halves.frame):
        number, connected = halves.text("survey_no"), halves.text("connected_no")
        halves.set_aside("survey.line_unended", connected == "", start=number, end=None)
        read_lines(lines_of_halves(filled_down(halves).sorted_by(*_SHEET_ORDER)), sheets, crs, vocabulary)
    read_lines(rows_of(by_role["line"], "pipe_line", draft, vocabulary), sheets, crs, vocabulary)
    draft.surveyed = _latest(tables)


def _titles(tables: Sequence[SurveyTable]) -> Iterator[str]:
    """Yield the cells above and among the headings, where offices write the system of the coordinates."""
    for survey_table in tables:
        for row in survey_table.table.rows[: survey_table.heading.rows]:
            yield from filter(None, row)


def _read_sheets(
    tables: list[SurveyTable], points: PointPlaces, crs: str, draft: Draft, vocabulary: Vocabulary
) -> PointPlaces:
    """Read the one-sheet tables; return their points with those read before."""
    rows = rows_of(tables, "pipe_line", draft, vocabulary)
    if not len(rows.frame):
        return points
    rows = filled_down(rows).sorted_by(*_SHEET_ORDER)
    joint = points.joined(read_points(points_of_sheet(rows), crs, vocabulary))
    read_lines(lines_of_halves(rows), joint, crs, vocabulary)
    return joint


def _ensure_points(points: PointPlaces, lines: list[SurveyTable], draft: Draft) -> None:
    """Refuse line tables without a single point: each line would dangle."""
    if lines and not len(points.number) and not points.unusable:
        raise SourceRefused("survey.points_missing", source=draft.source.name, table=lines[0].table.name)


def _tables(path: Path, draft: Draft, options: ReadOptions, vocabulary: Vocabulary) -> list[SurveyTable]:
    """Return the tables that are points or lines; their titles and headings, and other sheets, count as
    decoration."""
    surveyed: list[SurveyTable] = []
    others: list[TextTable] = []
    tables = [
        table for file in survey_files(path, vocabulary) for table in read_tables(file, encoding=options.text_encoding)
    ]
    for table in tables:
        heading = _heading_of(table, vocabulary, alone=len(tables) == 1)
        if heading is None:
            others.append(table)
            continue
        named = class_of_name(table.name, vocabulary)
        named = named if named.major else class_of_name(Path(table.file).stem, vocabulary)
        surveyed.append(SurveyTable(table, heading, named))
    lists = [table for table in surveyed if not table.heading.speaks_of_pipes and not table.named_class.major]
    if len(lists) < len(surveyed):
        surveyed = [table for table in surveyed if table not in lists]
        others += [table.table for table in lists]
    _ensure_rows(surveyed, others, draft)
    _report_ignored(others, draft)
    draft.decorate(sum(survey_table.heading.rows for survey_table in surveyed))
    for survey_table in surveyed:
        _report_lost_digits(survey_table, draft)
    return surveyed


def _report_ignored(tables: Sequence[TextTable], draft: Draft) -> None:
    for table in tables:
        if table.rows:
            values = {"source": table.file, "table": table.name, "rows": len(table.rows)}
            draft.decorate(len(table.rows))
            draft.report(Finding("survey.table_ignored", "info", place=table.name, values=values))


def _report_lost_digits(survey_table: SurveyTable, draft: Draft) -> None:
    """Say once for a table which of its numbers had more digits than a spreadsheet keeps."""
    columns = set(survey_table.heading.columns.values())
    rounded = [
        (row, cell)
        for (row, column), cell in survey_table.table.altered.items()
        if cell.kind == "rounded" and column in columns and row >= survey_table.heading.rows
    ]
    if rounded:
        row, cell = rounded[0]
        place = f"{survey_table.table.name} row {survey_table.table.numbers[row]}"
        values = {"table": survey_table.table.name, "count": len(rounded), "value": cell.shown}
        draft.report(Finding("survey.digits_lost", "warning", place=place, values=values))


def _heading_of(table: TextTable, vocabulary: Vocabulary, *, alone: bool) -> Heading | None:
    """Return a table's heading, None for one of something else; a survey's own table that lacks columns is
    refused."""
    try:
        return find_heading(table, vocabulary)
    except SourceRefused:
        if alone or named_for_pipes(table.name, vocabulary) or named_for_pipes(Path(table.file).stem, vocabulary):
            raise
        return None


def _ensure_rows(surveyed: Sequence[SurveyTable], others: Sequence[TextTable], draft: Draft) -> None:
    """Refuse a source without a heading, or with headings over nothing."""
    source = draft.source.name
    if not surveyed and not any(table.rows for table in others):
        raise SourceRefused("survey.no_rows", source=source, tables=[table.name for table in others])
    if not surveyed:
        first = next(table for table in others if table.rows)
        raise SourceRefused(
            "survey.no_heading",
            source=source,
            table=first.name,
            found=[cell for cell in first.rows[0] if cell][:12],
        )
    if all(len(table.table.rows) <= table.heading.rows for table in surveyed):
        raise SourceRefused("survey.no_rows", source=source, tables=[table.table.name for table in surveyed])


def _latest(tables: Sequence[SurveyTable]) -> Instant | None:
    """Return the latest survey date that stands in the tables and is not still to come, None where there is
    none."""
    instants: list[Instant] = []
    for table in tables:
        column = table.heading.columns.get("surveyed")
        below = table.table.rows[table.heading.rows :] if column is not None else []
        for text in {row[column] for row in below if column is not None and column < len(row) and row[column]}:
            try:
                instants.append(parse_instant(text.replace("/", "-"))[0])
            except QueryRefused:
                continue
    return max((instant for instant in instants if instant <= now()), default=None)
