"""Which files of a survey belong together, and what the name of a table says of its class.

A survey is a workbook, a folder of tables, or a point or line table with its partner beside it (WSPoint.csv,
WSLine.csv).
"""

import re
from pathlib import Path

from ingest.survey.vocabulary import PipeClass, Vocabulary
from ingest.tables import is_table_file
from twin_model.errors import SourceRefused

__all__ = ["class_of_name", "kind_of_name", "named_for_pipes", "survey_files"]

_TEXT_SUFFIXES = {".csv", ".txt", ".tsv"}
_SEPARATORS = re.compile(r"[\s_\-.()（）]+")


def survey_files(path: Path, vocabulary: Vocabulary) -> tuple[Path, ...]:
    """Return the files that make up the survey at `path`, sorted by name: read together, they are one source.

    A folder gives every table in it; a CSV gives itself and the partner of the same name, class and other
    kind.
    """
    if path.is_dir():
        files = tuple(sorted(file for file in path.iterdir() if file.is_file() and is_table_file(file)))
        if not files:
            raise SourceRefused(
                "survey.empty_folder", source=path.name, found=sorted(file.name for file in path.iterdir())[:5]
            )
        return files
    if path.suffix.lower() not in _TEXT_SUFFIXES or not path.is_file():
        return (path,)
    stem, kind = _split_name(path.stem, vocabulary)
    wanted = {"point": "line", "line": "point"}.get(kind)
    partners = [
        file
        for file in path.parent.iterdir()
        if wanted
        and file.suffix.lower() in _TEXT_SUFFIXES
        and is_table_file(file)
        and _split_name(file.stem, vocabulary) == (stem, wanted)
    ]
    return tuple(sorted((path, *partners)))


def class_of_name(name: str, vocabulary: Vocabulary) -> PipeClass:
    """Return the class that the name of a sheet or file begins or ends with ("WSPoint", "2024_雨水管线点");
    else empty.

    Only whole parts of a name count, so that "Test_points" is no class at all.
    """
    stem, _ = _split_name(name, vocabulary)
    parts = [part for part in _SEPARATORS.split(stem) if part]
    for part in (*reversed(parts), "".join(parts)):
        named = vocabulary.pipe_class(part)
        if named.major:
            return named
    return PipeClass()


def named_for_pipes(name: str, vocabulary: Vocabulary) -> bool:
    """Say whether a name says class, point or line."""
    return bool(_split_name(name, vocabulary)[1] or class_of_name(name, vocabulary).major)


def kind_of_name(name: str, vocabulary: Vocabulary) -> str:
    """Return what the name of a table says that it holds, "point" or "line", "" where it says neither."""
    return _split_name(name, vocabulary)[1]


def _split_name(name: str, vocabulary: Vocabulary) -> tuple[str, str]:
    """Return a table's name without the word that says point or line, and which of the two it said ("" for
    none).

    >>> from ingest.draft import ReadOptions
    >>> from ingest.survey.vocabulary import read_vocabulary
    >>> _split_name("WSPoint", read_vocabulary(ReadOptions()))
    ('ws', 'point')
    """
    lowered = name.lower().strip().removesuffix("成果表").removesuffix("表")
    words = [(word, kind) for kind in ("point", "line") for word in vocabulary.rules["names"][kind]]
    for word, kind in sorted(words, key=lambda pair: -len(pair[0])):
        stem = lowered.removesuffix(word)
        if stem != lowered and (len(word) > 1 or not word.isascii() or _is_class(stem, vocabulary)):
            return stem.rstrip("_- "), kind
    return lowered, ""


def _is_class(stem: str, vocabulary: Vocabulary) -> bool:
    """Whether what stands before a bare "p" or "l" ends in a class; else the letter is part of a word."""
    return bool(vocabulary.pipe_class(_SEPARATORS.split(stem.rstrip("_- "))[-1]).major)
