"""The text of an IFC file made fit for ifcopenshell: byte order mark off, schema by its final name, texts escaped.

ISO 10303-21 writes what is not ASCII as \\X2\\…\\X0\\. Several programs write raw UTF-8 or GBK instead, and ifcopenshell
then answers with empty texts, in silence; here they are escaped before it opens the file.
"""

import re
from dataclasses import dataclass

from ingest.ifc.losses import Losses
from ingest.ifc.odd_values import OddValue, odd_values, with_odd_values_unset
from ingest.ifc.syntax import check_syntax, outline_of
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

__all__ = ["READ_SCHEMAS", "IfcText", "mend", "schema_of"]

READ_SCHEMAS = ("IFC2X3", "IFC4", "IFC4X3_ADD2")
"""The schemas that are read as they are; those of `_RELABELLED` are the same one under another name."""

_RELABELLED = {
    "IFC4X3": "IFC4X3_ADD2",
    "IFC4X3_TC1": "IFC4X3_ADD2",
    "IFC4X3_ADD1": "IFC4X3_ADD2",
    "IFC4_ADD1": "IFC4",
    "IFC4_ADD2": "IFC4",
    "IFC4_ADD2_TC1": "IFC4",
    "IFC2X3_TC1": "IFC2X3",
    "IFC2X3_FINAL": "IFC2X3",
}
_FILE_SCHEMA = re.compile(rb"FILE_SCHEMA\s*\(\s*\(\s*'([^']*)'", re.IGNORECASE)
_ISO = b"ISO-10303-21"
_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 65_536
_ENCODINGS = ("utf-8", "gb18030")
_BASIC = re.compile("[\u0080-\uffff]+")
_BEYOND = re.compile("[\U00010000-\U0010ffff]+")


@dataclass(frozen=True)
class IfcText:
    """The bytes ifcopenshell shall open, the schema the file named, and what was noticed or mended."""

    content: bytes
    schema: str
    findings: tuple[Finding, ...]


def mend(content: bytes, name: str, encoding: str | None = None) -> IfcText:
    """Return a file's text checked and mended; SourceRefused for another schema or broken syntax.

    `content` comes back as the very same object where nothing had to be mended.
    """
    findings = []
    text = content.removeprefix(_BOM)
    if text is not content:
        findings.append(Finding("ifc.byte_order_mark", "info"))
    schema, label = _schema(text, name)
    if not text.isascii():
        text, used = _escaped(text, encoding)
        findings.append(Finding("ifc.raw_text", "info", values={"encoding": used}))
    outline = outline_of(text)
    noted, defined = check_syntax(outline, name)
    findings += noted
    if label != schema:
        findings.append(Finding("ifc.relabelled", "info", values={"schema": schema, "read_as": label}))
        text = _FILE_SCHEMA.sub(f"FILE_SCHEMA(('{label}'".encode(), text, count=1)
    odd = odd_values(outline.data, defined, label)
    if odd:
        text, words = with_odd_values_unset(text, odd)
        findings += _odd_findings(words)
    return IfcText(text, schema, tuple(findings))


def _odd_findings(words: dict[OddValue, str]) -> list[Finding]:
    """Return what odd values lost, by rule; a `*` for "unset" lost nothing."""
    losses = Losses()
    for odd, instance in words.items():
        if odd.fault != "star":
            losses.add("ifc.reference_lost" if odd.fault == "reference" else "ifc.value_lost", instance)
    return losses.findings()


def schema_of(head: bytes) -> str:
    """Return the schema the first bytes of a STEP file name, "" where they name none."""
    schema = _FILE_SCHEMA.search(head[:_HEAD_BYTES]) if _ISO in head[:256] else None
    return schema.group(1).decode("ascii", "replace").strip().upper() if schema else ""


def _schema(text: bytes, name: str) -> tuple[str, str]:
    """Return the schema a file names and the one it is read as."""
    if _ISO not in text[:256]:
        raise SourceRefused("ifc.no_header", source=name)
    schema = schema_of(text)
    label = schema if schema in READ_SCHEMAS else _RELABELLED.get(schema)
    if label is None:
        raise SourceRefused("ifc.schema", source=name, schema=schema or "-", read=[*READ_SCHEMAS, *_RELABELLED])
    return schema, label


def _escaped(text: bytes, encoding: str | None) -> tuple[bytes, str]:
    """Return a file with raw letters escaped, and the encoding they were read in: as named, else UTF-8, GBK or Latin-1."""
    for name in (encoding, *_ENCODINGS) if encoding else _ENCODINGS:
        try:
            words = text.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        return _escape(words), name
    return _escape(text.decode("latin-1")), "latin-1"


def _escape(words: str) -> bytes:
    words = _BASIC.sub(lambda run: f"\\X2\\{run.group().encode('utf-16-be').hex().upper()}\\X0\\", words)
    words = _BEYOND.sub(lambda run: f"\\X4\\{run.group().encode('utf-32-be').hex().upper()}\\X0\\", words)
    return words.encode("ascii")
