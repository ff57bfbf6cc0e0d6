"""The mesh blob: written and read back equal, equal meshes equal bytes, anything else refused with the reason."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twin_model.building.mesh import MAGIC, Mesh, digest_of, enclosed_volume, matrix_of, matrix_text, outward


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    n, m = draw(st.integers(1, 12)), draw(st.integers(0, 12))
    vertices = draw(arrays(np.float64, (n, 3), elements=st.floats(-1e7, 1e7)))
    triangles = draw(arrays(np.uint32, (m, 3), elements=st.integers(0, n - 1)))
    colors = draw(arrays(np.uint8, (draw(st.sampled_from([0, 1, m])), 4)))
    return Mesh(vertices, triangles, colors)


@settings(max_examples=60, deadline=None)
@given(mesh=meshes())
def test_a_mesh_written_and_read_back_is_equal_to_the_last_bit(mesh: Mesh) -> None:
    blob = mesh.to_bytes()

    again = Mesh.from_bytes(blob)

    assert again.vertices.tobytes() == mesh.vertices.tobytes()
    assert np.array_equal(again.triangles, mesh.triangles)
    assert np.array_equal(again.colors, mesh.colors)
    assert again.to_bytes() == blob


@settings(max_examples=40, deadline=None)
@given(mesh=meshes(), cut=st.integers(1, 30))
def test_a_blob_cut_off_or_lengthened_is_refused(mesh: Mesh, cut: int) -> None:
    blob = mesh.to_bytes()

    for wrong in (blob[:-cut], blob + b"\0" * cut):
        with pytest.raises(ValueError, match="mesh blob"):
            Mesh.from_bytes(wrong)


@settings(max_examples=40, deadline=None)
@given(matrix=arrays(np.float64, (4, 4), elements=st.floats(-1e8, 1e8)))
def test_a_matrix_survives_its_text_exactly_and_is_written_column_by_column(matrix: np.ndarray) -> None:
    text = matrix_text(matrix)

    assert np.array_equal(matrix_of(text), matrix)
    assert json.loads(text)[12:15] == matrix[:3, 3].tolist()


def test_a_placed_mesh_has_its_vertices_turned_and_moved() -> None:
    quarter_turn = np.array([[0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 5], [0, 0, 0, 1]], dtype=np.float64)
    mesh = Mesh(np.array([[1.0, 2.0, 3.0]]), np.empty((0, 3), np.uint32))

    placed = mesh.placed(quarter_turn)

    assert placed.tolist() == [[8.0, 21.0, 8.0]]


def test_the_first_bytes_of_a_blob_are_as_documented() -> None:
    mesh = Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]], np.uint32), np.array([[1, 2, 3, 255]], np.uint8))

    blob = mesh.to_bytes()

    assert struct.unpack_from("<4sIIII", blob) == (MAGIC, 1, 3, 1, 1)
    assert len(blob) == 20 + 72 + 12 + 4
    assert blob[-4:] == bytes([1, 2, 3, 255])
    assert len(digest_of(blob)) == 64


def test_one_colour_is_that_of_every_triangle_and_none_is_none() -> None:
    triangles = np.zeros((2, 3), np.uint32)

    one = Mesh(np.zeros((1, 3)), triangles, np.array([[9, 8, 7, 6]], np.uint8))

    assert one.triangle_colors is not None
    assert one.triangle_colors.tolist() == [[9, 8, 7, 6]] * 2
    assert Mesh(np.zeros((1, 3)), triangles).triangle_colors is None


def test_a_triangle_beyond_the_vertices_a_foreign_blob_and_odd_colours_are_refused() -> None:
    beyond = Mesh(np.zeros((2, 3)), np.array([[0, 1, 2]], np.uint32)).to_bytes()

    with pytest.raises(ValueError, match="beyond the 2"):
        Mesh.from_bytes(beyond)
    with pytest.raises(ValueError, match="not a mesh blob"):
        Mesh.from_bytes(b"glTF" + beyond[4:])
    with pytest.raises(ValueError, match="3 colours for 2 triangles"):
        Mesh(np.zeros((3, 3)), np.zeros((2, 3), np.uint32), np.zeros((3, 4), np.uint8))
    with pytest.raises(ValueError, match="16 numbers"):
        matrix_of("[1, 2, 3]")


_CORNERS = np.array([[x, y, z] for x in (0, 2) for y in (0, 3) for z in (0, 4)], dtype=np.float64) + 600_000
_BOX = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]],
    np.uint32,
)  # fmt: skip


def test_a_closed_mesh_written_inside_out_is_turned_and_one_that_is_not_stays_as_it_is() -> None:
    turned = outward(_CORNERS, _BOX[:, ::-1])

    assert enclosed_volume(_CORNERS, turned) == pytest.approx(24.0)
    assert outward(_CORNERS, turned) is turned


def test_an_open_mesh_is_left_as_it_was_written_for_it_has_no_outside() -> None:
    open_box = np.ascontiguousarray(_BOX[1:, ::-1])

    assert enclosed_volume(_CORNERS, open_box) < 0
    assert outward(_CORNERS, open_box) is open_box
