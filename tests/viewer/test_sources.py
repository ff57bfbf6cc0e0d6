"""How the sources of the viewer are divided, read as text: which module may do what."""

import re
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "viewer" / "src"
REQUEST = re.compile(r"\bfetch\(|XMLHttpRequest|EventSource|WebSocket|sendBeacon")
VALUE_IMPORT = re.compile(r'^import (?!type\b)[^;]*?from "(\.[^"]+)";', re.MULTILINE)


def modules() -> dict[str, str]:
    return {
        path.relative_to(SOURCES).as_posix(): path.read_text(encoding="utf-8") for path in sorted(SOURCES.rglob("*.ts"))
    }


def test_only_the_api_module_talks_to_the_service() -> None:
    assert [name for name, text in modules().items() if REQUEST.search(text)] == ["api.ts"]


def test_a_tool_gets_the_parts_of_the_viewer_from_its_context_and_imports_none() -> None:
    imported = {
        (name, target)
        for name, text in modules().items()
        if name.startswith("tools/")
        for target in VALUE_IMPORT.findall(text)
        if target.startswith("..") and target != "../dom"
    }

    assert imported == set()


def test_every_tool_of_the_folder_is_in_the_list_of_tools() -> None:
    declared = {
        name
        for module, text in modules().items()
        if module.startswith("tools/")
        for name in re.findall(r"^export const (\w+): Tool = ", text, re.MULTILINE)
    }
    entries = re.search(r"export const TOOLS: readonly Tool\[\] = \[([^\]]*)\]", modules()["tools/tool.ts"])

    assert declared
    assert entries is not None
    assert {name.strip() for name in entries[1].split(",") if name.strip()} == declared


def test_no_module_is_longer_than_three_hundred_lines() -> None:
    assert {name: text.count("\n") for name, text in modules().items() if text.count("\n") > 300} == {}
