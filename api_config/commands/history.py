"""`twin history`, `show`, `diff`, `revert`, `audit verify`: the past of the town, and how a step of it is undone."""

from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from api_config.commands.context import Frame, command, words
from api_config.settings import user_name
from tiles.encodings.differences import write_differences
from twin_model.history import changeset_of, difference, history, revert, verify
from twin_model.messages import render
from twin_model.store.base import ChangesetRecord, Store
from twin_model.temporal import local_time
from twin_model.versioning import commit

__all__ = ["audit_group", "diff_command", "history_command", "revert_command", "show_command"]

_SHOWN = 20


def history_command(lang: str) -> click.Command:
    @click.command("history", help=words("history", lang))
    @click.argument("layer", required=False)
    @click.option(
        "--limit", type=click.IntRange(1), default=50, show_default=True, help=words("history_limit", lang)
    )
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def show_history(frame: Frame, layer: str | None, limit: int, as_json: bool) -> None:
        found = [_record(frame.town.store, one) for one in history(frame.town.store, layer, limit)]
        if as_json:
            frame.json(found)
            return
        frame.out.print(_table(found, layer, frame.town.settings.timezone, frame.lang))

    return show_history


def show_command(lang: str) -> click.Command:
    @click.command("show", help=words("show", lang))
    @click.argument("number", type=int)
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def show(frame: Frame, number: int, as_json: bool) -> None:
        record = _record(frame.town.store, changeset_of(frame.town.store, number))
        if as_json:
            frame.json(record)
            return
        names = {"zh": {"number": "版本", "recorded": "记录时间", "effective": "生效时间", "author": "作者", "reason": "原因", "source": "来源",
                        "sha256": "SHA-256", "hash": "链哈希"}, "en": {}}[frame.lang]  # fmt: skip
        for key in ("number", "recorded", "effective", "author", "reason", "source", "sha256", "hash"):
            value = record[key] or "-"
            shown = (
                local_time(value, frame.town.settings.timezone) if key in ("recorded", "effective") else value
            )
            frame.out.print(f"{names.get(key, key)}: {shown}", highlight=False, markup=False, soft_wrap=True)
        for layer, one in record["changes"].items():
            frame.out.print(
                f"  {layer}: {_counted(one, frame.lang)}", highlight=False, markup=False, soft_wrap=True
            )

    return show


def diff_command(lang: str) -> click.Command:
    @click.command("diff", help=words("diff", lang))
    @click.argument("before", type=int)
    @click.argument("after", type=int)
    @click.option("--layer", required=True, help=words("diff_layer", lang))
    @click.option("--geojson", type=click.Path(path_type=Path), help=words("diff_geojson", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def diff(frame: Frame, before: int, after: int, layer: str, geojson: Path | None, as_json: bool) -> None:
        found = difference(frame.town.store, layer, before, after)
        if geojson is not None:
            write_differences(found, geojson)
        if as_json:
            columns = ["id", "change", "fields", "before", "after"]
            frame.json(found.reset_index()[columns].to_dict("records"))
            return
        for name, row in found.head(_SHOWN).iterrows():
            frame.out.print(
                f"{row['change']:<10} {name}  {_changed(row)}", highlight=False, markup=False, soft_wrap=True
            )
        counts = found["change"].value_counts().to_dict()
        told = (
            ", ".join(f"{name} {count}" for name, count in counts.items())
            or {"zh": "无差异", "en": "no difference"}[frame.lang]
        )
        frame.out.print(f"{layer} {before} -> {after}: {told}", highlight=False)
        if geojson is not None:
            frame.out.print(
                {"zh": f"已写出：{geojson}", "en": f"written to {geojson}"}[frame.lang],
                highlight=False,
                soft_wrap=True,
            )

    return diff


def revert_command(lang: str) -> click.Command:
    @click.command("revert", help=words("revert", lang))
    @click.argument("number", type=int)
    @click.option("--reason", default="", help=words("ingest_reason", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def undo(frame: Frame, number: int, reason: str, as_json: bool) -> None:
        store = frame.town.store
        version = commit(store, revert(store, number, author=user_name(frame.settings), reason=reason))
        if as_json:
            frame.json(_record(store, changeset_of(store, version.number)))
            return
        changed = sum(one.changed for one in version.touched.values())
        told = {"zh": f"已以版本 {version.number} 撤销版本 {number}，恢复 {changed} 个要素",
                "en": f"Version {version.number} undoes version {number}: {changed} features as before"}  # fmt: skip
        frame.out.print(told[frame.lang], highlight=False)

    return undo


def audit_group(lang: str) -> click.Group:
    @click.group("audit", help=words("audit", lang))
    def audit() -> None: ...

    @audit.command("verify", help=words("audit_verify", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def prove(frame: Frame, as_json: bool) -> None:
        proved = verify(frame.town.store)
        if as_json:
            frame.json({"changesets": proved.changesets, "hash": proved.hash,
                        "unproved": dict(proved.unproved), "unread": list(proved.unread)})  # fmt: skip
            return
        told = {"zh": f"变更链完整：{proved.changesets} 个变更集，末端哈希 {proved.hash[:16]}",
                "en": f"The chain is whole: {proved.changesets} changesets, the last hashes to {proved.hash[:16]}"}  # fmt: skip
        frame.out.print(told[frame.lang], highlight=False)
        for rule, named in (("store.unproved", proved.unproved), ("store.unread", proved.unread)):
            if named:
                frame.out.print(
                    render(rule, frame.lang, {"layers": named}), highlight=False, markup=False, soft_wrap=True
                )

    return audit


def _record(store: Store, one: ChangesetRecord) -> dict[str, Any]:
    """Return a changeset as `--json` answers it."""
    changes = {
        layer: {"inserted": t.inserted, "updated": t.updated, "terminated": t.terminated, "unchanged": t.unchanged,
                "extent": list(t.box) if t.box else None}
        for layer, t in store.changes(one.number).items()
    }  # fmt: skip
    counts = {name: value for name, value in one.counts.items() if name not in ("content", "read_as")}
    return {
        "number": one.number, "recorded": one.recorded, "effective": one.effective, "author": one.author, "reason": one.reason,
        "source": one.source, "sha256": one.sha256, "counts": counts, "changes": changes, "previous": one.previous, "hash": one.hash,
    }  # fmt: skip


def _table(records: list[dict[str, Any]], layer: str | None, zone: str, lang: str) -> Table:
    """Return changesets as a table that a terminal of 80 columns holds: what is long is folded, nothing is cut off."""
    heads, caption = {"zh": (("版本", "记录时间", "生效", "变化", "来源", "作者：原因"), "+ 新增  ~ 更改  - 终止"),
                      "en": (("version", "recorded", "effective", "changes", "source", "author: reason"), "+ inserted  ~ updated  - ended")}[lang]  # fmt: skip
    table = Table(
        box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, caption=caption, caption_justify="left"
    )
    for name in heads[:4]:
        table.add_column(name, no_wrap=True)
    for name in heads[4:]:
        table.add_column(name, overflow="fold")
    for one in records:
        times = (local_time(one[name], zone) for name in ("recorded", "effective"))
        counted = " ".join(f"{sign}{n:,}" for sign, n in zip("+~-", _sums(one, layer), strict=True) if n)
        why = {"zh": "：", "en": ": "}[lang].join(filter(None, (one["author"], one["reason"])))
        table.add_row(str(one["number"]), *times, counted or "-", escape(one["source"] or "-"), escape(why))
    return table


def _sums(record: dict[str, Any], layer: str | None) -> list[int]:
    changes = [
        one for name, one in record["changes"].items() if (name == layer if layer else name != "finding")
    ]
    return [sum(one[name] for one in changes) for name in ("inserted", "updated", "terminated")]


def _counted(one: dict[str, Any], lang: str) -> str:
    names = {
        "zh": {"inserted": "新增", "updated": "更改", "terminated": "终止", "unchanged": "不变"},
        "en": {"terminated": "ended"},
    }[lang]
    counts = ", ".join(
        f"{names.get(key, key)} {value:,}" for key, value in one.items() if key != "extent" and value
    )
    extent = (
        "" if one["extent"] is None else "  [" + ", ".join(f"{value:.1f}" for value in one["extent"]) + "]"
    )
    return counts + extent


def _changed(row: Any) -> str:
    """Return what differs in one feature: old and new values, geometry by name."""
    if row["before"] is None or row["after"] is None:
        return ""
    shown = [f"{name}: {row['before'][name]!r} -> {row['after'][name]!r}" for name in row["after"]]
    return ", ".join([*shown, *(["geometry"] if "geometry" in row["fields"] else [])])
