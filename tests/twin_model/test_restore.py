"""A backup comes back whole or not at all, and one from a stranger writes and runs nothing.

Kills in the midst of a replacement: `test_replacement.py`.
"""

import json
import stat
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from twin_model.backup import backup_town, restore_town
from twin_model.backup_archive import RestoreLimits
from twin_model.errors import StoreError
from twin_model.messages import LANGUAGES
from twin_model.town import init_town, open_town


@pytest.fixture(scope="module")
def town_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town with one house, a key in `private/`, a tile in its cache and a former backup."""
    folder = tmp_path_factory.mktemp("original") / "town"
    house = gpd.GeoDataFrame(
        {"name": ["甲楼"]}, geometry=[shapely.box(618_000, 3_886_000, 618_012, 3_886_010)], crs=4548
    )
    with init_town(folder, name="新城", crs="EPSG:4548") as town:
        town.edit("building", house, reason="first", effective="2020-01-01")
    (folder / "private" / "key").write_text("secret")
    (folder / "sources" / "0f").mkdir()
    (folder / "sources" / "0f" / "图　纸 1:500.dxf").write_text("a drawing")
    (folder / "cache" / "tile").write_text("made again at any time")
    (folder / "backups" / "older.zip").write_text("a former backup")
    return folder


@pytest.fixture(scope="module")
def backup(town_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("kept") / "town.zip"
    with open_town(town_folder) as town:
        backup_town(town, target)
    return target


Members = dict[str, bytes]


def forged(backup: Path, target: Path, change: Callable[[Members], Any], *, extra: Any = ()) -> Path:
    """Write a backup as somebody would who changes its members and makes the manifest agree; `extra` members follow."""
    with zipfile.ZipFile(backup) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members)
    manifest["members"] = {name: sha256(content).hexdigest() for name, content in members.items()}
    manifest["members"] |= {
        info.filename: sha256(content).hexdigest() for info, content in extra if isinstance(info, zipfile.ZipInfo)
    }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for info, content in extra:
            archive.writestr(info, content)
        archive.writestr("manifest.json", json.dumps(manifest))
    return target


def settings_with(line: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        text = members["town.toml"].decode()
        members["town.toml"] = text.replace('store = "store.gpkg"', line).encode()

    return change


def everything_in(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def test_a_restored_town_is_the_one_that_was_backed_up_without_its_cache_and_backups(
    town_folder: Path, backup: Path, tmp_path: Path
) -> None:
    made = restore_town(backup, tmp_path / "town")

    before, after = everything_in(town_folder), everything_in(tmp_path / "town")
    ours = {name for name in before if not name.startswith(("cache/", "backups/", "store.gpkg"))}
    assert {name: before[name] for name in ours} == {name: after[name] for name in ours}
    assert set(after) == ours | {"store.gpkg"} and made.replaced == "" and made.store_before == ""
    with zipfile.ZipFile(backup) as archive:
        assert not [name for name in archive.namelist() if name.startswith(("cache", "backups"))]
    assert stat.S_IMODE((tmp_path / "town" / "private").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "place", ["{outside}/passwd", "../passwd", "a/../../passwd", "sub/store.gpkg", "cache/x.pickle"]
)
def test_the_store_comes_to_lie_in_the_town_whatever_place_the_backup_names(
    place: str, backup: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("root")
    (tmp_path / "passwd").write_text("root")
    named = place.format(outside=outside)
    foreign = forged(backup, tmp_path / "foreign.zip", settings_with(f'store = "{named}" # theirs'))

    made = restore_town(foreign, tmp_path / "town")

    assert (outside / "passwd").read_text() == (tmp_path / "passwd").read_text() == "root"
    assert made.store_before == named
    assert (tmp_path / "town" / "store.gpkg").is_file()
    with open_town(tmp_path / "town") as town:
        assert town.settings.store == "store.gpkg" and len(town.features("building")) == 1


def test_a_store_that_no_plain_line_names_is_not_restored(backup: Path, tmp_path: Path) -> None:
    for number, line in enumerate(('"st\\u006fre" = "../x"', 'store = """\n../x"""')):
        foreign = forged(backup, tmp_path / f"{number}.zip", settings_with(line))

        with pytest.raises(StoreError, match=r"cannot be changed to store\.gpkg"):
            restore_town(foreign, tmp_path / "town")

        assert not (tmp_path / "town").exists() and not (tmp_path / "x").exists()


@pytest.mark.parametrize("address", ["postgresql://boss:pw@127.0.0.1:1/x", "postgres://h/d?password=pw"])
def test_a_server_that_the_backup_names_is_never_connected_to(address: str, backup: Path, tmp_path: Path) -> None:
    geopackage = forged(backup, tmp_path / "a.zip", settings_with(f'store = "{address}"'))
    assert restore_town(geopackage, tmp_path / "town").store_before.startswith("postgres")

    def with_dump(members: Members) -> None:
        settings_with(f'store = "{address}"')(members)
        members["store"] = b"PGDMP" + bytes(100)

    dump = forged(backup, tmp_path / "b.zip", with_dump)
    with pytest.raises(StoreError, match="writes only to a server that you name") as caught:
        restore_town(dump, tmp_path / "other")
    assert "pw" not in caught.value.text("zh") + caught.value.text("en")
    with pytest.raises(StoreError, match="is a GeoPackage, --store names"):
        restore_town(backup, tmp_path / "other", server=address)
    assert not (tmp_path / "other").exists()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def test_members_that_no_backup_holds_are_refused_before_anything_is_written(backup: Path, tmp_path: Path) -> None:
    strange = [
        "cache/relief/surface-4-1.pickle", "backups/old.zip", "store.gpkg", "store.gpkg-wal", "readme.txt", "catalogue",
        "/etc/cron.d/x", "../x", "private/../../x", "private//x", "private/./x", "private/.ssh", ".replacement.json",
        "private\\..\\x", "C:/x", "private/C:x", "private/a\x01b", "private/", "sources/" + "x" * 300, "Private/x", "STORE",
    ]  # fmt: skip
    cases: list[Any] = [[(name, b"x")] for name in strange]
    cases += [[link("private/link", "/etc/passwd")], [link("catalogue/x.toml", "../private/key")]]
    for number, extra in enumerate(cases):
        extra = [(zipfile.ZipInfo(info) if isinstance(info, str) else info, content) for info, content in extra]
        foreign = forged(backup, tmp_path / f"{number}.zip", lambda members: None, extra=extra)

        with pytest.raises(StoreError, match="which no backup holds") as caught:
            restore_town(foreign, tmp_path / "town")

        assert "\x01" not in caught.value.text()
        assert not (tmp_path / "town").exists(), extra
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".zip"] * len(cases)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_one_file_on_some_disk_are_refused(backup: Path, tmp_path: Path) -> None:
    for number, name in enumerate(
        ("private/key", "private/KEY", "private/key.", "private/key/x", "Sources/x", "sources/0F/x")
    ):
        foreign = forged(backup, tmp_path / f"{number}.zip", lambda members: None, extra=[(zipfile.ZipInfo(name), b"")])

        with pytest.raises(StoreError, match=r"which are one file on some disks|which no backup holds"):
            restore_town(foreign, tmp_path / "town")

        assert not (tmp_path / "town").exists(), name


def test_a_backup_that_would_fill_the_disk_is_refused_but_one_of_ours_never_is(
    town_folder: Path, backup: Path, tmp_path: Path
) -> None:
    zeros = bytes(20 << 20)
    bomb = forged(backup, tmp_path / "bomb.zip", lambda members: members.update({"private/zeros": zeros}))
    with pytest.raises(StoreError, match=r"would unpack to \d+ MB, \d+ times its size"):
        restore_town(bomb, tmp_path / "town")
    assert not (tmp_path / "town").exists()

    settings = forged(backup, tmp_path / "settings.zip", lambda members: members.update({"town.toml": bytes(2 << 20)}))
    with pytest.raises(StoreError, match="times its size"):
        restore_town(settings, tmp_path / "town")

    try:
        (town_folder / "private" / "zeros").write_bytes(zeros)
        with open_town(town_folder) as town:
            backup_town(town, tmp_path / "ours.zip")
    finally:
        (town_folder / "private" / "zeros").unlink()
    restore_town(tmp_path / "ours.zip", tmp_path / "town")
    assert (tmp_path / "town" / "private" / "zeros").stat().st_size == 20 << 20


def test_how_much_a_backup_may_unpack_to_is_the_operators_word(backup: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(backup) as archive:
        files = len(archive.infolist())

    for limits in (RestoreLimits(mib=1, files=files - 1), RestoreLimits(mib=0)):
        with pytest.raises(StoreError, match=f"--most-mib .* --most-files {files}"):
            restore_town(backup, tmp_path / "town", limits=limits)
        assert not (tmp_path / "town").exists()

    assert restore_town(backup, tmp_path / "town", limits=RestoreLimits(mib=10, files=files)).version


def spoiled(backup: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield backups that were damaged or made by somebody who does not know how, by what is wrong with them."""
    whole = backup.read_bytes()

    def written(name: str, content: bytes) -> tuple[str, Path]:
        (folder / f"{name}.zip").write_bytes(content)
        return name, folder / f"{name}.zip"

    yield written("empty", b"")
    yield written("half", whole[: len(whole) // 2])
    yield written("flipped", whole[:3000] + bytes([whole[3000] ^ 0xFF]) + whole[3001:])
    yield written("rubbish", b"PK\x03\x04" + bytes(range(256)) * 20)
    changes: dict[str, Callable[[Members], Any]] = {
        "without store": lambda members: members.pop("store"),
        "without settings": lambda members: members.pop("town.toml"),
        "settings no TOML": lambda members: members.update({"town.toml": b"store = "}),
        "settings deep": lambda members: members.update({"town.toml": b"a = " + b"[" * 100_000}),
        "settings no text": lambda members: members.update({"town.toml": b"\xff\xfe"}),
        "store rubbish": lambda members: members.update({"store": b"rubbish"}),
        "store damaged": lambda members: members.update({"store": members["store"][:5000] + bytes(9000)}),
        "store of nobody": lambda members: members.update({"store": b"SQLite format 3\0" + bytes(9000)}),
        "catalogue wrong": lambda members: members.update({"catalogue/x.toml": b"[layer.x]\nname = 1"}),
    }
    for name, change in changes.items():
        yield name, forged(backup, folder / f"{name}.zip", change)
    for name, content in {
        "no list": b"{}",
        "a list": b"[]",
        "deep": b"[" * 100_000,
        "no text": b"\xff",
        "numbers": b'{"made": "x", "members": {"store": 1, "town.toml": 2}}',
    }.items():
        with zipfile.ZipFile(backup) as archive, zipfile.ZipFile(folder / f"{name}.zip", "w") as other:
            for member in archive.namelist():
                other.writestr(member, content if member == "manifest.json" else archive.read(member))
        yield name, folder / f"{name}.zip"


def test_a_damaged_backup_is_refused_in_words_and_leaves_the_present_town(
    town_folder: Path, backup: Path, tmp_path: Path
) -> None:
    restore_town(backup, tmp_path / "town")
    before = everything_in(tmp_path / "town")

    for name, path in spoiled(backup, tmp_path):
        with pytest.raises(StoreError) as caught:
            restore_town(path, tmp_path / "town", replace=True)

        texts = [caught.value.text(lang) for lang in LANGUAGES]
        assert path.name in texts[0] and path.name in texts[1], (name, texts)
        assert everything_in(tmp_path / "town") == before, name


def test_a_replaced_town_lies_in_backups_beside_what_lay_there(backup: Path, tmp_path: Path) -> None:
    folder = tmp_path / "town"
    restore_town(backup, folder)
    (folder / "backups" / "older.zip").write_text("a former backup")
    (folder / "cache" / "tile").write_text("of the former town")
    (folder / "notes.txt").write_text("of the former town")
    (folder / "private" / "key").write_text("changed since")

    made = [restore_town(backup, folder, replace=True) for _ in range(2)]

    assert (folder / "private" / "key").read_text() == "secret"
    assert list((folder / "cache").iterdir()) == [], "a tile of that town may have the name of another here"
    assert (folder / "backups" / "older.zip").read_text() == "a former backup"
    former = Path(made[0].replaced)
    assert former.parent == folder / "backups" and made[1].replaced != made[0].replaced
    assert (former / "private" / "key").read_text() == "changed since"
    assert (former / "notes.txt").read_text() == "of the former town"
    with open_town(former) as town:
        assert len(town.features("building")) == 1
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_folder_of_other_files_is_not_taken_for_a_place(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.txt").write_text("years of work")

    for replace in (False, True):
        with pytest.raises(StoreError, match=r"holds no town, but other files: thesis\.txt"):
            restore_town(backup, tmp_path / "papers", replace=replace)

    assert everything_in(tmp_path / "papers") == {"thesis.txt": b"years of work"}


def test_a_backup_that_could_not_be_restored_is_not_made(town_folder: Path, tmp_path: Path) -> None:
    strange = town_folder / "private" / "a\nb"
    strange.write_text("x")
    try:
        with open_town(town_folder) as town, pytest.raises(StoreError, match="rename that file"):
            backup_town(town, tmp_path / "town.zip")
    finally:
        strange.unlink()

    assert list(tmp_path.iterdir()) == []
