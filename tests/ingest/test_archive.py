"""Archives: what is unpacked, and what is refused before a byte of it is written."""

import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from ingest.archive import is_archive, unpack
from twin_model.errors import SourceRefused


def _with_gbk_name(path: Path, name: str, content: bytes) -> None:
    """Write a zip as Chinese Windows does: the name in GBK, no UTF-8 flag."""
    raw = name.encode("gbk")
    placeholder = "x" * len(raw)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(placeholder, content)
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), raw))


def test_a_zip_with_names_in_gbk_unpacks_to_those_names(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    _with_gbk_name(path, "测区/道路面.shp", b"content")

    folder = unpack(path, tmp_path / "out")

    assert (folder / "测区" / "道路面.shp").read_bytes() == b"content"


def test_a_zip_with_names_in_utf_8_but_without_its_flag_unpacks_to_those_names(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    raw = "道路面.shp".encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x" * len(raw), b"content")
    path.write_bytes(path.read_bytes().replace(b"x" * len(raw), raw))

    assert [one.name for one in unpack(path, tmp_path / "out").iterdir()] == ["道路面.shp"]


@pytest.mark.parametrize("name", ["../up.shp", "a/../../up.shp", "/etc/up.shp", "C:\\up.shp", "..\\up.shp"])
def test_a_path_that_leads_out_is_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.shp", b"content")
        archive.writestr(name, b"content")

    with pytest.raises(SourceRefused, match="leads out of the archive"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "up.shp").exists()


def test_a_bomb_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as out:
        for _ in range(24):
            out.write(bytes(1 << 20))

    with pytest.raises(SourceRefused, match="would unpack to 24 MiB"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_member_that_is_longer_than_it_says_is_stopped_at_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(1 << 20))
    said = struct.pack("<I", 1 << 20)
    path.write_bytes(path.read_bytes().replace(said, struct.pack("<I", 100)))

    with pytest.raises(SourceRefused):
        unpack(path, tmp_path / "out")
    assert sum(one.stat().st_size for one in (tmp_path / "out").rglob("*") if one.is_file()) <= 100


def test_a_damaged_member_is_refused_with_the_cause(tmp_path: Path) -> None:
    path = tmp_path / "damaged.zip"
    content = bytes(range(256)) * 64
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", content)
    damaged = path.read_bytes().replace(zlib.compress(content)[10:14], b"\xff\xff\xff\xff", 1)
    path.write_bytes(damaged)

    with pytest.raises(SourceRefused, match="damaged.zip cannot be read as zip"):
        unpack(path, tmp_path / "out")


def test_a_file_that_is_only_named_zip_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "letter.zip"
    path.write_text("Dear Sir")

    assert not is_archive(path)
