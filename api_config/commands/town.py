"""`twin init`, `status`, `findings`, `export`: the town's folder and what it holds."""

from pathlib import Path
from typing import Any

import click
import orjson
from rich.table import Table

from api_config.commands.context import Frame, command, words
from tiles.encodings.files import write_frames
from tiles.encodings.findings import write_findings
from twin_model.crs import CRS84, crs_code
from twin_model.filter import parse_filter
from twin_model.finding import Finding
from twin_model.store.base import FeatureQuery
from twin_model.store.frames import records_of
from twin_model.town import Town, init_town
from twin_model.view import View

__all__ = ["export_command", "findings_command", "init_command", "status_command", "status_of"]


def init_command(lang: str) -> click.Command:
    @click.command("init", help=words("init", lang))
    @click.argument("folder", required=False, type=click.Path(path_type=Path))
    @click.option("--name", required=True, help=words("init_name", lang))
    @click.option("--crs", required=True, metavar="EPSG:n", help=words("init_crs", lang))
    @click.option("--store", default="store.gpkg", show_default=True, help=words("init_store", lang))
    @command
    def init(frame: Frame, folder: Path | None, name: str, crs: str, store: str) -> None:
        path = folder or frame.settings.town
        with init_town(path, name=name, crs=crs, store=store) as town:
            told = {"zh": f"已在 {path} 建立城镇“{name}”，坐标系 {town.store.crs}。下一步：twin --town {path} ingest 文件...",
                    "en": f"Made the town {name!r} in {path}, kept in {town.store.crs}. Next: twin --town {path} ingest FILES..."}  # fmt: skip
            frame.out.print(told[frame.lang], highlight=False, soft_wrap=True)

    return init


def status_of(town: Town, view: View | None = None) -> dict[str, Any]:
    """Return what `twin status --json` answers."""
    layers, view = {}, view or View()
    for layer in town.catalogue:
        summary = town.store.summary(layer.id, view) if layer.kind == "feature" else None
        if summary is not None:
            layers[layer.id] = {"features": summary.features, "geometry": layer.geometry, "crs": town.store.crs,
                                "extent": list(summary.extent) if summary.extent else None}  # fmt: skip
    findings = {
        name: town.store.count(FeatureQuery("finding", view=view, where=parse_filter(f"severity = '{name}'")))
        for name in ("error", "warning", "info")
    }
    return {
        "town": town.settings.name("zh"),
        "version": town.store.version() if view.recorded is None else view.recorded,
        "layers": layers,
        "findings": findings,
    }


def status_command(lang: str) -> click.Command:
    @click.command("status", help=words("status", lang))
    @click.option("--datetime", help=words("datetime", lang))
    @click.option("--recorded", help=words("recorded", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def status(frame: Frame, datetime: str | None, recorded: str | None, as_json: bool) -> None:
        answer = status_of(frame.town, frame.town.look(datetime, recorded))
        if as_json:
            frame.json(answer)
            return
        zh = frame.lang == "zh"
        table = Table(
            "图层" if zh else "layer",
            "名称" if zh else "title",
            "要素" if zh else "features",
            "几何" if zh else "geometry",
        )
        for name, one in answer["layers"].items():
            if one["features"]:
                table.add_row(
                    name,
                    frame.town.catalogue[name].title(frame.lang),
                    f"{one['features']:,}",
                    one["geometry"],
                )
        frame.out.print(
            f"{answer['town']}  {frame.town.store.crs}  {'版本' if zh else 'version'} {answer['version']}",
            highlight=False,
        )
        if table.row_count:
            frame.out.print(table)
        else:
            empty = {
                "zh": "尚无要素。下一步：twin ingest 文件...",
                "en": "No features yet. Next: twin ingest FILES...",
            }
            frame.out.print(empty[frame.lang], highlight=False)
        frame.out.print(
            "  ".join(f"{name}: {count}" for name, count in answer["findings"].items()), highlight=False
        )

    return status


def findings_command(lang: str) -> click.Command:
    @click.command("findings", help=words("findings", lang))
    @click.option(
        "--severity", type=click.Choice(["error", "warning", "info"]), help=words("findings_severity", lang)
    )
    @click.option("--layer", help=words("findings_layer", lang))
    @click.option("--datetime", help=words("datetime", lang))
    @click.option("--recorded", help=words("recorded", lang))
    @click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
    @click.option("--csv", "table", type=click.Path(path_type=Path), help=words("findings_csv", lang))
    @click.option("--json", "as_json", is_flag=True, help=words("json", lang))
    @command
    def findings(
        frame: Frame,
        severity: str | None,
        layer: str | None,
        datetime: str | None,
        recorded: str | None,
        limit: int,
        table: Path | None,
        as_json: bool,
    ) -> None:
        wanted = [
            {"op": "=", "args": [{"property": k}, v]}
            for k, v in (("severity", severity), ("layer", layer))
            if v
        ]
        if layer is not None:
            frame.town.catalogue[layer]
        where = (
            parse_filter({"op": "and", "args": wanted} if len(wanted) > 1 else wanted[0], lang="cql2-json")
            if wanted
            else None
        )
        query = FeatureQuery("finding", view=frame.town.look(datetime, recorded), where=where)
        if table is not None:
            written = write_findings(frame.town.store.frames(query), table, frame.lang)
            done = {"zh": f"已写出 {written} 条：{table}", "en": f"Wrote {written} findings to {table}"}
            frame.out.print(done[frame.lang], highlight=False, soft_wrap=True)
            return
        frame_of = frame.town.store.features(query.with_(limit=limit))
        rows = [_finding_row(row, frame.lang) for row in records_of(frame_of)]
        if as_json:
            frame.json(rows)
            return
        for row in rows:
            frame.out.print(_finding_line(row), highlight=False, markup=False, soft_wrap=True)
        total = frame.town.store.count(query)
        if total > len(rows):
            told = {"zh": f"共 {total} 条，仅列出 {len(rows)} 条：--limit {total}",
                    "en": f"{total} in all, {len(rows)} shown: --limit {total}"}  # fmt: skip
            frame.out.print(told[frame.lang], highlight=False)

    return findings


def _finding_line(row: dict[str, Any]) -> str:
    """Return a finding in one line; its source is named once."""
    source = row["source"]
    text = row["text"] if source is None or row["text"].startswith(source) else f"{source}: {row['text']}"
    return f"{row['severity']:<7} {text}"


def _finding_row(row: dict[str, Any], lang: str) -> dict[str, Any]:
    finding = Finding(
        row["rule"],
        row["severity"],
        layer=row["layer"],
        place=row["place"] or "",
        values=orjson.loads(row["details"] or "{}"),
    )
    return {"rule": row["rule"], "severity": row["severity"], "layer": row["layer"], "source": row["source"], "place": row["place"],
            "text": finding.text(lang), "status": row["status"]}  # fmt: skip


def export_command(lang: str) -> click.Command:
    @click.command("export", help=words("export", lang))
    @click.argument("layer")
    @click.argument("file", type=click.Path(path_type=Path))
    @click.option("--crs", metavar="EPSG:n", help=words("export_crs", lang))
    @click.option("--datetime", help=words("datetime", lang))
    @click.option("--recorded", help=words("recorded", lang))
    @command
    def export(
        frame: Frame, layer: str, file: Path, crs: str | None, datetime: str | None, recorded: str | None
    ) -> None:
        described = frame.town.catalogue[layer]
        query = FeatureQuery(described.id, view=frame.town.look(datetime, recorded))
        target = (
            crs_code(crs)
            if crs
            else CRS84
            if file.suffix.lower() in {".geojson", ".json"}
            else frame.town.store.crs
        )
        written = write_frames(frame.town.store.frames(query), described, file, crs=target)
        told = {"zh": f"已写出 {written} 个要素：{file}", "en": f"Wrote {written} features to {file}"}[
            frame.lang
        ]
        frame.out.print(told, highlight=False, soft_wrap=True)

    return export
