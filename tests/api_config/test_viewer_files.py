"""Files of the viewer: sent as the build compressed them, kept where their name tells their version; and answers kept by theirs."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiles.viewer_files import viewer_folder

SCRIPT = b"export const town = 1;" * 200


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    for name in (
        "index.html",
        "assets/index-Bdtbv78K.js",
        "cesium-26.3.0/Workers/decode.js",
        "maplibre/maplibre-gl.js",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(SCRIPT)
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(SCRIPT))
    return folder


def test_a_file_is_sent_compressed_and_kept_where_its_name_tells_its_version(
    scratch: Any, built: Path, inside_of: Callable[..., Any]
) -> None:
    ask = inside_of(scratch.path, viewer=built)
    is_immutable = {}
    for name in ("", "assets/index-Bdtbv78K.js", "cesium-26.3.0/Workers/decode.js", "maplibre/maplibre-gl.js"):
        answer = ask.get(f"/viewer/{name}", headers={"Accept-Encoding": "br, gzip"})
        assert answer.content == SCRIPT
        assert answer.headers["content-encoding"] == "gzip" and answer.headers["vary"].startswith("Accept-Encoding")
        is_immutable[name] = "immutable" in answer.headers["cache-control"]

    assert list(is_immutable.values()) == [False, True, True, False]
    plain = ask.get("/viewer/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.content == SCRIPT
    again = {"If-None-Match": plain.headers["etag"], "Accept-Encoding": "identity"}
    assert ask.get("/viewer/", headers=again).status_code == 304


def test_what_an_earlier_build_compressed_is_not_sent(scratch: Any, built: Path, inside_of: Callable[..., Any]) -> None:
    ask, page = inside_of(scratch.path, viewer=built), built / "index.html"
    page.write_bytes(b"new")
    written = page.stat().st_mtime + 60
    os.utime(page, (written, written))

    answer = ask.get("/viewer/", headers={"Accept-Encoding": "gzip"})

    assert answer.content == b"new" and "content-encoding" not in answer.headers


@pytest.mark.skipif(not (viewer_folder() / "index.html").is_file(), reason="the viewer is not built: make viewer")
def test_the_build_names_what_is_kept_for_good_by_its_version(scratch: Any, inside_of: Callable[..., Any]) -> None:
    ask, folder = inside_of(scratch.path), viewer_folder()
    for path in (next(folder.glob("assets/*.js")), next(folder.glob("cesium-*/Workers/*.js"))):
        answer = ask.get(f"/viewer/{path.relative_to(folder).as_posix()}", headers={"Accept-Encoding": "br"})
        assert "immutable" in answer.headers["cache-control"], path.name
        assert answer.headers.get("content-encoding") == ("br" if path.stat().st_size >= 1400 else None), path.name


def test_an_address_with_a_version_that_has_passed_is_answered_and_not_kept(
    scratch: Any, bring: Any, square: Any, inside_of: Callable[..., Any]
) -> None:
    bring(scratch, "building", [square(0, 0)], height=[9.0], storeys=[3])
    ask = inside_of(scratch.path)
    earlier = tileset_of(ask)
    assert ask.get(earlier).headers["cache-control"] == "private, max-age=31536000, immutable"

    bring(scratch, "building", [square(50, 0)], height=[9.0], storeys=[3])

    assert tileset_of(ask) != earlier
    assert ask.get(earlier).headers["cache-control"] == "no-cache"
    assert ask.get(earlier).content == ask.get(tileset_of(ask)).content


def tileset_of(ask: Any) -> str:
    layers = ask.get("/viewer/config.json").json()["layers"]
    return str(next(layer["tileset"] for layer in layers if layer["id"] == "building"))
