"""Reads pipeline survey tables of CJJ 61: points and lines of each class, or one sheet with every line from both ends.

Not here: how tables are opened (`ingest/tables.py`); hydraulic models are `ingest/epanet.py`.

    files = files_of_survey(Path("WSPOINT.csv"))        # the tables that belong to one survey
    read_survey(files[0], draft, ReadOptions(crs="EPSG:4548"))
"""

from pathlib import Path

from ingest.reader import Reader, ReaderFunctions

__all__ = ["READER", "files", "heading", "lines", "points", "reader"]


def _files(path: Path) -> tuple[Path, ...]:
    from ingest.survey.reader import files_of_survey

    return files_of_survey(path)


def _functions() -> ReaderFunctions:
    from ingest.survey.outline import survey_outline
    from ingest.survey.reader import read_survey, recognises_survey

    return ReaderFunctions(recognises_survey, read_survey, survey_outline)


READER = Reader(
    "survey",
    topic="survey",
    suffixes=(".csv", ".xlsx"),
    files=_files,
    load=_functions,
    version=1,
    tables=("survey.toml", "survey_aliases.toml", "survey_classes.csv"),
)
