"""Licences of what is carried along: packages of the viewer by their lock file, Python packages by their wheels.

`python bundle/licences.py` writes `NOTICE`. Which licences let a town use a package is decided here, for tests and bundle alike.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "viewer" / "package-lock.json"

PERMISSIVE = re.compile(
    r"\b(0?BSD|MIT|Apache|ISC|ISCL|PSF|Python Software|Zlib|CC0|CNRI|HPND|MPL|Mozilla|LGPL|Lesser General|Unlicense|Artistic|BlueOak|Public Domain)",
    re.I,
)
STRONG = re.compile(r"(?<!L)(?<!Lesser )\b(A?GPL|GNU General Public|GNU Affero|SSPL|Commons Clause|BUSL)\b", re.I)
STATED_IN_THE_SOURCE = {"@mapbox/jsonlint-lines-primitives": "MIT"}
"""Packages whose metadata says nothing; this one is a part of `jsonlint`, whose README states the licence."""
_LICENCE_FILE = re.compile(r"(licen[cs]es?/|licen[cs]e|copying|notice|authors)", re.I)


@dataclass(frozen=True)
class Package:
    """A package that is carried: its name, its version and what its metadata says of its licence."""

    name: str
    version: str
    licence: str

    @property
    def is_allowed(self) -> bool:
        """Whether the licence is permissive, MPL-2.0 or LGPL (as a library); what says nothing is not."""
        return bool(PERMISSIVE.search(self.licence)) and not STRONG.search(self.licence)


def viewer_packages(lock: Path = LOCK) -> list[Package]:
    """Return the packages that the viewer is built of, with their dependencies; not those that only build it."""
    packages: Mapping[str, Mapping[str, Any]] = json.loads(lock.read_text("utf-8"))["packages"]
    carried = {path: entry for path, entry in packages.items() if path and not entry.get("dev")}
    return sorted(
        (
            Package(name, str(entry["version"]), str(entry.get("license") or STATED_IN_THE_SOURCE.get(name, "")))
            for path, entry in carried.items()
            for name in [path.rpartition("node_modules/")[2]]
        ),
        key=lambda package: (package.name, package.version),
    )


def wheel_package(wheel: Path) -> Package:
    """Return name, version and licence of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata_name,) = (name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        metadata = Parser().parsestr(archive.read(metadata_name).decode("utf-8", "replace"))
    statements = [metadata.get("License-Expression") or "", (metadata.get("License") or "")[:200]]
    statements += [
        classifier.split("::")[-1]
        for classifier in metadata.get_all("Classifier", [])
        if classifier.startswith("License")
    ]
    return Package(str(metadata["Name"]), str(metadata["Version"]), " ".join(" ".join(statements).split()))


def wheel_licence_files(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files in which a wheel states its licence and those of what it holds."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            place = name.partition(".dist-info/")[2]
            if place and not name.endswith("/") and _LICENCE_FILE.match(place):
                yield place.removeprefix("licenses/").replace("/", "_"), archive.read(name)


def notice_text(packages: list[Package]) -> str:
    """Return the text of `NOTICE` for the packages of the viewer."""
    rows = "\n".join(f"  {package.name} {package.version}: {package.licence}" for package in packages)
    return f"""HSR Town Twin · 高铁新城数字孪生

This product is licensed under the Apache License 2.0 (see LICENSE).
本产品按 Apache License 2.0 许可（见 LICENSE）。

The 3D viewer is built of the packages below and carries them. CesiumJS (@cesium/engine) is by Cesium GS, Inc. and
contributors; its own notices of third parties are in viewer/dist/cesium/LICENSE.md (in the wheel: tiles/viewer/cesium/LICENSE.md).
MapLibre GL JS states its licence in viewer/dist/maplibre/LICENSE.txt. No ion service and no font is carried.
三维场景由下列软件包构建并随附发布；其中 CesiumJS 的第三方声明见 cesium/LICENSE.md。未使用 Cesium ion 服务，未附带字体。

{rows}

Python packages are not part of the wheel: they are installed beside it. A bundle for machines without network carries
their wheels unchanged, with the licences of all of them in its folder licences/.
Python 依赖包不在本软件包内，离线安装包原样附带其安装文件，许可证见 licences/ 文件夹。
"""


if __name__ == "__main__":
    (ROOT / "NOTICE").write_text(notice_text(viewer_packages()), "utf-8")
