"""Whole numbers of GML beyond 64 bits keep every digit, as texts, and that is said."""

from pathlib import Path

from vector_readings import VectorReading

from ingest.vector.gml_numbers import long_numbers_of_gml

HEAD = '<FeatureCollection xmlns="http://town.test" xmlns:gml="http://www.opengis.net/gml">'
POINT = '<gml:Point srsName="EPSG:4548"><gml:coordinates>618600,3885800</gml:coordinates></gml:Point>'


def written(path: Path, *numbers: int) -> Path:
    """Write a well for each number."""
    wells = "".join(
        f"<gml:featureMember><well><place>{POINT}</place><serial>{number}</serial><depth>1.5</depth></well></gml:featureMember>"
        for number in numbers
    )
    path.write_text(f"{HEAD}{wells}</FeatureCollection>", "utf-8")
    return path


def test_numbers_that_gdal_would_cut_are_texts_to_their_last_digit(tmp_path: Path) -> None:
    path = written(tmp_path / "wells.gml", 2**64 + 1, 7, -(2**63))

    reading = VectorReading(path)

    (wells,) = reading.layers.values()
    finding = reading.finding("vector.numbers_as_texts")
    assert wells.serial.tolist() == ["18446744073709551617", "7", "-9223372036854775808"]
    assert (finding.values["count"], finding.values["columns"]) == (2, ["serial"])


def test_a_plain_file_keeps_its_types(tmp_path: Path) -> None:
    path = written(tmp_path / "wells.gml", 2**63 - 1, 7)

    assert long_numbers_of_gml(path, path.name) is None
    assert next(iter(VectorReading(path).layers.values())).serial.tolist() == [2**63 - 1, 7]
