"""A pipeline network delivered again is the same network: classes with and without a sub-class stand side by side."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ingest.draft import Draft, ReadOptions
from ingest.survey.reader import read_survey
from twin_model.changeset import Source, Version
from twin_model.rows.columns import plain_values
from twin_model.store.base import FeatureQuery, Store
from twin_model.versioning import commit, plan_changeset

CLASSES = {"JS": 0.0, "YS": 40.0}
"""Class codes of the tables, of which YS names a sub-class and JS none, and how far east they lie."""


def tables(folder: Path, code: str, *, numbers: str = "", lines: int = 2) -> Path:
    """Write a survey of three points 8 m apart and the lines between them."""
    folder.mkdir()
    east, names = 618_000.0 + CLASSES[code], [f"{numbers}{code}{n}" for n in (1, 2, 3)]
    points = [f"{name},{3_886_000.0 + 8 * n},{east},20.0" for n, name in enumerate(names)]
    ends = [f"{start},{end},1.5,1.5" for start, end in itertools.pairwise(names)][:lines]
    (folder / f"{code}POINT.csv").write_text("\n".join(["物探点号,X,Y,地面高程", *points]), "utf-8")
    (folder / f"{code}LINE.csv").write_text("\n".join(["起点点号,终点点号,起点埋深,终点埋深", *ends]), "utf-8")
    return folder


def deliver(store: Store, folder: Path, **scope: Any) -> Version:
    source = Source(folder.name, f"{folder}-{store.version()}")
    with Draft(source, store.catalogue, storage_crs=store.crs) as draft:
        read_survey(folder, draft, ReadOptions(crs="EPSG:4548"))
        changes = draft.to_changeset(author="tester", reason="test", accept_removals=True, **scope)
        plan_changeset(store, changes)
        return commit(store, changes)


def counts(version: Version, layer: str) -> tuple[int, int, int, int]:
    touched = version.touched[layer]
    return touched.inserted, touched.updated, touched.terminated, touched.unchanged


@pytest.fixture
def network(store: Store, tmp_path: Path) -> Store:
    for code in CLASSES:
        deliver(store, tables(tmp_path / code, code))
    return store


@pytest.mark.parametrize("reach", ["seen", "layer"])
def test_a_line_that_a_delivery_lacks_ends_whether_its_class_has_a_sub_class_or_not(
    network: Store, tmp_path: Path, reach: Any
) -> None:
    for code in CLASSES:
        version = deliver(network, tables(tmp_path / f"{code}-again", code, lines=1), reach=reach)

        assert counts(version, "pipe_line") == (0, 0, 1, 1), code


def test_a_network_with_other_numbers_is_the_same_network(network: Store, tmp_path: Path) -> None:
    for code in CLASSES:
        version = deliver(network, tables(tmp_path / f"{code}-renumbered", code, numbers="N"))

        assert counts(version, "pipe_point") == (0, 3, 0, 0), code
        assert counts(version, "pipe_line") == (0, 2, 0, 0), code


def test_frames_of_a_store_answer_none_for_an_absent_text(network: Store) -> None:
    frame = network.features(FeatureQuery("pipe_line"))

    subclasses = frame["subclass"].tolist()
    assert sorted(map(str, subclasses)) == ["None", "None", "YS", "YS"]
    assert [value for value in subclasses if value != "YS"] == [None, None]


def test_values_compare_however_their_absence_and_their_type_are_spelt() -> None:
    absent = [None, np.nan, pd.NA, pd.NaT, np.float64("nan"), np.datetime64("NaT")]
    columns = (
        pd.Series(["JS", None], dtype="str"),
        pd.array([1, None], dtype="Int64"),
        np.array([1.0, np.nan]),
        pd.array([True, None], dtype="boolean"),
    )

    assert plain_values(absent) == [None] * len(absent)
    assert [plain_values(column) for column in columns] == [
        ["JS", None],
        [1, None],
        [1.0, None],
        [True, None],
    ]
