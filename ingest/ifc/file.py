"""An IFC file as it is delivered: recognised by content, unpacked, its schema known, opened by ifcopenshell.

What lies in it is read by `ingest/ifc/reader.py`; its text is mended in `ingest/ifc/text.py`, checked in `ingest/ifc/syntax.py`.
"""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ifcopenshell

from ingest.ifc.terminal import quiet_terminal
from ingest.ifc.text import mend, schema_of
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["IfcFile", "opened_ifc", "recognises_ifc"]

_ISO = b"ISO-10303-21"
_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 65_536
_MOST_UNPACKED = 2 * 1024**3
_MOST_RATIO = 200
_CHUNK = 1 << 20


@dataclass(frozen=True)
class IfcFile:
    """An opened model, the schema its file names and what was noticed on the way."""

    model: Any
    schema: str
    findings: tuple[Finding, ...]


def recognises_ifc(path: Path) -> bool:
    """Say whether a file's content is IFC: STEP text with an IFC schema, a zip with one, or ifcXML (to be refused)."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    if head.startswith(b"PK\x03\x04"):
        return _zip_holds_ifc(path)
    if _ISO in head[:256]:
        return schema_of(head).startswith("IFC")
    return _is_ifcxml(head)


def _is_ifcxml(head: bytes) -> bool:
    start = head[:4096].lower().lstrip(_BOM)
    return (
        start.lstrip().startswith(b"<")
        and b"<landxml" not in start
        and (b"ifcxml" in start or b"iso_10303_28" in start or b"buildingsmart" in start)
    )


def _zip_holds_ifc(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.lower().endswith((".ifc", ".ifcxml")) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


@contextmanager
def opened_ifc(path: Path, name: str, encoding: str | None = None) -> Iterator[IfcFile]:
    """Yield the opened model of an .ifc or .ifczip file; SourceRefused with the cause where it cannot be read.

    `encoding` is that of texts which are not escaped as the standard wants; without it UTF-8, then GBK.
    """
    with tempfile.TemporaryDirectory(prefix="ifc-") as folder:
        plain, content = _plain(path, name, Path(folder))
        if _is_ifcxml(content[:4096]):
            raise SourceRefused("ifc.xml", source=name)
        text = mend(content, name, encoding)
        if text.content is not content:
            plain = Path(folder) / "mended.ifc"
            plain.write_bytes(text.content)
        schema, findings = text.schema, text.findings
        del content, text
        yield IfcFile(_open(plain, name), schema, findings)


def _plain(path: Path, name: str, folder: Path) -> tuple[Path, bytes]:
    """Return where the plain file lies and its bytes."""
    try:
        plain = _unpacked(path, name, folder) if _is_zip(path) else path
        return plain, plain.read_bytes()
    except OSError as error:
        raise SourceRefused("ifc.unreadable", source=name, cause=error.strerror or str(error)) from error


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _unpacked(path: Path, name: str, folder: Path) -> Path:
    """Unpack the one .ifc of a zip, counting what really comes out: sizes in a zip's directory can lie."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = _only_ifc(archive, name)
            most = min(_MOST_UNPACKED, max(_CHUNK, _MOST_RATIO * path.stat().st_size))
            target = folder / "unpacked.ifc"
            with archive.open(member) as packed, target.open("wb") as file:
                _copy_at_most(packed, file, most, name)
            return target
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise SourceRefused("ifc.zip_unreadable", source=name, cause=str(error)) from error


def _only_ifc(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    models = [member for member in members if member.filename.lower().endswith(".ifc")]
    if not models and any(member.filename.lower().endswith(".ifcxml") for member in members):
        raise SourceRefused("ifc.xml", source=name)
    if len(models) != 1:
        raise SourceRefused(
            "ifc.zip_members", source=name, count=len(models), members=[member.filename for member in members[:10]]
        )
    return models[0]


def _copy_at_most(packed: Any, file: Any, most: int, name: str) -> None:
    written = 0
    while chunk := packed.read(_CHUNK):
        written += len(chunk)
        if written > most:
            raise SourceRefused("ifc.zip_bomb", source=name, most_mb=most // _CHUNK)
        file.write(chunk)


def _open(path: Path, name: str) -> Any:
    try:
        with quiet_terminal():
            model = ifcopenshell.open(str(path), format=".ifc")  # what it is was judged, not its ending
    except (RuntimeError, OSError, ValueError, ifcopenshell.Error) as error:
        raise SourceRefused("ifc.unreadable", source=name, cause=str(error)) from error
    return model
