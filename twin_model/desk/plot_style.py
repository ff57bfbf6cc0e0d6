"""The look of plots in a notebook, with Chinese letters: matplotlib's settings, set once a session.

    lang = use_plot_style("zh")                     # "en" where no Chinese font is installed
    axes.set_title({"zh": "容积率", "en": "Floor area ratio"}[lang])

Only this file imports matplotlib, which belongs to notebooks (`pip install .[notebook]`) and not to the service.
"""

import sys
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from twin_model.errors import PackageMissing
from twin_model.messages import render

__all__ = ["CHINESE_FONTS", "installed_font", "use_plot_style"]

CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "SimHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans CJK JP",
    "Noto Serif CJK SC",
    "Songti SC",
    "SimSun",
)
"""Fonts with simplified Chinese, the most readable first; older matplotlib sees of Noto's collection only the first, JP."""

_STYLE: dict[Any, Any] = {
    "axes.unicode_minus": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "figure.dpi": 110,
    "legend.frameon": False,
}


def use_plot_style(lang: str, *, fonts: Sequence[str] = CHINESE_FONTS) -> str:
    """Set matplotlib's look and a Chinese font for this session; return the language for labels.

    That is `lang`, but "en" where none of the `fonts` is installed, which is said once in both languages. Raises
    `PackageMissing` without matplotlib.
    """
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise PackageMissing(call="plot_style", missing=error.name, python=sys.executable) from error
    matplotlib.rcParams.update(_STYLE)
    font = installed_font(fonts)
    if font is None:
        _warn_of_no_font()
        return "en"
    matplotlib.rcParams["font.family"] = [font, "DejaVu Sans"]
    return lang


def installed_font(fonts: Sequence[str] = CHINESE_FONTS) -> str | None:
    """Return the first font that is installed; fonts that came after matplotlib listed them are looked at too."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    if not {font.name for font in manager.ttflist}.intersection(fonts):
        known = {Path(font.fname) for font in manager.ttflist}
        for path in sorted(set(map(Path, font_manager.findSystemFonts())) - known):
            try:
                manager.addfont(path)
            except (OSError, RuntimeError):  # a broken file, or a kind that matplotlib cannot draw
                continue
    names = {font.name for font in manager.ttflist}
    return next((font for font in fonts if font in names), None)


@cache
def _warn_of_no_font() -> None:
    warnings.warn("\n".join(render("notebook.no_font", lang, {}) for lang in ("zh", "en")), stacklevel=4)
