"""The outline of a survey: its tables with their headings, what is understood of them, and some values."""

from pathlib import Path

from ingest.draft import ReadOptions
from ingest.outline import SAMPLED_ROWS, ColumnOutline, LayerOutline, shown_values
from ingest.survey.files import kind_of_name, survey_files
from ingest.survey.heading import Heading, find_heading, likely_heading
from ingest.survey.vocabulary import Vocabulary, read_vocabulary
from ingest.tables import TextTable, read_tables
from twin_model.catalogue.layer_from_source import SourceColumn
from twin_model.errors import SourceRefused

__all__ = ["survey_outline"]


def survey_outline(path: Path, options: ReadOptions) -> list[LayerOutline]:
    """Return the tables that have a heading over rows; `SourceRefused` where a file is no table."""
    vocabulary = read_vocabulary(options)
    files = survey_files(path, vocabulary)
    tables = [table for file in files for table in read_tables(file, encoding=options.text_encoding)]
    outlines = [_outline(table, vocabulary) for table in tables]
    return [outline for outline in outlines if outline is not None]


def _outline(table: TextTable, vocabulary: Vocabulary) -> LayerOutline | None:
    heading = _heading_of(table, vocabulary)
    if heading is None:
        return None
    below = table.rows[heading.rows :]
    columns = tuple(
        ColumnOutline(SourceColumn(title, "string"), shown_values(_column(below[:SAMPLED_ROWS], number)))
        for number, title in enumerate(heading.titles)
        if title
    )
    understood = {heading.titles[number]: name for name, number in heading.columns.items()}
    return LayerOutline(table.name, {"": len(below)}, columns=columns, survey_role=heading.role, understood=understood)


def _heading_of(table: TextTable, vocabulary: Vocabulary) -> Heading | None:
    try:
        heading = find_heading(table, vocabulary)
    except SourceRefused:
        heading = None
    return heading or likely_heading(table, vocabulary, kind_of_name(table.name, vocabulary))


def _column(rows: list[list[str]], number: int) -> list[str | None]:
    return [row[number] or None if number < len(row) else None for row in rows]
