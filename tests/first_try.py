"""What becomes of other people's files at the first command: tried on a corpus, told as a table.

A file counts as readable where GDAL (vector kinds) or ezdxf (drawings) lists at least one feature in it. A try is good when
features are stored and every column of theirs is a field or in `attributes`; a file without CRS has a second command.

    .venv/bin/python tests/first_try.py ../shared/realdata
"""

import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ezdxf
import geopandas as gpd
import pyogrio
from ezdxf.lldxf.const import DXFError
from pyogrio.errors import DataLayerError, DataSourceError
from shapely.errors import ShapelyError

from api_config.delivery import Delivery, Outcome, deliver
from ingest.draft import ReadOptions
from ingest.mapping import Mapping
from ingest.readers import READERS, find_sources
from twin_model.town import Town, init_town

__all__ = ["BROKEN", "Try", "first_tries", "table_of"]

CRS = "EPSG:4548"
ANYWHERE = Mapping("anywhere", (), options={"coordinates": {"anywhere": True}})
"""What is said of a file whose numbers are meant to lie elsewhere: a drawing without a place in the world."""

BROKEN = "made to be wrong"
"""Files of the folder `bad/.../bad`: each shows one fault, and many have no geometry that could be read."""

_LEFT_OUT = ("layer_styles", "qgis_projects")
_UNREADABLE = (DataSourceError, DataLayerError, UnicodeDecodeError)
"""What pyogrio raises of a file that is damaged or none of its kinds, of a geometry it has no type for, of broken texts."""


@dataclass(frozen=True)
class Try:
    """One file: its kind, its columns, and what became of it: at the first command, or with the `remedy` that it named."""

    path: Path
    kind: str
    columns: frozenset[str]
    outcome: Outcome
    remedy: str
    lost: frozenset[str]

    @property
    def is_good(self) -> bool:
        """Whether features came in and no column was lost."""
        return self.outcome.error is None and self.outcome.counts.get("stored", 0) > 0 and not self.lost


def first_tries(corpus: Path) -> Iterator[Try]:
    """Try every readable file of a folder, each in a town of its own whose CRS is the file's where it has one."""
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        listed = _listed(path)
        if listed is not None:
            kind, columns = listed
            yield _tried(path, kind, columns)


def _listed(path: Path) -> tuple[str, frozenset[str]] | None:
    """Return the kind and the columns of a file that a library lists features of; None for any other."""
    if path.suffix.lower() == ".dxf":
        return ("dxf", frozenset()) if _has_entities(path) else None
    if not any(reader.name == "vector" and reader.goes_by(path) for reader in READERS):
        return None
    columns: set[str] = set()
    features = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for name, geometry in pyogrio.list_layers(path):
                about = pyogrio.read_info(path, layer=name, force_feature_count=True)
                if geometry is not None and name not in _LEFT_OUT and about["features"]:
                    features += about["features"]
                    columns |= _filled(path, name)
        except _UNREADABLE:
            return None
    return (path.suffix.lower().lstrip("."), frozenset(columns)) if features else None


def _filled(path: Path, layer: str) -> set[str]:
    """Return the columns of a layer that say something in any row."""
    frame = pyogrio.read_dataframe(path, layer=layer, read_geometry=False)
    return {str(name) for name in frame.columns if frame[name].notna().any() and (frame[name] != "").any()}


def _has_entities(path: Path) -> bool:
    try:
        return len(ezdxf.readfile(path).modelspace()) > 0
    except (DXFError, OSError, ValueError):
        return False


def _tried(path: Path, kind: str, columns: frozenset[str]) -> Try:
    with tempfile.TemporaryDirectory(prefix="twin-try-") as folder:
        town = init_town(Path(folder) / "town", name="试", crs=_crs_of(path))
        try:
            outcome, remedy = _outcome(town, path, ReadOptions()), ""
            if outcome.error is not None and outcome.error.rule_id == "source.no_crs":
                outcome, remedy = _outcome(town, path, ReadOptions(crs=CRS)), "--crs"
            if outcome.error is not None and outcome.error.rule_id.startswith("geometry."):
                outcome, remedy = _outcome(town, path, ReadOptions(crs=CRS, mapping=ANYWHERE)), "anywhere"
            lost = columns - _found_columns(town)
        finally:
            town.store.close()
    kind = BROKEN if "bad" in path.parts[-3:-1] else kind
    return Try(path, kind, columns, outcome, remedy, frozenset(lost) if outcome.error is None else frozenset())


def _outcome(town: Town, path: Path, options: ReadOptions) -> Outcome:
    (source,) = [each for each in find_sources(path) if each.is_file()][:1]
    return deliver(town, [source], Delivery(options))[0]


def _crs_of(path: Path) -> str:
    """Return a projected CRS in which the file lies: a town is where its files are."""
    if path.suffix.lower() == ".dxf":
        return CRS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            frame = pyogrio.read_dataframe(path, max_features=1)
        except (*_UNREADABLE, ShapelyError):
            return CRS
        crs = _projected(frame) if isinstance(frame, gpd.GeoDataFrame) else None
    code = crs.to_epsg() if crs is not None else None
    return f"EPSG:{code}" if code else CRS


def _projected(frame: gpd.GeoDataFrame) -> Any:
    """Return the CRS of a frame, or the UTM zone it lies in; None where it has neither."""
    if frame.crs is None or frame.crs.is_projected:
        return frame.crs
    try:
        return frame.estimate_utm_crs()
    except (RuntimeError, ValueError):  # numbers that no zone has, or none at all
        return None


def _found_columns(town: Town) -> set[str]:
    """Return the names of source columns that are fields (by their names and aliases) or in attributes."""
    names: set[str] = set()
    for layer in town.catalogue.of_kind("feature"):
        if layer.id == "finding" or not town.store.summary(layer.id).features:
            continue
        names |= {name for field in layer.fields for name in (field.name, *field.aliases)}
        frame = town.features(layer.id)
        for attributes in frame.get("attributes", ()):
            names |= set(attributes)
    return names


def table_of(tries: list[Try]) -> str:
    """Return a table of how many files of each kind came in whole at the first command, and why others did not."""
    kinds = sorted({each.kind for each in tries if each.kind != BROKEN})
    lines = [
        "| kind | files | first command | with --crs | local numbers, `anywhere` | refused or lost | columns |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in [*kinds, "all", BROKEN]:
        group = [each for each in tries if each.kind == kind or (kind == "all" and each.kind != BROKEN)]
        good = Counter(each.remedy for each in group if each.is_good)
        ways = " | ".join(str(good[remedy]) for remedy in ("", "--crs", "anywhere"))
        columns = sum(len(each.columns) for each in group)
        lines.append(f"| {kind} | {len(group)} | {ways} | {len(group) - good.total()} | {columns} |")
    return "\n".join(lines)


if __name__ == "__main__":
    tried = list(first_tries(Path(sys.argv[1])))
    print(table_of(tried))
    for each in tried:
        if not each.is_good:
            cause = (
                each.outcome.error.rule_id if each.outcome.error else f"lost {sorted(each.lost)}, {each.outcome.counts}"
            )
            print(each.path, cause, each.outcome.error.text("en")[:200] if each.outcome.error else "")
    print(Counter(each.outcome.error.rule_id for each in tried if each.outcome.error))
