"""Whole numbers of GeoJSON beyond 64 bits keep every digit, as texts, and that is said."""

import json
from pathlib import Path
from typing import Any

from vector_readings import VectorReading

from ingest.vector.json_numbers import copy_with_exact_numbers
from twin_model.rows.attributes import read_attributes


def written(path: Path, **columns: list[Any]) -> Path:
    """Write points with columns of values."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    point = {"type": "Point", "coordinates": [118.3, 35.1]}
    features = [{"type": "Feature", "geometry": point, "properties": row} for row in rows]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    return path


def test_numbers_beyond_64_bits_are_texts_to_their_last_digit(tmp_path: Path) -> None:
    columns = {
        "long": [2**64, 2**64 + 1, 7],
        "least": [-(2**63), -(2**63) + 1, None],
        "most": [2**63 - 1, 2**53 + 1, 0],
        "inner": [{"a": [2**70]}, None, None],
        "quoted": ["a: 99999999999999999999", "b", "c"],
        "ratio": [1e300, 0.1, 0.12345678901234567],
    }

    reading = VectorReading(written(tmp_path / "wells.geojson", **columns))

    wells = reading.layers["wells"]
    assert wells.long.tolist() == ["18446744073709551616", "18446744073709551617", "7"]
    assert wells.least.tolist()[:2] == ["-9223372036854775808", "-9223372036854775807"]
    assert wells.most.tolist() == columns["most"]
    assert json.loads(wells.inner[0]) == {"a": [str(2**70)]}
    assert (wells.quoted.tolist(), wells.ratio.tolist()) == (columns["quoted"], columns["ratio"])
    finding = reading.finding("vector.numbers_as_texts")
    assert (finding.values["columns"], finding.values["count"]) == (["long", "least", "inner"], 5)
    assert "18446744073709551616" in finding.text("en")


def test_among_attributes_they_are_exact_and_plain_files_are_left_alone(tmp_path: Path) -> None:
    lamps = written(tmp_path / "street_lamp.geojson", serial=[2**64 + 1])
    plain = written(tmp_path / "plain.geojson", serial=[2**63 - 1], code=["9" * 30], height=[1.5])

    (attributes,) = VectorReading(lamps).layers["street_lamp"].attributes

    assert read_attributes(attributes)["serial"] == str(2**64 + 1)
    assert copy_with_exact_numbers(plain, plain.name, tmp_path) is None
