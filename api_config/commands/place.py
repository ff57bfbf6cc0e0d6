"""`twin place`: models without a place of their own, listed, put into the town and taken out of it."""

import csv
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.localized import verb
from api_config.commands.read_limits import read_limits, read_scope
from api_config.settings import user_name
from ingest.model_place import ensure_in_town
from ingest.place import place_of
from ingest.reading import look_apart
from twin_model.desk.model_places import Placed
from twin_model.errors import CalledWrongly

__all__ = ["place_command"]

Numbers = tuple[float, ...]
_LOCAL, _PLANE, _SPACE = 3, 2, 3


def place_command(lang: str) -> click.Command:
    @verb("place", lang)
    @click.argument("model", required=False)
    @click.option("--at", metavar="E,N[,H]", help=help_text("place_at", lang))
    @click.option("--rotate", type=float, metavar="DEG", help=help_text("place_rotate", lang))
    @click.option("--crs", metavar="EPSG:n", help=help_text("place_crs", lang))
    @click.option("--control", type=click.Path(path_type=Path), metavar="FILE", help=help_text("place_control", lang))
    @click.option("--point", "points", multiple=True, metavar="X,Y[,Z]=E,N[,H]", help=help_text("place_point", lang))
    @click.option("--footprint", metavar="ID|FILE", help=help_text("place_footprint", lang))
    @click.option("--height", type=float, metavar="H", help=help_text("place_height", lang))
    @click.option("--anywhere", is_flag=True, help=help_text("place_anywhere", lang))
    @click.option("--remove", is_flag=True, help=help_text("place_remove", lang))
    @click.option("--list", "as_list", is_flag=True, help=help_text("place_list", lang))
    @click.option("--reason", default="", help=help_text("ingest_reason", lang))
    @click.option("--dry-run", is_flag=True, help=help_text("place_dry", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def place(
        context: CommandContext,
        model: str | None,
        at: str | None,
        control: Path | None,
        points: tuple[str, ...],
        footprint: str | None,
        crs: str | None,
        anywhere: bool,
        as_list: bool,
        reason: str,
        as_json: bool,
        **options: Any,
    ) -> None:
        if as_list or model is None:
            _list(context, as_json=as_json)
            return
        position = None if at is None else _numbers(at, (_PLANE, _SPACE))
        limits = read_limits(context.settings)
        pairs = [_pair(text) for text in points]
        if control is not None:
            pairs += look_apart(limits, control.name, _control_points, control)
        if not anywhere:
            places = [target for _, target in pairs] if position is None else [position]
            ensure_in_town(places, crs, place_of(context.town.store))
        placed = context.town.place_model(
            model,
            at=position,
            points=pairs,
            footprint=None if footprint is None else _footprint(context, footprint, crs),
            crs=crs,
            reason=reason or context.say("cli.placed_reason"),
            author=user_name(context.settings),
            **options,
        )
        if as_json:
            context.json(_record(placed))
            return
        _print(context, placed, control_points=bool(points or control))

    return place


def _numbers(text: str, counts: tuple[int, ...]) -> Numbers:
    """Return numbers separated by commas; `CalledWrongly` for anything else."""
    try:
        numbers = tuple(float(part) for part in text.replace("，", ",").split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in counts:
        raise CalledWrongly("place.numbers", value=text)
    return numbers


def _pair(text: str) -> tuple[Numbers, Numbers]:
    local, _, target = text.partition("=")
    return _numbers(local, (_PLANE, _SPACE)), _numbers(target, (_PLANE, _SPACE))


def _control_points(path: Path) -> list[tuple[Numbers, Numbers]]:
    """Return the pairs of a table of control points: x, y, E, N or x, y, z, E, N, H a row; a heading may stand first."""
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise CalledWrongly("place.control_file", path=path.name, row="-") from error
    pairs = []
    for at, row in enumerate(row for row in rows if any(cell.strip() for cell in row)):
        try:
            numbers = tuple(float(cell) for cell in row)
        except ValueError as error:
            if at == 0:
                continue
            raise CalledWrongly("place.control_file", path=path.name, row=",".join(row)) from error
        if len(numbers) not in (2 * _PLANE, 2 * _SPACE):
            raise CalledWrongly("place.control_file", path=path.name, row=",".join(row))
        half = len(numbers) // 2
        pairs.append((numbers[:half], numbers[half:]))
    return pairs


def _footprint(context: CommandContext, footprint: str, crs: str | None) -> Any:
    """Return the polygon of a file, or the id of a feature as it is."""
    if not Path(footprint).is_file():
        return footprint
    _, area = read_scope(footprint, read_limits(context.settings), storage_crs=context.town.store.crs, crs=crs)
    return area


def _list(context: CommandContext, *, as_json: bool) -> None:
    models = context.town.models()
    if as_json:
        context.json(models.reset_index().to_dict("records"))
        return
    if models.empty:
        context.tell("place.no_models")
        return
    field = context.town.store.catalogue["bim_model"].field_of("placement")
    codes = field.codes if field is not None else {}
    table = Table(*(context.say(f"place.column_{name}") for name in ("name", "key", "placement", "storeys", "elements")), box=SIMPLE_HEAD)  # fmt: skip
    for row in models.to_dict("records"):
        placement = str(row["placement"] or "none")
        shown = codes[placement](context.lang) if placement in codes else placement
        table.add_row(*(escape(str(value)) for value in (row["name"] or "-", row["model_key"], shown, row["storeys"], row["elements"])))  # fmt: skip
    context.out.print(table)


def _print(context: CommandContext, placed: Placed, *, control_points: bool) -> None:
    context.out.print(repr(placed) if placed.lang == context.lang else _sentence(placed, context.lang), markup=False, highlight=False, soft_wrap=True)  # fmt: skip
    if control_points:
        residuals = [f"{each:.3f}" for each in placed.residuals]
        context.tell("place.residuals", residuals=residuals, scale=f"{placed.scale:.6f}")
    for candidate in placed.candidates if placed.version is None else placed.candidates[:1]:
        east, north, height = (f"{value:.3f}" for value in candidate.matrix[:3, 3])
        values = {"east": east, "north": north, "height": height}
        context.tell(
            "place.candidate", rotate=f"{candidate.rotation:.2f}", overlap=f"{candidate.overlap:.3f}", **values
        )
    for remark in placed.remarks:
        context.out.print(remark, markup=False, highlight=False, soft_wrap=True)


def _sentence(placed: Placed, lang: str) -> str:
    return repr(Placed(**{**placed.__dict__, "lang": lang}))


def _record(placed: Placed) -> dict[str, Any]:
    return {
        "model": placed.model, "name": placed.name, "version": placed.version, "place": placed.place,
        "rotate": None if placed.matrix is None else placed.rotation, "residuals": list(placed.residuals), "scale": placed.scale,
        "candidates": [{"rotate": each.rotation, "overlap": each.overlap, "place": each.matrix[:3, 3].tolist()} for each in placed.candidates],
        "remarks": list(placed.remarks),
    }  # fmt: skip
