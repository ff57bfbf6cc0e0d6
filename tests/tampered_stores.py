"""Tamperings with a store, made of its own tables: each column of each table that says something, each table cut short.

A town of few layers holds a row of every kind: versions and edits, what is planned and ended, findings, stored shapes,
links of a network that was split and undone, other numbers.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from surveyed_networks import Office, merged, street

from ingest.draft import Draft
from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Changeset, Source
from twin_model.finding import Finding
from twin_model.history import revert
from twin_model.store.base import Store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit

__all__ = ["CATALOGUE", "CRS", "STATEMENTS", "Tampering", "fill", "moved", "other_value", "tamperings_of"]

CRS = "EPSG:4548"
LAYERS = ("building", "pipe_point", "pipe_line", "bim_element", "finding")
CATALOGUE = Catalogue({name: read_catalogue()[name] for name in LAYERS})
MESH = b"\x00\xff" * 40


def fill(store: Store) -> None:
    """Bring a store the history that is tampered with."""
    for year, storeys in ((2020, 3), (2021, 4), (2099, 5)):
        _deliver(store, "building", houses(storeys=[storeys] * 4, usage=["a", None, "b", str(year)]), f"{year}-01-01")
    mesh = sha256(MESH).hexdigest()
    element = houses(1, name=["墙"], mesh=[mesh], global_id=["0aB"])
    _deliver(store, "bim_element", element, "2022-01-01", blobs=[(mesh, MESH)])
    office = Office(store)
    office.deliver("a.csv", street(8))
    split = office.deliver("a.csv", merged(street(8)))
    commit(store, revert(store, split.number, author="tester"))
    renumbered = street(8)
    for layer, column in (("pipe_point", "survey_no"), ("pipe_line", "segment_key")):
        renumbered[layer][column] = renumbered[layer][column].str.replace("RQ", "RQ9")
    office.deliver("a.csv", renumbered)
    commit(store, Changeset("t", "r", parse_instant("2023-01-01")[0], terminated={"building": ("building.2",)}))


def houses(count: int = 4, **columns: Any) -> gpd.GeoDataFrame:
    x = 618_000.0 + 600.0 * np.arange(count)
    return gpd.GeoDataFrame(columns, geometry=shapely.box(x, 3_886_000, x + 12, 3_886_010), crs=CRS)


def _deliver(store: Store, layer: str, frame: gpd.GeoDataFrame, effective: str, **more: Any) -> None:
    source = Source(f"{layer}.shp", f"{layer}-{effective}-{store.version()}")
    with Draft(source, CATALOGUE, storage_crs=CRS, effective=parse_instant(effective)[0]) as draft:
        draft.add(layer, frame)
        values = {"field": "层数", "value": 7}
        draft.set_aside(Finding("identity.duplicate", "error", layer=layer, feature_id="x", place="第 7 行", point=(618_000.3, 3_886_000.7), values=values, raw={"点号": "P1"}))  # fmt: skip
        for digest, content in more.get("blobs", ()):
            draft.keep_blob(digest, content)
        commit(store, draft.to_changeset(author="测量员", reason="测试"))


@dataclass(frozen=True)
class Tampering:
    """A change of one row of a table: a column gets another value, or the row goes where `column` is None."""

    table: str
    column: str | None = None
    declared: str = ""

    @property
    def named(self) -> str:
        """What the audit has to name: the layer of a table, or what the table holds."""
        word = self.table
        for prefix in ("rtree_", "vgpkg_", "history_", "twin_", "history_"):
            word = word.removeprefix(prefix)
        return _NAMED.get(word.removesuffix("_geom"), word.removesuffix("_geom"))


_NAMED = {
    "changeset": "version",
    "change": "version",
    "alias": "pipe_",
    "link": "pipe_line",
    "part": "fid|parts",
    "packed_part": "fid|parts",
    "layer": "counter|twin_layer|bim_element",
    "writer": "guard",
    "gpkg_contents": "registry|counter",
    "gpkg_geometry_columns": "registry|bim_element|building",
}
"""Words of which one has to be among those of the audit."""


def is_harmless(table: str, column: str | None) -> bool:
    """Say whether nothing that anybody is told hangs on a column: titles and styles for other programs, dates of theirs,
    which box a cell of changes has (another is widened or made), hashes by a rule of which no version is here."""
    if table in (
        "layer_styles",
        "gpkg_data_columns",
        "gpkg_data_column_constraints",
        "sqlite_sequence",
        "spatial_ref_sys",
        "vgpkg_twin_touched_cell",
    ):
        return True
    return (table.removeprefix("vgpkg_"), column) in {
        ("gpkg_contents", "identifier"),
        ("gpkg_contents", "description"),
        ("gpkg_contents", "last_change"),
        ("gpkg_spatial_ref_sys", "srs_name"),
        ("gpkg_spatial_ref_sys", "description"),
        ("twin_part", "first_content"),
        ("twin_packed_part", "first_contents"),
    }


def _is_named_below(table: str) -> bool:
    """Say whether a table is tampered with by `STATEMENTS`: a row taken at random may say what another says too."""
    return table.endswith(("twin_touched", "twin_meta", "touched_cell")) or "twin_census" in table


STATEMENTS = (
    ("DELETE FROM {touched}", "change_boxes"),
    ("UPDATE {touched} SET version = 1", "change_boxes"),
    ("UPDATE {touched} SET maxx = minx", "change_boxes"),
    ("UPDATE {touched} SET layer = 'x'", "change_boxes"),
    ("UPDATE {meta} SET value = 'EPSG:4547' WHERE key = 'crs'", "audit.crs"),
    ("DELETE FROM {meta} WHERE key = 'crs'", "damaged|no town|not the store"),
    ("UPDATE {meta} SET value = '9' WHERE key = 'format'", "format 9"),
    ("DELETE FROM {meta} WHERE key = 'format'", "damaged|no town|not the store"),
    ("UPDATE {meta} SET value = '7.5' WHERE key = 'tolerance:building'", "building"),
    ("DELETE FROM {meta} WHERE key = 'tolerance:building'", "building"),
    ("DELETE FROM {building_history}", "building"),
    ("UPDATE {building_history} SET valid_from = '2001-01-01T00:00:00.000Z'", "building"),
    ("UPDATE {building_history} SET version_to = 7 WHERE version_to IS NOT NULL", "building"),
    ("DELETE FROM finding", "finding"),
    ("DELETE FROM {changeset} WHERE number = (SELECT max(number) FROM {changeset})", "version"),
    ("DELETE FROM {blob}", "blob"),
    ("DELETE FROM {census}_instant", "audit.census"),
    ("UPDATE {census}_range SET high = low - 1", "audit.census"),
    ("UPDATE {census}_cell SET max_x = min_x", "audit.census"),
)
"""Tamperings with more than a row, and what has to be named; `{touched}` stands for a store's own name of a table."""


def tamperings_of(columns: dict[str, dict[str, str]]) -> list[Tampering]:
    """Return a tampering for each column of tables (name -> declared type), and one a table that takes a row out."""
    return [
        Tampering(table, column, types.get(column or "", ""))
        for table, types in columns.items()
        for column in (None, *types)
        if not _is_named_below(table) and not is_harmless(table, None) and not is_harmless(table, column)
    ]


def other_value(value: Any, tampering: Tampering) -> Any:
    """Return another value of the kind of one, or of its column where that has none."""
    declared = tampering.declared
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value - 1_000 if str(tampering.column).startswith("min") else value + 1_000
    if isinstance(value, str):
        return value + "1"
    if isinstance(value, bytes):
        place = len(value) // 2
        return value[:place] + bytes([value[place] ^ 0x10]) + value[place + 1 :]
    return 7 if declared.upper().startswith(("INT", "BIG", "REAL", "DOUBLE", "NUM", "BOOL")) else "x"


def moved(blob: bytes) -> bytes:
    """Return a geometry of a GeoPackage 1 m to the east; its head stays."""
    head = 8 if not blob[3] & 0x0E else 40
    shape = shapely.transform(shapely.from_wkb(blob[head:]), lambda xyz: xyz + np.eye(1, xyz.shape[1]), include_z=blob[head + 2] >= 3)  # fmt: skip
    return blob[:head] + bytes(shapely.to_wkb(shape, byte_order=1, flavor="iso"))
