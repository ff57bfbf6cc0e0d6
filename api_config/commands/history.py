"""`twin history`, `show`, `diff`, `revert`, `audit verify`: the past of the town, and how a step of it is undone."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from api_config.commands.context import CommandContext, command, help_text
from api_config.commands.localized import verb, verb_group
from api_config.settings import user_name
from tiles.encodings.differences import write_differences
from twin_model.audit import rebuild, verify, verify_chain
from twin_model.history import changeset_of, difference, history, predecessors_of
from twin_model.layer import Field, Layer
from twin_model.messages.values import quoted
from twin_model.plan import KINDS
from twin_model.sources import verify_sources
from twin_model.store.base import ChangesetRecord, Store
from twin_model.store.damage import Damage
from twin_model.temporal import local_time

__all__ = ["audit_group", "diff_command", "history_command", "revert_command", "show_command"]

_SHOWN = 20


def history_command(lang: str) -> click.Command:
    @verb("history", lang)
    @click.argument("layer", required=False)
    @click.option(
        "--limit",
        type=click.IntRange(1),
        default=50,
        show_default=True,
        help=help_text("history_limit", lang),
    )
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def show_history(context: CommandContext, layer: str | None, limit: int, as_json: bool) -> None:
        records = [_record(context.town.store, changeset) for changeset in history(context.town.store, layer, limit)]
        if as_json:
            context.json(records)
            return
        context.out.print(_table(records, layer, context.town.settings.timezone, context))

    return show_history


def show_command(lang: str) -> click.Command:
    @verb("show", lang)
    @click.argument("number", type=int)
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def show(context: CommandContext, number: int, as_json: bool) -> None:
        record = _record(context.town.store, changeset_of(context.town.store, number))
        followed = predecessors_of(context.town.store, number)
        if as_json:
            context.json(record | {"links": [link._asdict() for link in followed]})
            return
        for key in ("number", "recorded", "effective", "author", "reason", "source", "sha256", "hash"):
            value = record[key] or "-"
            shown = local_time(value, context.town.settings.timezone) if key in ("recorded", "effective") else value
            context.tell("cli.pair", name=context.say(f"cli.history_{key}"), value=shown)
        for key in ("crs_wins", "local_grid"):
            if record["counts"].get(key):
                context.tell("cli.pair", name=context.say(f"cli.history_{key}"), value=record["counts"][key])
        for layer, counts in record["changes"].items():
            name = context.town.catalogue[layer].name_in(context.lang)
            line = "  " + context.say("cli.pair", name=name, value=_counted(counts, context))
            context.out.print(line, highlight=False, markup=False, soft_wrap=True)
        for each in followed[:_SHOWN]:
            context.tell(f"cli.follows_{each.kind}", id=each.id, former=each.former_ids)
        if len(followed) > _SHOWN:
            context.tell("cli.follows_more", count=len(followed) - _SHOWN)

    return show


def diff_command(lang: str) -> click.Command:
    @verb("diff", lang)
    @click.argument("before", type=int)
    @click.argument("after", type=int)
    @click.option("--layer", required=True, help=help_text("diff_layer", lang))
    @click.option("--geojson", type=click.Path(path_type=Path), help=help_text("diff_geojson", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def diff(context: CommandContext, before: int, after: int, layer: str, geojson: Path | None, as_json: bool) -> None:
        differences = difference(context.town.store, layer, before, after)
        if geojson is not None:
            write_differences(differences, geojson)
        if as_json:
            columns = ["id", "change", "fields", "before", "after"]
            context.json(differences.reset_index()[columns].to_dict("records"))
            return
        described = context.town.catalogue[layer]
        for name, row in differences.head(_SHOWN).iterrows():
            line = f"{context.say('cli.' + row['change']):<9} {name}  {_changed(row, described, context)}"
            context.out.print(line, highlight=False, markup=False, soft_wrap=True)
        counts = [
            f"{context.say(f'cli.{name}')} {count}" for name, count in differences["change"].value_counts().items()
        ]
        changes = (
            context.say("cli.no_difference")
            if not counts
            else "、".join(counts)
            if context.lang == "zh"
            else ", ".join(counts)
        )
        context.tell("cli.difference", layer=layer, before=before, after=after, changes=changes)
        if geojson is not None:
            context.tell("cli.difference_written", path=str(geojson))

    return diff


def revert_command(lang: str) -> click.Command:
    @verb("revert", lang)
    @click.argument("number", type=int)
    @click.option("--reason", default="", help=help_text("ingest_reason", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def undo(context: CommandContext, number: int, reason: str, as_json: bool) -> None:
        store = context.town.store
        version = context.town.revert(number, author=user_name(context.settings), reason=reason)
        if as_json:
            context.json(_record(store, changeset_of(store, version.number)))
            return
        changed = sum(changes.changed for changes in version.touched.values())
        context.tell("cli.reverted", version=version.number, number=number, features=changed)

    return undo


def audit_group(lang: str) -> click.Group:
    @verb_group("audit", lang)
    def audit() -> None: ...

    @audit.command("verify", help=help_text("audit_verify", lang))
    @click.option("--quick", is_flag=True, help=help_text("audit_quick", lang))
    @click.option("--json", "as_json", is_flag=True, help=help_text("json", lang))
    @command
    def prove(context: CommandContext, quick: bool, as_json: bool) -> int:
        return _prove_chain(context, as_json=as_json) if quick else _prove(context, as_json=as_json)

    @audit.command("rebuild", help=help_text("audit_rebuild", lang))
    @command
    def make_anew(context: CommandContext) -> int:
        store = context.town.store
        before, after = verify(store).damages, rebuild(store).damages
        context.tell(
            "cli.rebuilt" if len(before) > len(after) else "cli.nothing_to_rebuild", count=len(before) - len(after)
        )
        for damage in after:
            context.tell(damage.rule, **damage.values)
        return int(bool(after))

    return audit


def _prove_chain(context: CommandContext, *, as_json: bool) -> int:
    proved = verify_chain(context.town.store)
    if as_json:
        context.json(asdict(proved))
    else:
        context.tell("cli.audited_chain", changesets=proved.changesets, hash=proved.hash[:16], since=proved.since)
    return 0


def _prove(context: CommandContext, *, as_json: bool) -> int:
    """Prove the history and the archive of sources; tell what is wrong, and what can be made anew."""
    town = context.town
    proved = verify(town.store)
    damages = [*proved.damages]
    if town.settings.crs != town.store.crs:
        damages.append(Damage("audit.town_crs", {"found": town.settings.crs, "expected": town.store.crs}))
    sources = verify_sources(town.path / "sources", town.store.changesets())
    code = int(bool(sources.missing or sources.differing or damages))
    if as_json:
        context.json({"changesets": proved.changesets, "hash": proved.hash,
                    "unproved": dict(proved.unproved), "unread": list(proved.unread),
                    "damages": [{"rule": each.rule, "rebuildable": each.is_derived, **each.values} for each in damages],
                    "sources": {"whole": sources.whole, "missing": dict(sources.missing), "differing": dict(sources.differing)}})  # fmt: skip
        return code
    context.tell("cli.audited", changesets=proved.changesets, hash=proved.hash[:16])
    for damage in damages:
        context.tell(damage.rule, **damage.values)
    remarks = (
        ("store.unproved", "layers", proved.unproved),
        ("store.unread", "layers", proved.unread),
        ("source.copies_missing", "sources", sources.missing),
        ("source.copies_differ", "sources", sources.differing),
    )
    for rule, key, named in remarks:
        if named:
            context.tell(rule, **{key: named})
    return code


def _record(store: Store, changeset: ChangesetRecord) -> dict[str, Any]:
    """Return a changeset as `--json` answers it."""
    changes = {
        layer: {
            "inserted": t.inserted,
            "updated": t.updated,
            "terminated": t.terminated,
            "unchanged": t.unchanged,
            "extent": list(t.box) if t.box else None,
        }
        for layer, t in store.changes(changeset.number).items()
    }
    hidden = ("content", "read_as", "described", "shown")
    counts = {name: value for name, value in changeset.counts.items() if name not in hidden}
    return {
        "number": changeset.number, "recorded": changeset.recorded, "effective": changeset.effective, "author": changeset.author, "reason": changeset.reason,
        "source": changeset.source, "sha256": changeset.sha256, "counts": counts, "changes": changes, "identity": changeset.identity, "previous": changeset.previous, "hash": changeset.hash,
    }  # fmt: skip


def _table(records: list[dict[str, Any]], layer: str | None, zone: str, context: CommandContext) -> Table:
    """Return changesets as a table that a terminal of 80 columns holds: what is long is folded, nothing is cut off."""
    names = ("number", "recorded", "effective", "changes", "source", "why")
    heads, caption = [context.say(f"cli.history_{name}") for name in names], context.say("cli.history_legend")
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, caption=caption, caption_justify="left")
    for name in heads[:4]:
        table.add_column(name, no_wrap=True)
    for name in heads[4:]:
        table.add_column(name, overflow="fold")
    for record in records:
        times = (local_time(record[name], zone) for name in ("recorded", "effective"))
        counted = " ".join(f"{sign}{n:,}" for sign, n in zip("+~-", _sums(record, layer), strict=True) if n)
        why = ("：" if context.lang == "zh" else ": ").join(filter(None, (record["author"], record["reason"])))
        why += _kinds(record, layer, context)
        table.add_row(str(record["number"]), *times, counted or "-", escape(record["source"] or "-"), escape(why))
    return table


def _kinds(record: dict[str, Any], layer: str | None, context: CommandContext) -> str:
    """Return in brackets how many features of networks were moved, split, merged and so on; nothing where none was."""
    sums: Counter[str] = Counter()
    for name, counts in record["counts"].get("kinds", {}).items():
        sums.update(counts if layer in (None, name) else {})
    shown = [f"{context.say(f'cli.{kind}')} {sums[kind]:,}" for kind in KINDS if sums[kind] and kind != "new"]
    if not shown:
        return ""
    return f"（{'，'.join(shown)}）" if context.lang == "zh" else f" ({', '.join(shown)})"


def _sums(record: dict[str, Any], layer: str | None) -> list[int]:
    changes = [change for name, change in record["changes"].items() if (name == layer if layer else name != "finding")]
    return [sum(change[name] for change in changes) for name in ("inserted", "updated", "terminated")]


def _counted(changes: dict[str, Any], context: CommandContext) -> str:
    counts = (", " if context.lang == "en" else "，").join(
        f"{context.say(f'cli.{key}')} {value:,}" for key, value in changes.items() if key != "extent" and value
    )
    extent = "" if changes["extent"] is None else "  [" + ", ".join(f"{value:.1f}" for value in changes["extent"]) + "]"
    return counts + extent


def _changed(row: Any, layer: Layer, context: CommandContext) -> str:
    """Return what differs in one feature: old and new values, geometry by name."""
    if row["before"] is None or row["after"] is None:
        return ""
    fields = {field.name: field for field in layer.fields}
    shown = [
        context.say(
            "cli.changed_value",
            name=fields[name].title("zh") if context.lang == "zh" and name in fields else name,
            before=_value(row["before"][name], fields.get(name), context),
            after=_value(row["after"][name], fields.get(name), context),
        )
        for name in row["after"]
    ]
    if "geometry" in row["fields"]:
        shown.append(context.say("cli.changed_geometry"))
    return ("；" if context.lang == "zh" else ", ").join(shown)


def _value(value: Any, field: Field | None, context: CommandContext) -> str:
    """Return a value as a reader knows it: a code with its title, a number to the millimetre."""
    if value is None or value != value:
        return context.say("cli.empty_value")
    if field is not None and str(value) in field.codes:
        return field.codes[str(value)](context.lang)
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return quoted(value, context.lang) if isinstance(value, str) else str(value)
