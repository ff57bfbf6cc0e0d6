"""Opening a DXF file: what it is, in which text encoding, and how much of it had to be mended.

ASCII and binary DXF of every release; a file that breaks the format's rules is recovered and audited, one
that ends in the middle is refused, because a delivery that lost half of its entities would end the
features it lost.
"""

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import ezdxf.filemanagement
import ezdxf.recover
from ezdxf.lldxf.const import DXFError
from ezdxf.tools.codepage import toencoding

from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["OpenedDrawing", "garbage_later", "is_dwg", "looks_like_dxf", "open_drawing"]

BINARY_MARK = b"AutoCAD Binary DXF\r\n\x1a\x00"
MOST_FIXES = 50
"""Findings told one by one of an audit; the rest is a number."""

_START = re.compile(rb"^(?:\xef\xbb\xbf)?\s*(?:999[ \t]*\r?\n[^\n]*\n\s*)*0[ \t]*\r?\n[ \t]*SECTION[ \t]*\r?\n", re.I)
_END = re.compile(rb"(?:^|\n)[ \t]*0[ \t]*\r?\n[ \t]*EOF[ \t]*(?:\r?\n|$)")
_SECTION_ENDED = re.compile(rb"\n[ \t]*0[ \t]*\r?\n[ \t]*ENDSEC[ \t]*\s*$")
_VERSION = re.compile(rb"\$ACADVER\s*\r?\n\s*1\s*\r?\n\s*(AC\d{4})")
_CODE_PAGE = re.compile(rb"\$DWGCODEPAGE\s*\r?\n\s*3\s*\r?\n\s*([\w-]+)", re.I)
_HANDLE = re.compile(rb"\n[ \t]*5[ \t]*\r?\n([^\r\n]+)")
_UTF8_RELEASE = "AC1021"
_BROKEN = (
    DXFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    OSError,
    RecursionError,
)


@dataclass
class OpenedDrawing:
    """A loaded drawing and what was noticed while it was opened."""

    document: Any
    findings: list[Finding]


def looks_like_dxf(content: bytes) -> bool:
    """Say whether the first bytes are those of a DXF: the binary mark, or group 0 SECTION after comments."""
    return content.startswith(BINARY_MARK) or _START.match(content) is not None


def is_dwg(content: bytes) -> bool:
    """Say whether the first bytes are those of a DWG of any release since R13."""
    return re.match(rb"AC10\d\d", content) is not None


def open_drawing(path: Path, name: str, encoding: str | None = None) -> OpenedDrawing:
    """Return the drawing in `path`; `encoding` overrides what the file says of its text.

    Raises SourceRefused (`dxf.not_dxf`, `dxf.is_dwg`, `dxf.truncated`, `dxf.unreadable`).
    """
    content = path.read_bytes()
    _ensure_dxf(content, name)
    if content.startswith(BINARY_MARK):
        return _load(path, name, None, content)
    findings = _ensure_whole(content, name)
    chosen, declared = _encoding(content) if encoding is None else (encoding, encoding)
    if chosen != declared:
        findings.append(Finding("dxf.code_page", "warning", values={"declared": declared, "found": chosen}))
    opened = _load(path, name, chosen, content if chosen == declared else _honest(content, chosen))
    return OpenedDrawing(opened.document, findings + opened.findings)


def _ensure_dxf(content: bytes, name: str) -> None:
    if is_dwg(content):
        raise SourceRefused("dxf.is_dwg", source=name, version=content[:6].decode("ascii"))
    if not looks_like_dxf(content):
        raise SourceRefused("dxf.not_dxf", source=name, size=len(content), found=content[:24])


def _ensure_whole(content: bytes, name: str) -> list[Finding]:
    """Refuse a file that stops inside a section; one that only lacks its EOF mark is whole, with a
    finding."""
    if _END.search(content, max(0, len(content) - 65536)) or _END.search(content):
        return []
    if not _SECTION_ENDED.search(content[-64:]) or b"ENTITIES" not in content:
        last = content.rstrip().rsplit(b"\n", 1)[-1][-40:].decode("ascii", "replace").strip()
        raise SourceRefused("dxf.truncated", source=name, size=len(content), last=last)
    return [Finding("dxf.no_eof", "warning", values={"source": name})]


def _encoding(content: bytes) -> tuple[str, str]:
    """Return the text encoding to use and the one the file declares.

    Since R2007 DXF is UTF-8, before that the code page holds. Files converted by other programs lie about
    both: what is strictly UTF-8 with characters of three bytes is UTF-8, what is then GBK is GBK, else
    the file is believed.
    """
    version = _VERSION.search(content)
    page = _CODE_PAGE.search(content)
    modern = version is not None and version[1].decode() >= _UTF8_RELEASE
    declared = "utf-8" if modern else toencoding(page[1].decode("ascii", "replace")) if page else "cp1252"
    if content.isascii():
        return declared, declared
    sample = re.sub(rb"[\x00-\x7f]+", b"\n", content)
    if _is_utf8(sample) and (declared == "utf-8" or _wide_share(sample, "utf-8") > 0.5):
        return "utf-8", declared
    if declared in ("utf-8", "cp1252") and _wide_share(sample, "gbk") > 0.9:
        return "gbk", declared
    return declared, declared


def _honest(content: bytes, encoding: str) -> bytes:
    """Return a file whose text is what its code page says, for the recovery, which believes it."""
    version = _VERSION.search(content)
    text = content.decode(encoding, "surrogateescape")
    if version is not None and version[1].decode() >= _UTF8_RELEASE:
        return text.encode("utf-8", "surrogateescape")
    honest = text.encode("gb18030", "surrogateescape")
    return _CODE_PAGE.sub(lambda found: found[0].replace(found[1], b"ANSI_936"), honest, count=1)


def _is_utf8(sample: bytes) -> bool:
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _wide_share(sample: bytes, encoding: str) -> float:
    """Return the share of Chinese characters and punctuation among what is not ASCII; 0.0 where it is not
    decodable."""
    try:
        words = sample.decode(encoding).replace("\n", "")
    except UnicodeDecodeError:
        return 0.0
    wide = sum("\u3000" <= c <= "\u9fff" or "\uff00" <= c <= "\uffef" for c in words)
    return wide / max(1, len(words))


def _load(path: Path, name: str, encoding: str | None, content: bytes) -> OpenedDrawing:
    try:
        return OpenedDrawing(ezdxf.filemanagement.readfile(path, encoding=encoding), [])
    except _BROKEN as error:
        return _recover(content, name, error)


@contextmanager
def garbage_later() -> Iterator[None]:
    """Pause the cyclic collector while a drawing is in memory: it only walks millions of live tags, for a
    fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _recover(content: bytes, name: str, first: Exception) -> OpenedDrawing:
    try:
        document, auditor = ezdxf.recover.read(BytesIO(_without_repeated_handles(content)))
    except _BROKEN as error:
        raise SourceRefused("dxf.unreadable", source=name, cause=str(error) or type(error).__name__) from error
    fixes = [*auditor.fixes, *auditor.errors]
    findings = [Finding("dxf.recovered", "warning", values={"source": name, "cause": str(first), "fixes": len(fixes)})]
    for fix in fixes[:MOST_FIXES]:
        handle = getattr(getattr(fix.entity, "dxf", None), "handle", None)
        place = f"handle {handle}" if handle else ""
        findings.append(Finding("dxf.fixed", "info", place=place, values={"cause": fix.message}))
    return OpenedDrawing(document, findings)


def _without_repeated_handles(content: bytes) -> bytes:
    """Return an ASCII drawing in which no entity has the handle of an object before it: the audit would remove the entity.

    One without a handle is given a new one.
    """
    start = content.find(b"\nENTITIES")
    if start < 0 or content.startswith(BINARY_MARK):
        return content
    head, lines = content[: start + 1], content[start + 1 :].splitlines(keepends=True)
    seen = {handle.strip().upper() for handle in _HANDLE.findall(head)}
    whole = lines[:1]
    for at in range(1, len(lines) - 1, 2):
        code, value = lines[at].strip(), lines[at + 1].strip().upper()
        if code == b"0" and value == b"ENDSEC":
            return head + b"".join([*whole, *lines[at:]])
        if code == b"5" and value and value in seen:
            continue
        if code == b"5":
            seen.add(value)
        whole += lines[at : at + 2]
    return content
