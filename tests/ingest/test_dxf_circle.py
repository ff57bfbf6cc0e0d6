"""Circles stand at their centre, exactly, however they are drawn and however small they are."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from ezdxf import filemanagement

from ingest.draft import Draft, ReadOptions
from ingest.dxf.circle import centre_in_block, centre_of_bulges, centre_of_curve
from ingest.dxf.reader import read_dxf
from ingest.mapping import LayerMapping, Mapping
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source

EAST, NORTH = 617_000.1234, 3_885_000.5678
RADII = (0.004, 0.01, 0.025, 0.026, 0.04, 0.2, 3.0)


def circles(space: Any, document: Any, radius: float) -> dict[str, tuple[float, float]]:
    """Draw a circle in every way, each on a layer of its own; return the centre by layer."""
    ways = ("circle", "arc", "two arcs", "four arcs", "open arcs", "old polyline", "ellipse", "block", "mirrored", "block beside its point")  # fmt: skip
    at = {way: (EAST + 10 * n, NORTH) for n, way in enumerate(ways)}
    x, y = at["circle"]
    space.add_circle((x, y), radius, dxfattribs={"layer": "circle"})
    space.add_arc(at["arc"], radius, 30, 390, dxfattribs={"layer": "arc"})
    for way, count in (("two arcs", 2), ("four arcs", 4), ("open arcs", 3), ("old polyline", 2)):
        x, y = at[way]
        angles = 0.3 + 2 * math.pi * np.arange(count + (way == "open arcs")) / count
        bulge = math.tan(math.pi / 2 / count)
        points = [(x + radius * math.cos(a), y + radius * math.sin(a), bulge) for a in angles]
        draw = space.add_polyline2d if way == "old polyline" else space.add_lwpolyline
        draw(points, format="xyb", close=way != "open arcs", dxfattribs={"layer": way})
    space.add_ellipse(at["ellipse"], (radius, 0), 0.5, dxfattribs={"layer": "ellipse"})
    document.blocks.new(f"ROUND{radius}").add_circle((0, 0), radius)
    document.blocks.new(f"BESIDE{radius}").add_circle((2, 1), radius)
    space.add_blockref(f"ROUND{radius}", at["block"], dxfattribs={"layer": "block", "rotation": 30})
    x, y = at["block beside its point"]
    space.add_blockref(f"BESIDE{radius}", (x - 2, y - 1), dxfattribs={"layer": "block beside its point"})
    x, y = at["mirrored"]
    space.add_circle((-x, y), radius, dxfattribs={"layer": "mirrored", "extrusion": (0, 0, -1)})
    return at


@pytest.mark.parametrize("radius", RADII)
def test_a_circle_is_a_point_at_its_centre_however_it_is_drawn(tmp_path: Path, radius: float) -> None:
    document = filemanagement.new(units=6)
    at = circles(document.modelspace(), document, radius)
    document.saveas(tmp_path / "a.dxf")
    mapping = Mapping("m", tuple(LayerMapping((way,), "street_lamp", {"pole_no": ("layer",)}) for way in at))

    with Draft(Source("a.dxf", "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_dxf(tmp_path / "a.dxf", draft, ReadOptions(crs="EPSG:4548", mapping=mapping))
        [(_, frame), *others] = draft.frames()
        frames = [frame, *(one for _, one in others)]
        counts = draft.counts

    points = {name: shape for one in frames for name, shape in zip(one["pole_no"], one.geometry, strict=True)}
    assert (counts.stored, counts.quarantined, counts.decoration) == (len(at), 0, 0)
    assert {way: math.dist((points[way].x, points[way].y), at[way]) < 1e-6 for way in at} == dict.fromkeys(at, True)


@pytest.mark.parametrize("radius", RADII)
def test_a_small_circle_keeps_its_shape_as_an_area(tmp_path: Path, radius: float) -> None:
    document = filemanagement.new(units=6)
    document.modelspace().add_circle((EAST, NORTH), radius, dxfattribs={"layer": "Green"})
    document.saveas(tmp_path / "a.dxf")
    mapping = Mapping("m", (LayerMapping(("Green",), "vegetation_area"),))

    with Draft(Source("a.dxf", "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_dxf(tmp_path / "a.dxf", draft, ReadOptions(crs="EPSG:4548", mapping=mapping))
        frame = next(iter(draft.frames()))[1]

    assert shapely.area(frame.geometry).tolist() == pytest.approx([math.pi * radius**2], rel=0.2)


def test_what_is_no_whole_circle_has_no_centre() -> None:
    document = filemanagement.new()
    space = document.modelspace()
    block = document.blocks.new("LAMP")
    block.add_circle((0, 0), 1)
    block.add_line((0, 0), (1, 0))
    half, whole = math.tan(math.pi / 4), np.array([[0.0, 0.0], [2.0, 0.0]])

    assert centre_of_curve(space.add_arc((0, 0), 1, 0, 180)) is None
    assert centre_of_curve(space.add_ellipse((0, 0), (1, 0), 0.5, 0, 3)) is None
    assert centre_in_block(block, centre_of_curve) is None
    assert centre_of_bulges(whole, np.array([half, half]), closed=False) is None
    assert centre_of_bulges(whole, np.array([half, -half]), closed=True) is None
    assert centre_of_bulges(whole, np.array([half, half]), closed=True).tolist() == [1.0, 0.0]  # type: ignore[union-attr]
