"""Make the bundle for machines without network: `python bundle/make_bundle.py [--python 3.12 ...] [--out dist]`.

One archive, `dist/hsr-town-twin-<version>-<platform>.tar.gz`: a wheelhouse, documents, licences, `SHA256SUMS` and
`install.sh`. What the installer does is written in it; `docs/install.md` is the page for whoever installs.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from licences import LOCK, Package, viewer_packages, wheel_licence_files, wheel_package
from wheelhouse import GLIBC, PROJECT, ROOT, machine, make_wheelhouse, platform_name

DOCUMENTS = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "LICENSE", "NOTICE", "constraints.txt", "docs")
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_STATED_ONLY = "no file of its own; the licence is stated in the package's metadata"


def make_bundle(out: Path, pythons: Iterable[str]) -> Path:
    """Return the archive, written into the folder `out`; an archive of that name is replaced once the new one is whole."""
    pythons = [THIS_PYTHON, *(python for python in pythons if python != THIS_PYTHON)]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=out) as working:
        wheels = Path(working, "wheelhouse")
        version = wheel_package(make_wheelhouse(wheels, pythons)).version
        folder = Path(working, f"{PROJECT}-{version}-{platform_name()}")
        folder.mkdir()
        wheels.rename(folder / "wheelhouse")
        copy_documents(folder)
        write_licences(folder / "wheelhouse", folder / "licences")
        write_facts(folder, version, pythons)
        write_checksums(folder)
        part = Path(working, "bundle.tar.gz")
        pack(folder, part)
        archive = out / f"{folder.name}.tar.gz"
        part.replace(archive)
    return archive


def copy_documents(folder: Path) -> None:
    for name in DOCUMENTS:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, folder / name)
    shutil.copy(ROOT / "bundle" / "install.sh", folder / "install.sh")
    (folder / "install.sh").chmod(0o755)


def write_facts(folder: Path, version: str, pythons: list[str]) -> None:
    """Write what the installer compares the machine with."""
    system, libc = platform_name().split("-")[0], ".".join(map(str, GLIBC))
    facts = {"version": version, "system": system, "machine": machine(), "pythons": " ".join(pythons), "glibc": libc}
    (folder / "BUNDLE").write_text("".join(f"{name}={value}\n" for name, value in facts.items()), "utf-8")


def write_licences(wheels: Path, folder: Path) -> None:
    """Write the licence files of every wheel and of every package in the viewer, and a list of them all."""
    rows = []
    for wheel in sorted(wheels.glob("*.whl")):
        package = wheel_package(wheel)
        rows.append(_licence_row(package, _write_files(folder / "python" / package.name, wheel_licence_files(wheel))))
    for package in viewer_packages():
        files = [
            path
            for path in _viewer_folder(package).iterdir()
            if path.name.lower().startswith(("licen", "copying", "notice"))
        ]
        names = _write_files(
            folder / "viewer" / package.name.replace("/", "_"), ((path.name, path.read_bytes()) for path in files)
        )
        rows.append(_licence_row(package, names))
    (folder / "LICENCES.txt").write_text("\n".join(rows) + "\n", "utf-8")


def _viewer_folder(package: Package) -> Path:
    """Return the folder in which npm has put a package, beside or below the one that needs it."""
    modules = LOCK.parent / "node_modules"
    for manifest in (modules / package.name, *modules.glob(f"**/node_modules/{package.name}")):
        if manifest.is_dir() and f'"version": "{package.version}"' in (manifest / "package.json").read_text("utf-8"):
            return manifest
    raise SystemExit(
        f"{package.name} {package.version} is not in {modules}. Expected what npm installs. Run: make viewer"
    )


def _write_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> list[str]:
    names = []
    for name, content in files:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        names.append(name)
    return names


def _licence_row(package: Package, files: list[str]) -> str:
    if not package.is_allowed:
        raise SystemExit(
            f"{package.name} {package.version} is under {package.licence or 'no licence'}. Expected a permissive one, MPL-2.0 or LGPL. "
            "Do without the package, or see bundle/licences.py."
        )
    return f"{package.name} {package.version}\n    {package.licence}\n    {', '.join(files) or _STATED_ONLY}"


def write_checksums(folder: Path) -> None:
    """Write `SHA256SUMS` in the form that `sha256sum -c` reads."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rows = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files
    )
    (folder / "SHA256SUMS").write_text("".join(rows), "utf-8")


def pack(folder: Path, archive: Path) -> None:
    """Pack a folder; owners and times are the same whoever packs it."""
    seconds = _commit_time()

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = seconds
        member.mode = 0o755 if member.isdir() or member.name.endswith(".sh") else 0o644
        return member

    with tarfile.open(archive, "w:gz", compresslevel=1) as packed:  # wheels are compressed already
        packed.add(folder, folder.name, filter=plain)


def _commit_time() -> int:
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return int(done.stdout or 0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Make the bundle for machines without network.", epilog="python bundle/make_bundle.py --python 3.12"
    )
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="3.12",
        help="a Python that the bundle is for beside this one; may be given several times",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="folder of the archive (default: dist)")
    chosen = parser.parse_args()
    archive = make_bundle(chosen.out, chosen.python)
    print(f"{archive} ({archive.stat().st_size / 1e6:.0f} MB)")


if __name__ == "__main__":
    main()
