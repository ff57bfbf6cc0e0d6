"""What a mapping picks from a drawing without codes: by colour, block and type; texts joined to areas; outlines closed."""

from pathlib import Path
from typing import Any

import pytest
from drawing_readings import EAST, NORTH, Reading
from ezdxf import filemanagement

from ingest.mapping import LayerMapping, Mapping, read_mapping
from twin_model.errors import CatalogueError, SourceRefused
from twin_model.messages import render

MAPPING = """
options = { closing_gap = 0.5 }

[[layer]]
from = "*|INSERT|TREE*"
to = "vegetation_point"

[[layer]]
from = "*"
where = { color = ["1", "#00ff00"], type = "LWPOLYLINE" }
to = "building"
texts = ["TXT*"]
fields = { name = "text" }

[[layer]]
from = "walls"
to = "structure"
"""


def square(x: float, *, gap: float | None = None) -> list[tuple[float, float]]:
    ring = [(EAST + x, NORTH), (EAST + x + 10, NORTH), (EAST + x + 10, NORTH + 10), (EAST + x, NORTH + 10)]
    return ring if gap is None else [*ring, (EAST + x, NORTH + gap)]


def plan(folder: Path) -> Path:
    document = filemanagement.new("R2004", setup=False)
    document.layers.add("red", color=1)
    space = document.modelspace()
    document.blocks.new("TREE-2").add_circle((0, 0), 1)
    space.add_blockref("TREE-2", (EAST, NORTH), dxfattribs={"layer": "green"})
    space.add_lwpolyline(square(0), close=True, dxfattribs={"layer": "red"})
    space.add_lwpolyline(square(20, gap=0.3), dxfattribs={"layer": "0", "color": 1})
    space.add_lwpolyline(square(40, gap=3.0), dxfattribs={"layer": "red"})
    space.add_lwpolyline(square(60), close=True, dxfattribs={"true_color": 0x00FF00})
    space.add_lwpolyline(square(80), close=True, dxfattribs={"layer": "walls"})
    for x, words in ((5, "混5-2"), (6, "粮站"), (65, "门卫"), (200, "路")):
        space.add_text(words, height=1, dxfattribs={"layer": "TXT1", "insert": (EAST + x, NORTH + 5)})
    path = folder / "plan.dxf"
    document.saveas(path)
    return path


def toml(folder: Path, text: str) -> Path:
    path = folder / "office.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_mapping_picks_by_colour_type_and_block_and_joins_texts_to_their_areas(tmp_path: Path) -> None:
    reading = Reading(plan(tmp_path), mapping=read_mapping(toml(tmp_path, MAPPING)))

    houses = reading.layers["building"].sort_values("name")
    assert reading.numbers == {"building": 3, "vegetation_point": 1, "structure": 1}
    assert houses.name.dropna().tolist() == ["混5-2 粮站", "门卫"]
    assert houses[["structure", "storeys", "storeys_below"]].iloc[0].tolist() == ["混", 5, 2]
    rules = reading.rules()
    assert (rules["dxf.closed"], rules["dxf.not_closed"], rules["dxf.unmapped_layer"]) == (1, 1, 1)
    assert reading.counts["read"] == 10
    assert reading.is_accounted_for


def test_suggestions_hold_the_shapes_that_are_drawn(tmp_path: Path) -> None:
    document = filemanagement.new("R2004", setup=False)
    document.modelspace().add_line((EAST, NORTH), (EAST + 9, NORTH), dxfattribs={"layer": "道路中线"})
    path = tmp_path / "plan.dxf"
    document.saveas(path)

    with pytest.raises(SourceRefused) as refusal:
        Reading(path, mapping=Mapping("office", (LayerMapping(("房屋",), "building"),)))

    words = render(refusal.value.rule_id, "zh", refusal.value.values)
    assert 'to = "road_line"' in words
    assert "building" not in words
    assert Reading(
        path, mapping=read_mapping(toml(tmp_path, '[[layer]]\nfrom = "道路中线"\nto = "road_line"'))
    ).numbers == {"road_line": 1}


@pytest.mark.parametrize("wrong", [{"where": "1"}, {"join": {"table": "t"}}, {"texts": 3, "wheer": {}}])
def test_a_key_of_a_mapping_that_says_nothing_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    lines = [f"{key} = {_toml(value)}" for key, value in wrong.items()]
    path = toml(tmp_path, "\n".join(['[[layer]]\nfrom = "a"\nto = "building"', *lines]))

    with pytest.raises(CatalogueError, match=r"mapping\.invalid|join|where|wheer"):
        read_mapping(path)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'{name} = "{text}"' for name, text in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value)
