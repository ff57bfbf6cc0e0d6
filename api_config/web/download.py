"""What a filter shows as one file: CSV, XLSX, GeoPackage, GeoParquet, FlatGeobuf, made on disk and sent from there.

The file lies in the town's cache without a name while it is sent, so nothing stays when a client leaves. Encoders are those of
`twin export` (`tiles/encodings`). Who may download what is classified is decided here.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote
from zoneinfo import ZoneInfo

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api_config.web.answer import VARY
from api_config.web.call import Call
from api_config.web.negotiation import preferred_format
from api_config.web.reach import is_from_outside
from tiles.encodings.files import write_table
from tiles.encodings.table_spool import TableForm, TableSpool, shown_columns
from twin_model.deadline import is_over
from twin_model.errors import DownloadForbidden, QueryRefused
from twin_model.layer import Layer
from twin_model.store.base import FeatureQuery
from twin_model.temporal import Interval

__all__ = [
    "DOWNLOADS",
    "TITLES",
    "answer_download",
    "disposition",
    "ensure_may_download",
    "file_name",
    "is_download",
    "may_download",
]

DOWNLOADS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "gpkg": "application/geopackage+sqlite3",
    "parquet": "application/vnd.apache.parquet",
    "fgb": "application/flatgeobuf",
}
"""Media types by the name of `f`, which is the ending of the file too."""

TITLES = {
    "csv": "CSV",
    "xlsx": "XLSX",
    "gpkg": "GeoPackage",
    "parquet": "GeoParquet",
    "fgb": "FlatGeobuf",
}

_PAGES = {"json": "application/geo+json", "html": "text/html"}
"""What is no file."""

_ROWS = 10_000
"""Rows of a frame: geometries of very many vertices come in one too."""

_CHUNK = 256 * 1024
_MIB = 2**20
_OLD_SECONDS = 3600
"""A folder of a download this old was left by a process that was killed."""


def is_download(request: Request) -> bool:
    """Say whether a request asks for a file, by `f` or by Accept."""
    form = request.query_params.get("f")
    if form is not None:
        return form in DOWNLOADS
    return preferred_format(_PAGES | DOWNLOADS, request.headers.get("accept", ""), "json") in DOWNLOADS


def may_download(call: Call, layer: Layer) -> bool:
    """Say whether the caller is given files of a layer: what is classed above 内部 stays on this machine."""
    return not (call.town.marking(layer).is_restricted and is_from_outside(call.request, call.settings))


def ensure_may_download(call: Call, layer: Layer) -> None:
    """Refuse a layer classed above 内部 to whoever may be asking from beyond this machine."""
    if not may_download(call, layer):
        marking = call.town.marking(layer)
        raise DownloadForbidden(layer=layer.id, classification=marking.class_in("en"))


def answer_download(
    call: Call, layer: Layer, query: FeatureQuery, *, crs: str, form: str, etag: str, headers: dict[str, str]
) -> Response:
    """Return a file with all that a query finds; for HEAD its headers alone.

    `crs` is that of the file, x, y order. QueryRefused `download.too_large` beyond `TWIN_DOWNLOAD_MIB`.
    """
    name = file_name(call, layer, form)
    heads = {
        "Vary": VARY,
        "Cache-Control": "no-cache",
        "ETag": etag,
        "Content-Disposition": disposition(name),
    } | headers
    if call.request.method == "HEAD":
        answer = Response(b"", headers=heads, media_type=DOWNLOADS[form])
        del answer.headers["content-length"]  # that of the answer to GET is not known without making it
        return answer
    return FileAnswer(_encoded(call, layer, query, crs, form), heads, DOWNLOADS[form])


def file_name(call: Call, layer: Layer, form: str) -> str:
    """Return the name of a file: layer, class where it has one, day: building_内部_2026-11-30.csv."""
    when = call.view().datetime
    instant = (when.end or when.start) if isinstance(when, Interval) else when
    zone = ZoneInfo(call.town.settings.timezone)
    day = datetime.fromisoformat(instant).astimezone(zone) if instant else datetime.now(zone)
    parts = (layer.id, call.town.marking(layer).classification, f"{day:%Y-%m-%d}")
    return "_".join(filter(None, parts)) + f".{form}"


def disposition(name: str) -> str:
    """Return the header that names a file, in any script (RFC 6266, RFC 5987); old clients get its ASCII letters."""
    plain = "".join(letter if letter.isascii() and letter not in '"\\' else "" for letter in name).replace("__", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


class FileAnswer(Response):
    """An answer sent from an open file, a piece at a time, as fast as the client takes it; the file is closed in any case."""

    def __init__(self, file: BinaryIO, headers: dict[str, str], media_type: str) -> None:
        size = file.seek(0, 2)
        file.seek(0)
        super().__init__(None, 200, headers | {"Content-Length": str(size)}, media_type)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while chunk := await anyio.to_thread.run_sync(self._file.read, _CHUNK):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._file.close()


def _encoded(call: Call, layer: Layer, query: FeatureQuery, crs: str, form: str) -> BinaryIO:
    """Return the file, open for reading; its name is gone already."""
    shape = TableForm(layer, crs, call.town.settings.timezone, shown_columns(layer, query), query.geometry)
    with _folder(call.town.cache / "downloads") as folder:
        spool = TableSpool(folder / "rows", shape, _limit(call, layer))
        frames = call.town.store.frames(query, _ROWS)
        try:
            spool.fill(frames)
        finally:
            _end(frames)
        part = folder / f"{layer.id}.{form}"
        write_table(spool, part, call.town.marking(layer))
        return part.open("rb")


def _end(frames: Iterator[object]) -> None:
    """End a reading that was broken off: its connection is free at once."""
    if isinstance(frames, Generator):
        frames.close()


def _limit(call: Call, layer: Layer) -> Callable[[int, int], None]:
    """Return what ends a download that is too large, or that nobody waits for any more."""
    most = call.settings.download_mib

    def look(rows: int, size: int) -> None:
        if size > most * _MIB:
            raise QueryRefused("download.too_large", layer=layer.id, most=most, rows=rows)
        if is_over():
            raise TimeoutError("nobody waits for the download")

    return look


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """Lend a folder of one's own, in the town's cache, or in the system's folder where that cannot be written."""
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(parent)
        made = tempfile.TemporaryDirectory(prefix="download-", dir=parent, ignore_cleanup_errors=True)
    except OSError:
        made = tempfile.TemporaryDirectory(prefix="twin-download-", ignore_cleanup_errors=True)
    with made as folder:
        yield Path(folder)


def _sweep(parent: Path) -> None:
    """Remove what processes that were killed left behind."""
    for entry in parent.iterdir():
        if time.time() - entry.stat().st_mtime > _OLD_SECONDS:
            shutil.rmtree(entry, ignore_errors=True)
