"""`twin georeference`: a local grid fitted to control points, kept in the town's `private/` folder."""

from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.table import Table

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.localized import verb
from api_config.commands.read_limits import read_limits
from ingest.control_points import AXES, ensure_good, ensure_in_town, read_control
from ingest.place import place_of
from ingest.reading import look_apart
from twin_model.crs import crs_code
from twin_model.errors import CalledWrongly
from twin_model.local_grid import MODELS, Control, GridFit, Model, fit_grid, write_grid

__all__ = ["georeference_command"]

_LIMIT = 0.2
"""Metres by which no control point may miss; at 1:500 a map is drawn to 0.1 mm, which is 0.05 m."""


def georeference_command(lang: str) -> click.Command:
    @verb("georeference", lang)
    @click.option("--control", required=True, metavar="FILE", type=click.Path(path_type=Path), help=help_text("georeference_control", lang))  # fmt: skip
    @click.option("--name", required=True, metavar="NAME", help=help_text("georeference_name", lang))
    @click.option(
        "--model", type=click.Choice(MODELS), default="similarity", help=help_text("georeference_model", lang)
    )
    @click.option("--axes", type=click.Choice(AXES), help=help_text("georeference_axes", lang))
    @click.option("--source-axes", type=click.Choice(AXES), help=help_text("georeference_source_axes", lang))
    @click.option("--crs", metavar="EPSG:n", help=help_text("georeference_crs", lang))
    @click.option("--source-crs", metavar="EPSG:n", help=help_text("georeference_source_crs", lang))
    @click.option("--without", default="", metavar="P1,P2", help=help_text("georeference_without", lang))
    @click.option("--limit", type=float, default=_LIMIT, metavar="M", help=help_text("georeference_limit", lang))
    @click.option("--dry-run", is_flag=True, help=help_text("georeference_dry", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def georeference(
        context: CommandContext,
        control: Path,
        name: str,
        model: Model,
        axes: str | None,
        source_axes: str | None,
        crs: str | None,
        source_crs: str | None,
        without: str,
        limit: float,
        dry_run: bool,
        as_json: bool,
    ) -> None:
        target_crs = crs_code(crs) if crs else context.town.store.crs
        points = _points(context, control, axes, source_axes, without)
        ensure_in_town(points, target_crs, place_of(context.town.store), control.name)
        fit = fit_grid(points, model, name, target_crs=target_crs, source_crs=_of_model(model, source_crs, points))
        _tell(context, fit, points, as_json=as_json)
        ensure_good(fit, points, model, limit=limit)
        if not dry_run:
            write_grid(context.town.path / "private", fit)
        if not as_json:
            context.tell("cli.georeference_dry" if dry_run else "cli.georeferenced", name=name)

    return georeference


def _points(context: CommandContext, path: Path, axes: str | None, source_axes: str | None, without: str) -> Control:
    """Return the control points that are to be used."""
    limits = read_limits(context.settings)
    points = look_apart(limits, path.name, read_control, path, axes=axes, source_axes=source_axes)
    left_out = tuple(filter(None, (number.strip() for number in without.replace("，", ",").split(","))))
    unknown = sorted(set(left_out) - set(points.numbers))
    if unknown:
        raise CalledWrongly("georeference.without_unknown", numbers=unknown, known=list(points.numbers))
    return points.without(left_out)


def _of_model(model: Model, source_crs: str | None, points: Control) -> str:
    """Return the CRS of the source, which only the seven parameters need: they work between two known datums, with heights."""
    if model != "bursa":
        return ""
    if source_crs is None:
        raise CalledWrongly("georeference.no_source_crs")
    if not (points.source[:, 2] == points.source[:, 2]).all() or not (points.target[:, 2] == points.target[:, 2]).all():
        raise CalledWrongly("georeference.no_heights")
    return crs_code(source_crs)


def _tell(context: CommandContext, fit: GridFit, points: Control, *, as_json: bool) -> None:
    """Print residuals, their mean and outliers; never the parameters."""
    rows: list[dict[str, Any]] = [
        {
            "point": number,
            "east": round(float(east), 4),
            "north": round(float(north), 4),
            "length": round(float(length), 4),
            "outlier": number in fit.outliers,
        }
        for number, (east, north), length in zip(points.numbers, fit.residuals, fit.lengths, strict=True)
    ]
    if as_json:
        context.json({"name": fit.grid.name, "model": fit.grid.model, "crs": fit.grid.target_crs, "rmse": round(fit.rmse, 4), "points": rows})  # fmt: skip
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("point", "east", "north", "length"):
        heading = context.say(f"cli.georeference_{column}")
        table.add_column(heading, justify="left" if column == "point" else "right")
    table.add_column("")
    for row in rows:
        numbers = [
            f"{row[name]:+.3f}" if name != "length" else f"{row[name]:.3f}" for name in ("east", "north", "length")
        ]
        table.add_row(row["point"], *numbers, context.say("cli.georeference_is_outlier") if row["outlier"] else "")
    context.out.print(table, highlight=False)
    context.tell("cli.georeference_rmse", rmse=f"{fit.rmse:.3f}", count=len(rows))
