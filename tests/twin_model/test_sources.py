"""The archive of sources: what is kept is what was identified, whole or not at all."""

from pathlib import Path

import pytest

from twin_model.changeset import Source
from twin_model.errors import SourceRefused
from twin_model.sources import digest_of, files_of_source, source_copy, verify_sources
from twin_model.store.base import ChangesetRecord


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "sources"


def delivered(folder: Path, **contents: str) -> tuple[Path, ...]:
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"roads.{name}").write_text(content)
    return tuple(folder / f"roads.{name}" for name in contents)


def keep(archive: Path, files: tuple[Path, ...], digest: str = "") -> Source:
    source = Source(files[0].name, digest or digest_of(files))
    with source_copy(archive, source, files) as copy:
        assert copy.path.read_text() == files[0].read_text()
        copy.keep()
    return source


def record(number: int, source: Source) -> ChangesetRecord:
    return ChangesetRecord(number, "", "", "", "", source.name, source.sha256, {}, "", "", {})


def test_the_files_of_a_source_are_kept_under_its_hash_by_name(tmp_path: Path, archive: Path) -> None:
    files = delivered(tmp_path / "in", shp="shapes", cpg="GBK", dbf="rows")

    source = keep(archive, files)

    kept = files_of_source(archive, source.sha256)
    assert [path.name for path in kept] == ["roads.cpg", "roads.dbf", "roads.shp"]
    assert digest_of(archive / source.sha256 / path.name for path in files) == source.sha256
    assert list(archive.iterdir()) == [archive / source.sha256]
    assert files_of_source(archive, "0" * 64) == ()


def test_a_source_that_changed_after_it_was_identified_is_refused_and_not_kept(tmp_path: Path, archive: Path) -> None:
    files = delivered(tmp_path / "in", csv="1,2")
    digest = digest_of(files)
    delivered(tmp_path / "in", csv="1,3")

    with pytest.raises(SourceRefused, match=r"roads\.csv changed while it was copied: .* deliver it again"):
        keep(archive, files, digest)

    assert list(archive.iterdir()) == []


def test_what_is_not_committed_is_not_kept(tmp_path: Path, archive: Path) -> None:
    files = delivered(tmp_path / "in", csv="1,2")

    with (
        pytest.raises(ValueError, match="unreadable"),
        source_copy(archive, Source("roads.csv", digest_of(files)), files),
    ):
        raise ValueError("unreadable")

    assert list(archive.iterdir()) == []


def test_a_damaged_copy_is_replaced_and_a_whole_one_stays(tmp_path: Path, archive: Path) -> None:
    files = delivered(tmp_path / "in", shp="shapes", dbf="rows")
    source = keep(archive, files)
    whole = (archive / source.sha256 / "roads.shp").stat().st_ino

    keep(archive, files)
    assert (archive / source.sha256 / "roads.shp").stat().st_ino == whole

    (archive / source.sha256 / "roads.dbf").unlink()
    keep(archive, files)
    assert verify_sources(archive, [record(1, source)]).whole == 1
    assert list(archive.iterdir()) == [archive / source.sha256]


def test_missing_and_differing_sources_are_named_with_their_versions(tmp_path: Path, archive: Path) -> None:
    whole = keep(archive, delivered(tmp_path / "1", shp="b", dbf="a"))
    tables = delivered(tmp_path / "2", line="2", point="1")
    survey = Source("roads.point", digest_of(tables))  # named by one, hashed in the order of names
    with source_copy(archive, survey, tables) as copy:
        copy.keep()
    renamed = Source("roads_2024.shp", whole.sha256)  # the same bytes under another name
    damaged = keep(archive, delivered(tmp_path / "3", csv="3"))
    (archive / damaged.sha256 / "extra").write_text("")
    (archive / damaged.sha256 / "roads.csv").write_text("4")
    edit, lost = Source("", ""), Source("plan.dxf", "0" * 64)
    history = [whole, survey, renamed, damaged, edit, lost, lost]

    audit = verify_sources(archive, [record(number, source) for number, source in enumerate(history, 1)][::-1])

    assert audit.whole == 3
    assert (audit.missing, audit.differing) == ({"plan.dxf": [6, 7]}, {"roads.csv": [4]})
