"""Terrain tiles, read back by a decoder written here from the quantized-mesh 1.0 specification."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tiles.terrain import (
    HEIGHT_STEP,
    NORMALS,
    WHOLE_GLOBE_ZOOM,
    encode_terrain_tile,
    is_available,
    layer_json,
    max_zoom_for,
    terrain_tile_bounds,
)
from twin_model.crs import transform_bounds, transform_xy
from twin_model.relief import build_surface

Float64 = NDArray[np.float64]
TOWN = (118.28, 35.08, 118.33, 35.12)
AXES = np.array([6378137.0, 6378137.0, 6356752.314245179])


@dataclass(frozen=True)
class Mesh:
    """What a tile says, in the units of its specification; `lon`, `lat`, `height` per vertex."""

    centre: Float64
    low: float
    high: float
    sphere: tuple[Float64, float]
    occlusion: Float64
    lon: Float64
    lat: Float64
    height: Float64
    u: NDArray[np.int64]
    v: NDArray[np.int64]
    triangles: NDArray[np.int64]
    edges: dict[str, NDArray[np.int64]]
    extensions: dict[int, bytes]


class Reader:
    """Walks through the bytes of a tile."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def numbers(self, format: str) -> tuple[Any, ...]:
        values = struct.unpack_from(format, self.content, self.at)
        self.at += struct.calcsize(format)
        return values

    def array(self, count: int, width: int) -> list[int]:
        return list(self.numbers(f"<{count}{'H' if width == 2 else 'I'}"))


def unzigzag(codes: list[int]) -> NDArray[np.int64]:
    value, values = 0, []
    for code in codes:
        value += (code >> 1) ^ -(code & 1)
        values.append(value)
    return np.array(values)


def high_watermark(codes: list[int]) -> NDArray[np.int64]:
    highest, indices = 0, []
    for code in codes:
        indices.append(highest - code)
        if code == 0:
            highest += 1
    return np.array(indices)


def decode(content: bytes, z: int, x: int, y: int) -> Mesh:
    reader = Reader(content)
    centre = np.array(reader.numbers("<3d"))
    low, high = reader.numbers("<2f")
    sphere = np.array(reader.numbers("<3d")), reader.numbers("<d")[0]
    occlusion = np.array(reader.numbers("<3d"))
    (count,) = reader.numbers("<I")
    u, v, h = (unzigzag(reader.array(count, 2)) for _ in range(3))
    width = 4 if count > 65536 else 2
    reader.at += -reader.at % width
    (triangle_count,) = reader.numbers("<I")
    triangles = high_watermark(reader.array(3 * triangle_count, width)).reshape(-1, 3)
    edges = {
        side: np.array(reader.array(reader.numbers("<I")[0], width)) for side in ("west", "south", "east", "north")
    }
    extensions = {}
    while reader.at < len(content):
        kind, length = reader.numbers("<BI")
        extensions[kind] = content[reader.at : reader.at + length]
        reader.at += length
    assert reader.at == len(content)
    side = 180.0 / 2**z
    lon, lat = -180.0 + (x + u / 32767.0) * side, -90.0 + (y + v / 32767.0) * side
    height = low + h / 32767.0 * (high - low)
    return Mesh(centre, low, high, sphere, occlusion, lon, lat, height, u, v, triangles, edges, extensions)


def ecef(lon: Float64, lat: Float64, height: Float64) -> Float64:
    """Place on the WGS 84 ellipsoid through the normal scaled by its axes (Cesium's way, not the house's)."""
    lam, phi = np.radians(lon), np.radians(lat)
    normal = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)
    foot = AXES**2 * normal
    foot = foot / np.sqrt((normal * foot).sum(axis=-1, keepdims=True))
    return np.asarray(foot + normal * height[..., None])


def hills(lon: Float64, lat: Float64) -> Float64:
    """A rolling country of 40 m with waves of about a kilometre, everywhere on the globe."""
    return np.asarray(70.0 + 20.0 * np.sin(np.radians(lon) * 36000.0) * np.cos(np.radians(lat) * 31000.0))


def tile_over(lon: float, lat: float, z: int) -> tuple[int, int, int]:
    return z, int((lon + 180.0) / 180.0 * 2**z), int((lat + 90.0) / 180.0 * 2**z)


TILE = tile_over(118.3, 35.1, 14)
addresses = st.integers(0, 20).flatmap(
    lambda z: st.tuples(st.just(z), st.integers(0, 2 ** (z + 1) - 1), st.integers(0, 2**z - 1))
)


@settings(deadline=None, max_examples=40)
@given(addresses, st.sampled_from([5, 17, 33]))
def test_vertices_lie_on_the_ground_and_triangles_cover_the_tile(address: tuple[int, int, int], grid: int) -> None:
    mesh = decode(encode_terrain_tile(*address, hills, grid=grid), *address)

    column, row = mesh.u / 32767.0 * (grid - 1), mesh.v / 32767.0 * (grid - 1)
    side = 180.0 / 2 ** address[0]
    exact = hills(
        -180.0 + (address[1] + column.round() / (grid - 1)) * side,
        -90.0 + (address[2] + row.round() / (grid - 1)) * side,
    )
    a, b, c = (np.stack([mesh.u, mesh.v], axis=1)[mesh.triangles[:, i]] for i in range(3))
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    np.testing.assert_allclose(mesh.height, exact, atol=HEIGHT_STEP / 2 + 1e-6)
    assert (turn > 0).all()
    assert turn.sum() == 2 * 32767**2
    assert set(mesh.triangles.ravel()) == set(range(grid * grid))
    assert mesh.low <= mesh.height.min() < mesh.low + 1e-9
    assert mesh.height.max() <= mesh.high


def shared(mesh: Mesh, side: str) -> tuple[NDArray[np.int64], Float64]:
    """Return position along the edge and height of its vertices, in the order of position."""
    edge = mesh.edges[side]
    along = (mesh.v if side in {"west", "east"} else mesh.u)[edge]
    order = np.argsort(along)
    return along[order], mesh.height[edge][order]


@settings(deadline=None, max_examples=30)
@given(addresses.filter(lambda address: address[0] > 0), st.booleans())
def test_neighbours_share_exactly_the_heights_of_their_edge(address: tuple[int, int, int], eastward: bool) -> None:
    z, x, y = address[0], address[1], min(address[2], 2 ** address[0] - 2)
    there_x, there_y = ((x + 1) % 2 ** (z + 1), y) if eastward else (x, y + 1)
    sides = ("east", "west") if eastward else ("north", "south")

    here = decode(encode_terrain_tile(z, x, y, hills), z, x, y)
    there = decode(encode_terrain_tile(z, there_x, there_y, hills), z, there_x, there_y)

    for mine, theirs in zip(shared(here, sides[0]), shared(there, sides[1]), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_tiles_on_both_sides_of_180_degrees_ask_for_the_same_places() -> None:
    def rising(lon: Float64, lat: Float64) -> Float64:
        return np.asarray(100.0 + lon / 4.0 + lat)

    west, east = (4, 0, 9), (4, 31, 9)

    far_west = decode(encode_terrain_tile(*west, rising), *west)
    far_east = decode(encode_terrain_tile(*east, rising), *east)

    np.testing.assert_array_equal(shared(far_east, "east")[1], shared(far_west, "west")[1])


def test_neighbours_agree_where_one_is_flat_and_the_other_steep() -> None:
    z, x, y = TILE
    border = terrain_tile_bounds(z, x, y)[2]

    def scarp(lon: Float64, lat: Float64) -> Float64:
        return np.asarray(52.34567 + np.maximum(lon - border, 0.0) * 40_000.0)

    flat = decode(encode_terrain_tile(z, x, y, scarp), z, x, y)
    steep = decode(encode_terrain_tile(z, x + 1, y, scarp), z, x + 1, y)

    assert steep.height.max() > 400.0
    assert set(flat.height) == set(shared(steep, "west")[1])
    assert flat.high - flat.low <= 16.0


def test_edges_name_the_vertices_on_the_four_sides() -> None:
    mesh = decode(encode_terrain_tile(*TILE, hills), *TILE)

    for side, coordinate, value in (
        ("west", mesh.u, 0),
        ("south", mesh.v, 0),
        ("east", mesh.u, 32767),
        ("north", mesh.v, 32767),
    ):
        assert set(mesh.edges[side]) == set(np.flatnonzero(coordinate == value))


@pytest.mark.parametrize("address", [TILE, tile_over(118.3, 35.1, 8), tile_over(-70.0, -33.0, 3), (1, 0, 0)])
def test_the_sphere_holds_the_tile_and_the_occlusion_point_is_seen_before_any_vertex(
    address: tuple[int, int, int],
) -> None:
    mesh = decode(encode_terrain_tile(*address, hills), *address)
    vertices = ecef(mesh.lon, mesh.lat, mesh.height)

    centre, radius = mesh.sphere
    away = np.linalg.norm(vertices - centre, axis=1)
    assert away.max() <= radius * 1.0001 + 0.05
    assert np.linalg.norm(mesh.centre - vertices.mean(axis=0)) < radius
    # From any eye that sees a vertex over the scaled globe's horizon, the occlusion point is seen too.
    eyes = np.random.default_rng(4).normal(size=(400, 3))
    eyes = eyes / np.linalg.norm(eyes, axis=1, keepdims=True) * np.random.default_rng(5).uniform(1.0001, 4.0, (400, 1))
    seen = np.array([sees(eye, vertices / AXES).any() for eye in eyes])
    point_seen = np.array([sees(eye, mesh.occlusion[None])[0] for eye in eyes])
    assert point_seen[seen].all()


def sees(eye: Float64, targets: Float64) -> NDArray[np.bool_]:
    """Say which targets a unit sphere leaves in sight of an eye: the line between them stays outside it."""
    along = targets - eye
    share = np.clip(-(along @ eye) / (along**2).sum(axis=1), 0.0, 1.0)
    return np.asarray(
        np.linalg.norm(eye + share[:, None] * along, axis=1) >= np.minimum(1.0, np.linalg.norm(targets, axis=1))
    )


def test_more_than_65536_vertices_take_indices_of_32_bits() -> None:
    mesh = decode(encode_terrain_tile(*TILE, hills, grid=257), *TILE)

    assert len(mesh.height) == 257 * 257
    assert mesh.triangles.max() == 257 * 257 - 1
    assert len(mesh.triangles) == 2 * 256 * 256
    np.testing.assert_allclose(mesh.height, hills(mesh.lon, mesh.lat), atol=0.1)


def test_relief_beyond_512_metres_is_kept_with_coarser_steps() -> None:
    def mountain(lon: Float64, lat: Float64) -> Float64:
        return np.asarray(3000.0 + (lat - 35.0) * 200_000.0)

    mesh = decode(encode_terrain_tile(*TILE, mountain), *TILE)

    assert mesh.height.max() - mesh.height.min() > 1000.0
    np.testing.assert_allclose(mesh.height, mountain(mesh.lon, mesh.lat), atol=0.1)


def test_where_the_height_is_unknown_the_tile_has_the_held_height() -> None:
    def town_only(lon: Float64, lat: Float64) -> Float64:
        return np.where(np.hypot(lon - 118.3, lat - 35.1) < 0.03, 90.0, np.inf)

    root = decode(encode_terrain_tile(0, 1, 0, town_only, held=61.5), 0, 1, 0)
    near = decode(encode_terrain_tile(*tile_over(118.3, 35.1, 11), town_only, held=61.5), *tile_over(118.3, 35.1, 11))

    assert set(root.height) == {61.5}
    np.testing.assert_allclose(sorted({round(float(h), 6) for h in near.height}), [61.5, 90.0])


def test_normals_point_out_of_the_slope_and_agree_along_a_shared_edge() -> None:
    z, x, y = TILE
    slope = 0.3

    def rising_east(lon: Float64, lat: Float64) -> Float64:
        return np.asarray(np.radians(lon - 118.3) * 6378137.0 * np.cos(np.radians(35.1)) * slope)

    mesh = decode(encode_terrain_tile(z, x, y, rising_east, normals=True), z, x, y)
    neighbour = decode(encode_terrain_tile(z, x + 1, y, rising_east, normals=True), z, x + 1, y)

    corners = ecef(mesh.lon, mesh.lat, mesh.height)[mesh.triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face = face / np.linalg.norm(face, axis=1, keepdims=True)
    normals = oct_decoded(mesh.extensions[1])
    assert (face * normals[mesh.triangles[:, 0]]).sum(axis=1).min() > np.cos(np.radians(1.0))
    np.testing.assert_array_equal(
        normals[mesh.edges["east"]][np.argsort(mesh.v[mesh.edges["east"]])],
        oct_decoded(neighbour.extensions[1])[neighbour.edges["west"]][np.argsort(neighbour.v[neighbour.edges["west"]])],
    )


def oct_decoded(content: bytes) -> Float64:
    folded = np.frombuffer(content, np.uint8).reshape(-1, 2) / 255.0 * 2.0 - 1.0
    z = 1.0 - np.abs(folded).sum(axis=1)
    unfolded = np.where(z[:, None] < 0, (1.0 - np.abs(folded[:, ::-1])) * np.where(folded >= 0, 1.0, -1.0), folded)
    normal = np.column_stack([unfolded, z])
    return np.asarray(normal / np.linalg.norm(normal, axis=1, keepdims=True))


def test_a_tile_without_normals_has_no_extension() -> None:
    assert decode(encode_terrain_tile(*TILE, hills), *TILE).extensions == {}


def test_the_layer_promises_the_whole_globe_coarsely_and_the_town_finely() -> None:
    layer = layer_json(TOWN, 16)

    assert (layer["format"], layer["scheme"], layer["projection"]) == (
        "quantized-mesh-1.0",
        "tms",
        "EPSG:4326",
    )
    assert layer["extensions"] == [NORMALS]
    assert len(layer["available"]) == 17
    assert layer["available"][0] == [{"startX": 0, "startY": 0, "endX": 1, "endY": 0}]
    for z in range(WHOLE_GLOBE_ZOOM + 1, 17):
        (there,) = layer["available"][z]
        west, south, *_ = terrain_tile_bounds(z, there["startX"], there["startY"])
        *_, east, north = terrain_tile_bounds(z, there["endX"], there["endY"])
        side = 180.0 / 2**z
        assert west <= TOWN[0] < west + side and south <= TOWN[1] < south + side
        assert east - side <= TOWN[2] < east and north - side <= TOWN[3] < north


@given(addresses)
def test_a_promised_tile_has_a_promised_parent_and_both_say_the_same_as_the_layer(
    address: tuple[int, int, int],
) -> None:
    z, x, y = address
    layer = layer_json(TOWN, 18)

    promised = is_available(TOWN, z, x, y, 18)

    ranges = layer["available"][z] if z <= 18 else []
    assert promised == any(r["startX"] <= x <= r["endX"] and r["startY"] <= y <= r["endY"] for r in ranges)
    assert not promised or z == 0 or is_available(TOWN, z - 1, x // 2, y // 2, 18)


@given(addresses.filter(lambda address: address[0] < 20))
def test_children_tile_their_parent_with_rows_counted_from_the_south(address: tuple[int, int, int]) -> None:
    z, x, y = address
    west, south, east, north = terrain_tile_bounds(z, x, y)

    south_west = terrain_tile_bounds(z + 1, 2 * x, 2 * y)
    north_east = terrain_tile_bounds(z + 1, 2 * x + 1, 2 * y + 1)

    assert south_west[:2] == (west, south)
    assert north_east[2:] == (east, north)
    assert south_west[2:] == north_east[:2]


@pytest.mark.parametrize("address", [(-1, 0, 0), (0, 2, 0), (0, 0, 1), (3, -1, 0), (40, 0, 0)])
def test_an_address_outside_the_scheme_is_refused(address: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no terrain tile"):
        encode_terrain_tile(*address, hills)


@pytest.mark.parametrize("grid", [2, 32, 34, 0])
def test_a_grid_that_neighbours_could_not_share_is_refused(grid: int) -> None:
    with pytest.raises(ValueError, match="power of two plus one"):
        encode_terrain_tile(*TILE, hills, grid=grid)


@given(st.floats(0.5, 500.0))
def test_the_finest_zoom_is_the_first_whose_vertices_are_close_enough(resolution: float) -> None:
    zoom = max_zoom_for(resolution)

    spacing = 6378137.0 * np.pi / 32 / 2.0**zoom
    assert spacing <= resolution < 2 * spacing


def test_a_surveyed_hill_comes_out_at_its_place_and_height() -> None:
    x0, y0 = 618_000.0, 3_885_000.0
    x, y = np.meshgrid(x0 + np.arange(0.0, 2001.0, 50.0), y0 + np.arange(0.0, 2001.0, 50.0))
    cone = 60.0 + np.maximum(30.0 - np.hypot(x - x0 - 1000.0, y - y0 - 1000.0) / 20.0, 0.0)
    surface = build_surface(np.column_stack([x.ravel(), y.ravel(), cone.ravel()]), np.empty(0, dtype=object))
    undulation = -4.0

    def ground(lon: Float64, lat: Float64) -> Float64:
        return surface.height_near(*transform_xy(lon, lat, "OGC:CRS84", "EPSG:4548")) + undulation

    west, south, east, north = transform_bounds(surface.bounds, "EPSG:4548", "OGC:CRS84")
    address = tile_over((west + east) / 2, (south + north) / 2, max_zoom_for(10.0))
    mesh = decode(encode_terrain_tile(*address, ground), *address)
    root = decode(encode_terrain_tile(0, 0, 0, ground), 0, 0, 0)

    px, py = transform_xy(mesh.lon, mesh.lat, "OGC:CRS84", "EPSG:4548")
    away = np.hypot(px - x0 - 1000.0, py - y0 - 1000.0)
    np.testing.assert_allclose(mesh.height, 56.0 + np.maximum(30.0 - away / 20.0, 0.0), atol=1.0)
    assert mesh.height.max() > 80.0
    np.testing.assert_allclose(root.height, surface.rim_height + undulation, atol=HEIGHT_STEP)
