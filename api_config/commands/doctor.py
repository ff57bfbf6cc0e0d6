"""`twin doctor`: what the machine lacks, and what older versions of the program left wrong in the town.

What is looked at on the machine stands in `api_config/environment.py`, in the town in `twin_model/doctor`.
"""

from collections import Counter
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.localized import verb
from api_config.environment import Check, State, check_environment
from api_config.settings import user_name
from twin_model.doctor import LayerTreatment, Treatment, apply_treatment, treatment_of
from twin_model.errors import CalledWrongly
from twin_model.layer import ATTRIBUTES, Layer

__all__ = ["doctor_command"]

_STYLES: dict[State, str] = {"good": "default", "warning": "yellow", "error": "red"}
_EXAMPLES = 3
_EXAMPLES_IN_JSON = 100


def doctor_command(lang: str) -> click.Command:
    @verb("doctor", lang)
    @click.option("--environment", "is_machine_only", is_flag=True, help=help_text("doctor_environment", lang))
    @click.option("--apply", "is_applied", is_flag=True, help=help_text("doctor_apply", lang))
    @click.option("--reason", default="", help=help_text("ingest_reason", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def doctor(context: CommandContext, is_machine_only: bool, is_applied: bool, reason: str, as_json: bool) -> int:
        if is_applied and not reason.strip():
            raise CalledWrongly("doctor.no_reason")
        checks = check_environment(context.settings.town, context.settings.viewer)
        code = int(any(check.state == "error" for check in checks))
        if is_machine_only or not (context.has_town or is_applied):
            _print_environment(context, checks, as_json)
            return code
        if not as_json:
            _print_environment(context, checks, as_json)
        store = context.town.store
        treatment = treatment_of(store)
        version = None
        if is_applied and not treatment.is_empty:
            author = user_name(context.settings)
            version = apply_treatment(store, treatment, author=author, reason=reason).number
        if as_json:
            context.json(
                _record(context, treatment) | {"version": version, "environment": _environment_record(context, checks)}
            )
            return code
        _print(context, treatment)
        if version is not None:
            context.tell("doctor.applied", version=version)
        elif not treatment.is_empty:
            context.tell("doctor.dry")
        return code

    return doctor


def _print_environment(context: CommandContext, checks: list[Check], as_json: bool) -> None:
    """Print a line for each check, or all of them as JSON; say so where there is no town to look at."""
    if as_json:
        context.json({"environment": _environment_record(context, checks)})
        return
    marks = {state: context.say(f"environment_fact.{state}") for state in _STYLES}
    width = max(map(cell_len, marks.values()))
    for check in checks:
        mark = marks[check.state] + " " * (width - cell_len(marks[check.state]))
        context.out.print(
            f"{mark}  {check.text(context.lang)}",
            style=_STYLES[check.state],
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    counts = Counter(check.state for check in checks)
    context.tell("environment_fact.summary", **{state: counts[state] for state in _STYLES})
    if not context.has_town:
        context.tell("environment_fact.no_town", path=str(context.settings.town))


def _environment_record(context: CommandContext, checks: list[Check]) -> list[dict[str, Any]]:
    return [
        {"name": check.name, "state": check.state, "text": check.text(context.lang), **check.values} for check in checks
    ]


def _record(context: CommandContext, treatment: Treatment) -> dict[str, Any]:
    """Return what `--json` answers."""
    return {
        "layers": {each.layer.id: _layer_record(each) for each in treatment.layers},
        "findings": {
            "repeated": [{"ends": a["id"], "stays": b["id"]} for a, b in treatment.findings.pairs],
            "moved": [{"id": each["id"], "feature_id": each["feature_id"]} for each in treatment.findings.moved],
        },
        "advice": {"unplaced": list(treatment.unplaced), "left_out": list(context.town.left_out)},
    }


def _layer_record(each: LayerTreatment) -> dict[str, Any]:
    return {
        "doubled": len(each.pairs),
        "taken": dict(each.joined.taken),
        "differing": dict(each.joined.differing),
        "redirected": each.joined.redirected,
        "examples": each.examples(_EXAMPLES_IN_JSON),
    }


def _print(context: CommandContext, treatment: Treatment) -> None:
    if treatment.is_empty:
        context.tell("doctor.nothing")
    if treatment.layers:
        context.out.print(_table(context, treatment.layers), highlight=False)
    for each in treatment.layers:
        _print_layer(context, each)
    if treatment.findings.pairs:
        context.tell("doctor.findings", count=len(treatment.findings.pairs))
    if treatment.findings.moved:
        context.tell("doctor.findings_moved", count=len(treatment.findings.moved))
    for layer in treatment.unplaced:
        context.tell("doctor.unplaced", layer=layer)


def _table(context: CommandContext, layers: tuple[LayerTreatment, ...]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("layer", "pairs", "taken", "differing", "redirected"):
        table.add_column(context.say(f"doctor.{name}"), justify="left" if name == "layer" else "right")
    for each in layers:
        joined = each.joined
        counts = (len(each.pairs), joined.taken.total(), joined.differing.total(), joined.redirected)
        table.add_row(each.layer.name_in(context.lang), *(f"{count:,}" for count in counts))
    return table


def _print_layer(context: CommandContext, each: LayerTreatment) -> None:
    """Print the first pairs with their place, and the fields in which the two of a pair differ or one says more."""
    for pair in each.examples(_EXAMPLES):
        east, north = pair["place"]
        context.tell("doctor.pair", stays=pair["stays"], joins=pair["joins"], x=f"{north:.3f}", y=f"{east:.3f}")
    if len(each.pairs) > _EXAMPLES:
        context.tell("doctor.more_pairs", count=len(each.pairs) - _EXAMPLES)
    name = each.layer.name_in(context.lang)
    for rule, counts in (("taken_fields", each.joined.taken), ("differing_fields", each.joined.differing)):
        if counts:
            fields = {_field_name(context, each.layer, field): count for field, count in counts.most_common()}
            context.tell(f"doctor.{rule}", name=name, fields=fields)


def _field_name(context: CommandContext, layer: Layer, name: str) -> str:
    field = layer.field_of(name)
    if context.lang != "zh":
        return name
    if field is not None:
        return field.title("zh")
    return context.say("cli.changed_geometry") if name == "geometry" else context.say(f"doctor.{ATTRIBUTES}")
