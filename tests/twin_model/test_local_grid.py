"""A local grid: fitted as numpy and PROJ would, honest about its residuals, and silent about its parameters."""

import stat
from pathlib import Path

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_model.errors import CalledWrongly
from twin_model.local_grid import Control, LocalGrid, fit_grid, read_grid, write_grid

TARGET = "EPSG:4548"
XIAN_80 = "EPSG:2384"
SEEDS = st.integers(0, 2**32 - 1)


def control(source: np.ndarray, target: np.ndarray) -> Control:
    heights = np.zeros((len(source), 1))
    return Control(
        tuple(f"K{n}" for n in range(len(source))), np.hstack((source, heights)), np.hstack((target, heights))
    )


def turned(xy: np.ndarray, degrees: float, scale: float) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(scale * xy @ np.array([[cos, sin], [-sin, cos]]) + [618_000.0, 3_885_000.0])


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.floats(-180, 180), st.floats(0.999, 1.001), st.integers(3, 12))
def test_four_parameters_are_those_of_least_squares_and_bring_any_point_to_its_place(
    seed: int, degrees: float, scale: float, count: int
) -> None:
    random = np.random.default_rng(seed)
    source, others = random.uniform(0, 5000, (count, 2)), random.uniform(-1000, 6000, (20, 2))
    noisy = turned(source, degrees, scale) + random.normal(0, 0.01, (count, 2))
    x, y = (source - source.mean(axis=0)).T
    one, none = np.ones(count), np.zeros(count)
    matrix = np.vstack((np.column_stack((x, -y, one, none)), np.column_stack((y, x, none, one))))
    a, b, c, d = np.linalg.lstsq(matrix, noisy.T.ravel(), rcond=None)[0]

    fit = fit_grid(control(source, noisy), "similarity", "g", target_crs=TARGET)

    dx, dy = (others - source.mean(axis=0)).T
    east, north = fit.grid.to_target(others[:, 0], others[:, 1])
    assert east == pytest.approx(a * dx - b * dy + c, abs=1e-5)
    assert north == pytest.approx(b * dx + a * dy + d, abs=1e-5)
    assert fit.rmse == pytest.approx(
        np.sqrt(((noisy - np.column_stack(fit.grid.to_target(*source.T))) ** 2).sum(1).mean())
    )
    exact = fit_grid(control(source, turned(source, degrees, scale)), "similarity", "g", target_crs=TARGET)
    assert np.column_stack(exact.grid.to_target(*others.T)) == pytest.approx(turned(others, degrees, scale), abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_six_parameters_are_those_of_least_squares(seed: int) -> None:
    random = np.random.default_rng(seed)
    source = random.uniform(0, 5000, (7, 2))
    target = source @ random.uniform(-1, 1, (2, 2)) + [618_000, 3_885_000] + random.normal(0, 0.02, (7, 2))
    expected = (
        np.column_stack((source, np.ones(7)))
        @ np.linalg.lstsq(np.column_stack((source, np.ones(7))), target, rcond=None)[0]
    )

    fit = fit_grid(control(source, target), "affine", "g", target_crs=TARGET)

    assert np.column_stack(fit.grid.to_target(*source.T)) == pytest.approx(expected, abs=1e-4)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_seven_parameters_lead_where_the_helmert_transformation_of_proj_leads(seed: int) -> None:
    random = np.random.default_rng(seed)
    shift, turn, ppm = random.uniform(-200, 200, 3), random.uniform(-4, 4, 3), random.uniform(-8, 8)
    helmert = "+proj=helmert +convention=position_vector " + " ".join(
        f"+{name}={value}"
        for name, value in zip(("x", "y", "z", "rx", "ry", "rz", "s"), (*shift, *turn, ppm), strict=True)
    )
    chain = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step +proj=cart +a=6378140 +rf=298.257 "
        f"+step {helmert} +step +inv +proj=cart +ellps=GRS80 +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    to_degrees = pyproj.Transformer.from_crs(2384, 4610, always_xy=True)
    to_metres = pyproj.Transformer.from_crs(4490, 4548, always_xy=True)

    def by_proj(source: np.ndarray) -> np.ndarray:
        lon, lat, height = chain.transform(*to_degrees.transform(source[:, 0], source[:, 1]), source[:, 2])
        return np.column_stack((*to_metres.transform(lon, lat), height))

    known, others = (
        np.column_stack((random.uniform(6e5, 6.4e5, n), random.uniform(3.86e6, 3.9e6, n), random.uniform(0, 100, n)))
        for n in (6, 20)
    )
    others[:, 2] = 0.0

    fit = fit_grid(Control(tuple("ABCDEF"), known, by_proj(known)), "bursa", "g", target_crs=TARGET, source_crs=XIAN_80)

    assert np.column_stack(fit.grid.to_target(others[:, 0], others[:, 1])) == pytest.approx(
        by_proj(others)[:, :2], abs=0.002
    )
    assert fit.rmse < 0.01, "heights are left out of the plan: millimetres"


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from(["similarity", "affine"]), st.integers(7, 10), st.integers(0, 2))
def test_the_points_that_do_not_fit_the_others_are_named_and_no_others(
    seed: int, model: str, count: int, wrong: int
) -> None:
    random = np.random.default_rng(seed)
    angles = np.arange(count) * 2 * np.pi / count
    source = 2000 + 1500 * np.column_stack((np.cos(angles), np.sin(angles))) + random.uniform(-100, 100, (count, 2))
    target = turned(source, 12.0, 1.0001) + random.uniform(-0.005, 0.005, (count, 2))
    moved = random.choice(count, wrong, replace=False)
    target[moved] += random.uniform(2, 20, (wrong, 2))

    fit = fit_grid(control(source, target), model, "g", target_crs=TARGET)  # type: ignore[arg-type]

    assert set(fit.outliers) == {f"K{n}" for n in moved}


@pytest.mark.parametrize(
    ("model", "source", "rule"),
    [
        ("similarity", [[0, 0], [9, 9]], "too_few"),
        ("affine", [[0, 0], [9, 9], [0, 9]], "too_few"),
        ("bursa", [[0, 0], [9, 9], [0, 9]], "too_few"),
        ("affine", [[0, 0], [100, 100], [200, 200], [300, 300]], "one_line"),
        ("similarity", [[5, 5], [5, 5], [5, 5]], "one_line"),
    ],
)
def test_points_that_do_not_determine_a_model_are_refused(model: str, source: list[list[int]], rule: str) -> None:
    points = control(np.array(source, dtype=float), np.array(source) + np.array([618_000.0, 3_885_000.0]))

    with pytest.raises(CalledWrongly) as refusal:
        fit_grid(points, model, "g", target_crs=TARGET, source_crs=XIAN_80)  # type: ignore[arg-type]

    assert refusal.value.rule_id == f"georeference.{rule}"


def test_points_on_one_line_are_enough_for_a_similarity() -> None:
    source = np.array([[0.0, 0.0], [100.0, 100.0], [300.0, 300.0]])

    fit = fit_grid(control(source, turned(source, 5, 1)), "similarity", "g", target_crs=TARGET)

    assert fit.rmse < 1e-6


def test_a_grid_comes_back_from_its_file_which_only_its_owner_reads_and_shows_no_parameters(tmp_path: Path) -> None:
    source = np.array([[0.0, 0.0], [1000.0, 0.0], [0.0, 1000.0], [900.0, 800.0]])
    fit = fit_grid(control(source, turned(source, 30, 1.00002)), "similarity", "城北", target_crs=TARGET)

    path = write_grid(tmp_path, fit)
    again = read_grid(tmp_path, "local:城北")

    assert again == fit.grid
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shown = repr(again) + str(again) + again.digest
    assert not [one for one in again.parameters if str(one)[:6] in shown]


def test_a_grid_that_is_not_there_or_damaged_is_refused_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "local-a.toml").write_text('name = "a"\nmodel = "affine"\n', "utf-8")

    with pytest.raises(CalledWrongly, match=r"no local grid 'b'.*Known: a\."):
        read_grid(tmp_path, "local:b")
    with pytest.raises(CalledWrongly, match=r"cannot be read from private/local-a.toml"):
        read_grid(tmp_path, "local:a")
    with pytest.raises(CalledWrongly, match="no local grid"):
        read_grid(None, "local:../town")


def test_a_grid_turned_over_is_known() -> None:
    mirrored = LocalGrid("g", "affine", TARGET, "", (0.0, 0.0), (0.0, 1.0, 0.0, 1.0, 0.0, 0.0))

    assert mirrored.is_mirrored
