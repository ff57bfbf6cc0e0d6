"""A learned mapping is found by the columns of a source, whatever the layer is called; otherwise it is not used."""

from pathlib import Path

from ingest.learned_mappings import has_learned, learn, learned_mapping
from ingest.mapping import read_mapping
from ingest.outline import ColumnOutline, LayerOutline
from twin_model.catalogue.layer_from_source import SourceColumn

MAPPING = """
crs = "EPSG:4548"
[[layer]]
from = "FW|Polygon"
to = "building"
fields = { structure = "JG" }
[[layer]]
from = "DL"
to = "road_line"
"""


def outline(name: str, *columns: str, kind: str = "Polygon") -> LayerOutline:
    return LayerOutline(name, {kind: 1}, "", tuple(ColumnOutline(SourceColumn(each, "string")) for each in columns))


def test_the_next_source_of_the_form_has_the_mapping_under_its_own_names(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(MAPPING, "utf-8")
    given = [outline("FW", "JG", "BZ"), outline("DL", "MC", kind="LineString"), outline("other", "x")]

    path = learn(tmp_path / "mappings", read_mapping(tmp_path / "m.toml"), given)
    found = learned_mapping(path.parent, [outline("房屋 2025", "bz", "jg")])

    assert found is not None and found.crs == "EPSG:4548" and has_learned(path.parent)
    assert [(entry.patterns, entry.to) for entry in found.layers] == [(("房屋 2025|Polygon",), "building")]
    assert dict(found.layers[0].fields) == {"structure": ("JG",)}


def test_a_source_with_another_column_or_a_layer_that_was_not_learned_is_not_read_by_it(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(MAPPING, "utf-8")
    learn(tmp_path / "mappings", read_mapping(tmp_path / "m.toml"), [outline("FW", "JG", "BZ")])

    assert learned_mapping(tmp_path / "mappings", [outline("FW", "JG", "BZ", "new")]) is None
    assert learned_mapping(tmp_path / "mappings", [outline("FW", "JG", "BZ"), outline("DL", "MC")]) is None
    assert learned_mapping(tmp_path / "mappings", []) is None
    assert not has_learned(tmp_path / "nowhere")


def test_learning_twice_keeps_one_file_with_the_last_forms(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(MAPPING, "utf-8")
    learn(tmp_path / "mappings", read_mapping(tmp_path / "m.toml"), [outline("FW", "JG")])

    path = learn(tmp_path / "mappings", read_mapping(tmp_path / "mappings" / "m.toml"), [outline("FW", "JG", "BZ")])

    assert [each.name for each in path.parent.iterdir()] == ["m.toml"]
    assert path.read_text("utf-8").count("[[form]]") == 1
