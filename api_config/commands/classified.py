"""What a command writes out of a town that is classed (密级): its file's name says so, and some needs a person's word."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from api_config.commands.context import help_text
from twin_model.classification import Marking
from twin_model.errors import CalledWrongly

__all__ = ["classified_option", "ensure_findings_may_leave", "ensure_may_leave", "marked_path"]


def classified_option(lang: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option by which a person says that what is classed above 内部 may leave."""
    return click.option("--classified-ok", "classified_ok", is_flag=True, help=help_text("export_classified_ok", lang))


def ensure_may_leave(layer: str, marking: Marking, classified_ok: bool) -> None:
    """Refuse features of a layer classed above 内部 unless somebody has said that they may leave."""
    if marking.is_restricted and not classified_ok:
        values = _values(layer, marking)
        raise CalledWrongly("download.classified_export", **values)


def ensure_findings_may_leave(layer: str, marking: Marking, classified_ok: bool) -> None:
    """Refuse findings about what is classed above 内部 unless somebody has said that they may leave."""
    if marking.is_restricted and not classified_ok:
        values = _values(layer, marking)
        raise CalledWrongly("download.classified_findings", **values)


def _values(layer: str, marking: Marking) -> dict[str, str]:
    return {"layer": layer, "classification": marking.class_in("en")}


def marked_path(file: Path, marking: Marking) -> Path:
    """Return the path of a file, or folder, whose name says how it is classed: out/building_内部.gpkg."""
    word = marking.classification
    return file if not word or word in file.stem else file.with_name(f"{file.stem}_{word}{file.suffix}")
