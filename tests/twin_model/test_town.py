"""A town's folder: made, opened, asked; what is wrong in `town.toml` is refused before anything is shown."""

import stat
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from ingest.draft import Draft
from twin_model import Town, TwinError, commit, init_town, open_town
from twin_model.changeset import Source
from twin_model.crs import CRS84, transform_geometries
from twin_model.errors import (
    CalledWrongly,
    CrsRefused,
    LayerNotFound,
    QueryRefused,
    StoreError,
    TownExists,
    TownNotFound,
)

EAST, NORTH = 618_000.0, 3_886_000.0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town of ten houses in a row, 20 m apart, of 1 to 10 storeys; the last one stands nowhere."""
    folder = tmp_path_factory.mktemp("town") / "小城"
    x = EAST + 20.0 * np.arange(10)
    shapes = np.array([*shapely.box(x, NORTH, x + 12, NORTH + 9)[:9], None], dtype=object)
    frame = gpd.GeoDataFrame(
        {"name": [f"{n}号楼" for n in range(1, 11)], "storeys": np.arange(1, 11)}, geometry=shapes, crs="EPSG:4548"
    )
    with init_town(folder, name="临沂北站新城", crs="EPSG:4548") as made:
        source = Source("houses", "0" * 64)
        with Draft(source, made.catalogue, storage_crs=made.store.crs, effective="2024-01-01T00:00:00.000Z") as draft:
            draft.add("building", frame)
            commit(made.store, draft.to_changeset(author="tester", reason="test"))
    with open_town(folder) as opened:
        yield opened


def written(folder: Path, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "town.toml").write_text("\n".join(lines), "utf-8")
    return folder


def test_a_new_town_has_its_folders_and_opens_again_with_what_it_was_told(tmp_path: Path) -> None:
    with init_town(tmp_path / "t", name='"新\\城"\n', crs="http://www.opengis.net/def/crs/EPSG/0/4548") as made:
        told = made.settings

    with open_town(tmp_path / "t") as opened:
        assert opened.settings == told
        assert opened.settings.name("zh") == '"新\\城"\n'
        assert opened.settings.crs == opened.store.crs == "EPSG:4548"
        assert opened.layers().empty
        assert opened.extent() is None
        assert opened.cache.is_dir()
    assert stat.S_IMODE((tmp_path / "t" / "private").stat().st_mode) == 0o700


def test_a_folder_holds_one_town(tmp_path: Path) -> None:
    init_town(tmp_path, name="甲", crs="EPSG:4548").store.close()

    with pytest.raises(TownExists, match="already holds a town named '甲'"):
        init_town(tmp_path, name="乙", crs="EPSG:4548")


@pytest.mark.parametrize(
    ("crs", "store", "kind", "said"),
    [
        ("EPSG:4490", "store.gpkg", CrsRefused, "is not a projected system.*EPSG:4548"),
        ("EPSG:1", "store.gpkg", CrsRefused, "is not known"),
        (
            "EPSG:4548",
            "mysql://u:secret@host/town",
            StoreError,
            r"'mysql://host/town' is not supported\. Expected .*postgresql://",
        ),
        (
            "EPSG:4548",
            "postgresql://127.0.0.1:1/town?password=secret",
            StoreError,
            "postgresql://127.0.0.1:1/town does not answer",
        ),
        (
            "EPSG:4548",
            "postgresql://u:p@secret@host/town",
            StoreError,
            r"postgresql://\.\.\. cannot be read",
        ),
    ],
)
def test_a_town_that_cannot_be_made_leaves_nothing_behind(
    tmp_path: Path, crs: str, store: str, kind: type[TwinError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        init_town(tmp_path / "t", name="甲", crs=crs, store=store)

    assert not (tmp_path / "t").exists()


def test_where_there_is_no_town_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(TownNotFound, match="Make one with: twin init"):
        open_town(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("name = ", "cannot be used.*Expected: TOML"),
        ("colour = 'red'", "colour.*Expected: .*closed"),
        ("closed = 'pipe_line'", "closed = 'pipe_line'.*a list of layers"),
        ("closed = ['pipe_lines']", "closed names .'pipe_lines'.*pipe_line"),
        ("map_approval = { buildings = '1' }", "map_approval names .'buildings'.*building"),
        ("classification = '绝密'", 'classification = \'绝密\'.*"公开", "内部"'),
        ("classification = { building = 'open' }", "classification = .*'open'.*or a table of layers"),
        ("classification = { buildings = '内部' }", "classification names .'buildings'.*building"),
        ("map_approval = 7", "map_approval = 7.*a number, or a table"),
        ("publish_underground = 'false'", "publish_underground = 'false'.*true or false"),
        ("height_offset = 'low'", "height_offset = 'low'.*metres"),
        ("height_offset = nan", "height_offset = nan.*metres"),
        ("storey_height = true", "storey_height = True.*metres"),
        ("storey_height = 0", "storey_height = 0.*metres above 0"),
        ("storey_height = -3", "storey_height = -3.*metres above 0"),
        ("languages = []", r"languages = \[\].*a list such as"),
        ("languages = ['zh', 'de']", "'de'.*a list such as"),
        ("languages = ['zh', 'zh']", "'zh', 'zh'.*a list such as"),
        ("timezone = 'Shanghai'", "timezone = 'Shanghai'.*Asia/Shanghai"),
        ("languages = 'zh'", "languages = 'zh'.*a list"),
        ("scenes = [1]", r"scenes = \[1\].*a list of tables"),
    ],
)
def test_a_wrong_line_of_town_toml_is_refused_with_what_was_expected(tmp_path: Path, line: str, said: str) -> None:
    init_town(tmp_path / "t", name="甲", crs="EPSG:4548").store.close()
    written(tmp_path / "t", "name = '甲'", "crs = 'EPSG:4548'", line)

    with pytest.raises(CalledWrongly, match=said) as refused:
        open_town(tmp_path / "t")

    assert "Correct that line" in str(refused.value)
    assert "town.toml" in refused.value.text("zh")


@pytest.mark.parametrize("lines", [["name = '甲'"], ["crs = 'EPSG:4548'"], []])
def test_a_town_needs_a_name_and_a_crs(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(CalledWrongly, match="name, crs"):
        open_town(written(tmp_path / "t", *lines))


def test_town_toml_is_heard_to_the_last_key(tmp_path: Path) -> None:
    init_town(tmp_path / "t", name="甲", crs="EPSG:4548").store.close()
    written(
        tmp_path / "t", "name = { zh = '甲', en = 'A' }", "crs = 4548", "timezone = 'Europe/Amsterdam'", "height_offset = -8", "storey_height = 2.8",
        "languages = ['en']", "publish_underground = true", "closed = ['pipe_line']", "height_datum = 'NAP'",
        "map_approval = { building = 'GS(2024)1号' }", "[[scenes]]", "name = 'station'",
    )  # fmt: skip

    with open_town(tmp_path / "t") as town:
        told = town.settings

    assert (told.name("zh"), told.name("en"), told.crs, told.timezone) == (
        "甲",
        "A",
        "EPSG:4548",
        "Europe/Amsterdam",
    )
    assert (told.height_offset, told.storey_height, told.publish_underground) == (-8.0, 2.8, True)
    assert (told.closed, told.languages, told.height_datum) == (("pipe_line",), ("en",), "NAP")
    assert told.map_approval == {"building": "GS(2024)1号"}
    assert told.scenes == ({"name": "station"},)


def test_the_towns_own_catalogue_is_laid_over(tmp_path: Path) -> None:
    init_town(tmp_path / "t", name="甲", crs="EPSG:4548").store.close()
    (tmp_path / "t" / "catalogue" / "own.toml").write_text("[building.title]\nzh = '房子'\n", "utf-8")

    with open_town(tmp_path / "t") as town:
        assert town.catalogue["building"].title("zh") == "房子"


def test_layers_lists_what_holds_features(town: Town) -> None:
    assert town.layers().index.tolist() == ["building", "finding"]
    assert town.layers().loc["building", ["title", "features", "geometry"]].tolist() == [
        "建筑物",
        10,
        "MultiPolygon",
    ]
    assert town.layers("en").loc["building", "title"] == "Buildings"


def test_features_answers_as_the_readme_asks(town: Town) -> None:
    frame = town.features("building", where="storeys > 7", sort="-storeys", limit=2, fields=["name", "storeys"])

    assert frame["name"].tolist() == ["10号楼", "9号楼"]
    assert frame["storeys"].tolist() == [10, 9]
    assert frame.crs == "EPSG:4548"
    assert frame.index.name == "id"
    assert "usage" not in frame


def test_a_box_in_degrees_finds_what_a_box_in_metres_finds(town: Town) -> None:
    box = (EAST + 30, NORTH + 1, EAST + 65, NORTH + 2)
    (in_degrees,) = transform_geometries(np.array([shapely.box(*box)]), "EPSG:4548", CRS84)

    by_metres = town.features("building", bbox=box)
    by_degrees = town.features("building", bbox=in_degrees.bounds, bbox_crs=CRS84)

    assert by_metres["storeys"].tolist() == [2, 3, 4]
    assert by_degrees["storeys"].tolist() == [2, 3, 4]


def test_cql2_json_asks_the_same_as_text(town: Town) -> None:
    asked = {"op": "<=", "args": [{"property": "storeys"}, 3]}

    assert town.features("building", where=asked).equals(town.features("building", where="storeys <= 3"))


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:4326", CRS84, "EPSG:3857", "EPSG:4527"])
def test_features_come_in_the_system_asked_for_without_a_ballpark(town: Town, crs: str) -> None:
    here, there = town.features("building"), town.features("building", crs=crs)

    expected = transform_geometries(here.geometry.to_numpy(), "EPSG:4548", crs)
    assert there.crs == crs
    assert shapely.equals_identical(there.geometry.to_numpy()[:9], expected[:9]).all()
    assert there.geometry.isna().tolist() == [False] * 9 + [True]
    pd.testing.assert_frame_equal(
        pd.DataFrame(here.drop(columns="geometry")), pd.DataFrame(there.drop(columns="geometry"))
    )


def test_another_datum_is_refused_instead_of_guessed(town: Town) -> None:
    with pytest.raises(CrsRefused, match="different datums"):
        town.features("building", crs="EPSG:2384")


def test_the_past_and_the_time_before_are_asked_by_date(town: Town) -> None:
    assert len(town.features("building", at="2024-06-01")) == 10
    assert town.features("building", at="2023-06-01").empty
    assert len(town.features("building", at="2023/2024")) == 10


def test_what_cannot_be_asked_is_refused_by_name(town: Town) -> None:
    with pytest.raises(LayerNotFound, match="No layer named 'buildings'. Nearest: building"):
        town.features("buildings")
    with pytest.raises(LayerNotFound, match="No layer named 'dem'"):
        town.features("dem")
    with pytest.raises(QueryRefused, match="not a date"):
        town.features("building", at="yesterday")
    with pytest.raises(TwinError, match="storey"):
        town.features("building", where="storey > 7")


def test_the_extent_is_the_box_of_all_features(town: Town) -> None:
    assert town.extent("EPSG:4548") == pytest.approx((EAST, NORTH, EAST + 172, NORTH + 9))
    west, south, east, north = town.extent() or (0, 0, 0, 0)
    assert (west, south, east, north) == pytest.approx((118.294, 35.096, 118.296, 35.0961), abs=2e-3)
    shapes = town.features("building", crs=CRS84).geometry
    assert (shapes.total_bounds[:2] >= (west, south)).all()
    assert (shapes.total_bounds[2:] <= (east, north)).all()


@pytest.mark.parametrize(
    ("recorded", "found"), [(0, 0), (1, 10), ("1", 10), ("2100-01-01", 10), ("2020-06-01T08:00:00Z", 0)]
)
def test_the_recorded_state_is_named_by_a_version_or_by_a_time(town: Town, recorded: int | str, found: int) -> None:
    assert len(town.features("building", as_known=recorded)) == found


@pytest.mark.parametrize("recorded", [2, -1, "2", "2024", "999999999"])
def test_a_version_that_is_not_there_is_refused_and_a_number_is_never_a_year(town: Town, recorded: int | str) -> None:
    """A city that brings ten files a day comes to version 2024 within a year."""
    with pytest.raises(QueryRefused, match=f"no version {recorded}: the store is at 1.*2024-06-01"):
        town.features("building", as_known=recorded)


@pytest.mark.parametrize("recorded", ["yesterday", "2024-06-01/..", "", "9999999999"])
def test_what_is_neither_a_version_nor_a_time_is_refused_as_recorded(town: Town, recorded: str) -> None:
    with pytest.raises(QueryRefused, match=f"time '{recorded}' is not a date"):
        town.features("building", as_known=recorded)
