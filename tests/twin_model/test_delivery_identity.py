"""Which delivery is the same as an earlier one: by the history of its file and the digests recorded with it."""

from dataclasses import replace

import orjson
import pytest

from twin_model.catalogue import Catalogue, read_catalogue
from twin_model.changeset import Source
from twin_model.delivery_identity import archived_files, is_same, layer_digest, same_version, with_layers
from twin_model.layer import Text
from twin_model.store.base import ChangesetRecord

CATALOGUE = read_catalogue()
READ_AS = {"reader": "dxf 1", "options": "a"}


def record(number: int, sha256: str, name: str = "plan.dxf", delivery: str = "", **counts: int) -> ChangesetRecord:
    identity = with_layers(READ_AS, CATALOGUE, ["building"])
    line = {"delivery": delivery, "identity": orjson.dumps(identity).decode()}
    return ChangesetRecord(number, "", "", "", "", name, sha256, counts, "", "", line)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], None),
        ([record(1, "a")], 1),
        ([record(1, "a"), record(2, "b", "other.dxf")], 1),
        ([record(1, "a", "renamed.dxf")], None),
        ([record(1, "a"), record(2, "b")], None),
        ([record(1, "a"), record(2, "b"), record(3, "a")], 3),
        ([record(1, "a"), record(2, "", "", reverts=1)], None),
        ([record(1, "a"), record(2, "b"), record(3, "", "", reverts=2)], 1),
        ([record(1, "a"), record(2, "", "", reverts=1), record(3, "", "", reverts=2)], 1),
        ([record(1, "a", delivery="folder"), record(2, "b", delivery="folder")], 1),
        ([record(1, "a", delivery="folder"), record(2, "b", delivery="next")], None),
    ],
)
def test_a_source_is_the_same_where_its_file_said_nothing_else_since(
    history: list[ChangesetRecord], expected: int | None
) -> None:
    source = Source("plan.dxf", "a", identity=READ_AS)

    assert same_version(reversed(history), source, CATALOGUE) == expected


def test_what_is_recorded_is_the_same_only_with_equal_digests_and_layers() -> None:
    recorded = with_layers(READ_AS, CATALOGUE, ["building", "gone"], ["房屋", "road"])
    building = CATALOGUE["building"]
    renamed = replace(building, title=Text("房子", "Houses"), style={"color": "#000000"})
    narrower = replace(building, fields=building.fields[1:])

    assert is_same(recorded, READ_AS, CATALOGUE)
    assert is_same(recorded, READ_AS, Catalogue({**CATALOGUE.layers, "building": renamed}))
    assert not is_same(recorded, READ_AS | {"reader": "dxf 2"}, CATALOGUE)
    assert not is_same(recorded, READ_AS, Catalogue({**CATALOGUE.layers, "building": narrower}))
    assert not is_same(recorded, READ_AS, Catalogue({**CATALOGUE.layers, "road": building})), "a name found its layer"
    assert not is_same(recorded, READ_AS, Catalogue({}))
    assert not is_same({}, {}, CATALOGUE), "nothing was recorded"
    assert layer_digest(building) == layer_digest(read_catalogue()["building"])


def test_the_files_that_the_archive_keeps_of_an_identity_are_named_by_their_hash() -> None:
    identity = {"reader": "dxf 1", "mapping/map.toml": "a", "table/cass_table/office.csv": "b", "layer:building": "c"}

    assert archived_files(identity) == {"a": "map.toml", "b": "office.csv"}
