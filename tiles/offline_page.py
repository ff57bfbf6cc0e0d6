"""A page with a drawing library in it that asks no host for anything; its legend, scale bar and frame for notebooks.

Not here: what the library draws (`deck` in three dimensions, `flat_map` from above).
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from tiles.symbology import Symbols
from twin_model.layer import Text

__all__ = [
    "BACKGROUND",
    "LegendGroup",
    "frame_of",
    "legend_html",
    "marking_html",
    "page_html",
    "script_json",
    "without_hosts",
]

BACKGROUND = "#f4f2ee"
_LEGEND = Text("图例", "Legend")
_SHAPES = ("point", "line", "area")


@dataclass(frozen=True)
class LegendGroup:
    """What a legend says of one layer; `dimension` 0, 1, 2 is that of its features."""

    title: str
    count: int
    dimension: int
    symbols: Symbols


def page_html(
    *, title: str, styles: str = "", scripts: Sequence[str], body: str = "", legend: str = "", lang: str = "zh"
) -> str:
    """Return a page: `scripts` in their order after `body`; `legend` is HTML. Its content policy refuses every request."""
    return _PAGE.format(
        lang="zh-CN" if lang == "zh" else "en",
        title=html.escape(title),
        background=BACKGROUND,
        styles=styles.replace("</style", "<\\/style"),
        body=body,
        legend=legend,
        scripts="\n".join(f"<script>{script}</script>" for script in (_SCALE_BAR, *scripts)),
    )


def frame_of(page: str, *, height: int) -> str:
    """Return a page inside a frame, for `IPython.display.HTML`; `height` in pixels."""
    return f'<div><iframe srcdoc="{html.escape(page)}" width="100%" height="{height}" style="border:0"></iframe></div>'


def script_json(value: object) -> str:
    """Return a value as JSON that may stand in a script: no text in it can end the script or begin another."""
    return orjson.dumps(value).decode().replace("<", "\\u003c")


def without_hosts(code: str) -> str:
    """Return a library's code for a script, no address of another host left; names of XML namespaces stay."""
    code = re.sub(r"https?://(?!www\.w3\.org/)(?=[a-z])", "", code)
    return re.sub(r"//# sourceMappingURL=\S+", "", code).replace("</script", "<\\/script")


def legend_html(groups: Sequence[LegendGroup], lang: str) -> str:
    """Return the legend, which folds: each layer with its number of features, and its classes where it has several."""
    rows = "".join(map(_group_html, groups))
    return f'<details id="legend" open><summary>{_LEGEND(lang)}</summary>{rows}</details>' if groups else ""


def marking_html(text: str) -> str:
    """Return the line that says how what is drawn is classed, and its map approval number; nothing for nothing."""
    return f'<div id="marking">{html.escape(text)}</div>' if text else ""


def _group_html(group: LegendGroup) -> str:
    entries, shape = group.symbols.entries, _SHAPES[group.dimension]
    if len(entries) == 1 and not group.symbols.title:
        return _row_html("layer", entries[0].color, shape, group.title, group.count)
    rows = [_row_html("class", entry.color, shape, entry.text, entry.count) for entry in entries]
    heading = f'<p class="by">{html.escape(group.symbols.title)}</p>' if group.symbols.title else ""
    return f'<p class="layer"><b>{html.escape(group.title)}</b> <i>{group.count:,}</i></p>{heading}{"".join(rows)}'


def _row_html(kind: str, color: str, shape: str, text: str, count: int) -> str:
    mark = f'<span class="{shape}" style="background:{html.escape(color)}"></span>'
    return f'<p class="{kind}">{mark}{html.escape(text)} <i>{count:,}</i></p>'


_SCALE_BAR = """
function drawScale(metresPerPixel) {
  const most = metresPerPixel * 110, power = 10 ** Math.floor(Math.log10(most));
  const metres = [5, 2, 1].map(step => step * power).find(each => each <= most);
  if (!Number.isFinite(metres)) return;
  const bar = document.getElementById("scale");
  bar.style.width = `${metres / metresPerPixel}px`;
  bar.textContent = metres >= 1000 ? `${metres / 1000} km` : `${Number(metres.toPrecision(1))} m`;
}
"""

_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data: blob:; font-src data:; connect-src data: blob:; worker-src blob:">
<title>{title}</title>
<style>
{styles}
html, body {{ margin: 0; height: 100%; overflow: hidden; background: {background};
  font: 12px/1.5 "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif; }}
#legend {{ position: absolute; z-index: 2; top: 10px; left: 10px; max-width: 40%; max-height: calc(100% - 70px);
  overflow: auto; box-sizing: border-box; padding: 6px 12px 8px; color: #2b2b2b; background: #fffffff0; border-radius: 4px;
  box-shadow: 0 1px 3px #0003; }}
#legend summary {{ color: #857f75; cursor: pointer; }}
#legend p {{ margin: 2px 0; }}
#legend .layer ~ .layer {{ margin-top: 6px; }}
#legend .by {{ color: #5f5a52; }}
#legend .class {{ padding-left: 2px; }}
#legend i {{ font-style: normal; color: #857f75; margin-left: 4px; }}
#legend span {{ display: inline-block; width: 16px; height: 11px; margin-right: 7px; vertical-align: -1px; }}
#legend span.area {{ box-shadow: 0 0 0 1px #0004; }}
#legend span.line {{ height: 3px; vertical-align: 3px; }}
#legend span.point {{ width: 9px; height: 9px; margin: 0 10px 0 4px; border-radius: 50%; }}
#marking {{ position: absolute; z-index: 2; right: 10px; bottom: 10px; padding: 2px 10px; color: #2b2b2b; background: #fffffff0;
  border-radius: 4px; pointer-events: none; }}
#scale {{ position: absolute; z-index: 2; left: 12px; bottom: 10px; box-sizing: border-box; padding: 0 4px 1px;
  color: #2b2b2b; border: solid #2b2b2b; border-width: 0 2px 2px; white-space: nowrap; text-align: center;
  text-shadow: 0 0 3px #fff, 0 0 3px #fff; pointer-events: none; }}
#scale:empty {{ display: none; }}
</style>
</head>
<body>
{body}
{legend}
<div id="scale"></div>
{scripts}
</body>
</html>
"""
