"""The files of the built viewer: compressed when they were built, and kept by browsers where their name tells their version."""

import mimetypes
import os
import re
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

from api_config.web.kept_answers import KEPT
from api_config.web.negotiation import preferred_coding

__all__ = ["ViewerFiles"]

_SUFFIXES = {"br": ".br", "gzip": ".gz"}
"""What `viewer/vite.config.js` writes beside a file, by the coding it has; a smaller one first."""

_NAMES_ITS_VERSION = re.compile(r"(^|/)(assets/.+-[\w-]{8}\.\w+|cesium-[\d.]+/.+)$")


class ViewerFiles(StaticFiles):
    """Serves the folder of the viewer, each file in the best coding that the client takes and the build made."""

    def file_response(
        self, full_path: os.PathLike[str] | str, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        asked, path = Headers(scope=scope), Path(full_path)
        codings = _codings_of(path, stat_result)
        coding = preferred_coding(codings, asked.get("accept-encoding", "")) if codings else None
        sent = path.with_name(path.name + _SUFFIXES[coding]) if coding else path
        within = path.relative_to(Path(self.directory or ".").resolve()).as_posix()
        headers = {
            "Vary": "Accept-Encoding",
            "Cache-Control": f"public, {KEPT}" if _NAMES_ITS_VERSION.search(within) else "no-cache",
        } | ({"Content-Encoding": coding} if coding else {})
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        response = FileResponse(
            sent, status_code, headers, media_type, stat_result=sent.stat() if coding else stat_result
        )
        return NotModifiedResponse(response.headers) if self.is_not_modified(response.headers, asked) else response


def _codings_of(path: Path, written: os.stat_result) -> tuple[str, ...]:
    """Return the codings in which a file lies beside itself; one that is older than the file is of another build."""
    return tuple(
        coding for coding, suffix in _SUFFIXES.items() if _is_fresh(path.with_name(path.name + suffix), written)
    )


def _is_fresh(compressed: Path, written: os.stat_result) -> bool:
    try:
        return compressed.stat().st_mtime >= written.st_mtime - 1
    except OSError:
        return False
