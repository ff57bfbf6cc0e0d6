"""Warnings that point at the line of the notebook or script that caused them, whatever lies between."""

import sys
import warnings
from typing import Any

from twin_model.messages import render

__all__ = ["notice", "notice_text"]


def notice(rule: str, lang: str = "en", category: type[Warning] = UserWarning, **values: Any) -> None:
    """Warn with the words of a rule."""
    notice_text(render(rule, lang, values), category)


def notice_text(text: str, category: type[Warning] = UserWarning) -> None:
    """Warn with a text at the first frame outside this package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("twin_model"):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)
