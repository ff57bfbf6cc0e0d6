"""The past can be asked for, compared, undone and proved."""

import sqlite3
from typing import Any

import geopandas as gpd
import psycopg
import pytest
import shapely
from store_contract import houses

from ingest.draft import Draft
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Changeset, Delivered, Source, Version
from twin_model.editing import rows_of
from twin_model.errors import ChainBroken, QueryRefused, VersionConflict
from twin_model.history import changeset_of, difference, history, revert, verify
from twin_model.store.base import FeatureQuery, Store
from twin_model.temporal import Interval, now, parse_instant
from twin_model.versioning import commit
from twin_model.view import View

CRS = "EPSG:4548"
CATALOGUE = read_catalogue()


def deliver(
    store: Store, frame: gpd.GeoDataFrame, effective: str, name: str = "b.shp", layer: str = "building"
) -> Version:
    source = Source(name, f"{name}-{effective}-{store.version()}")
    with Draft(source, CATALOGUE, storage_crs=CRS, effective=parse_instant(effective)[0]) as draft:
        draft.add(layer, frame)
        return commit(store, draft.to_changeset(author="office", reason=f"{name} of {effective}", accept_removals=True))


def edit(
    store: Store, ids: list[str], base: int | None = None, effective: str | None = None, **columns: Any
) -> Version:
    """Give features other values by hand, as a client does that has read version `base`."""
    found = store.features(FeatureQuery("building", ids=tuple(ids)))
    frame = found[[*CATALOGUE["building"].field_names, "geometry"]].assign(**columns)
    rows = rows_of(CATALOGUE["building"], frame, CRS)
    since = parse_instant(effective)[0] if effective else now()
    return commit(
        store,
        Changeset("planner", "edit", since, (Delivered("building", lambda: rows, len(rows)),), edit=True, base=base),
    )


def names(store: Store, view: View | None = None) -> list[str]:
    return store.features(FeatureQuery("building", view=view or View()))["name"].tolist()


def everything(store: Store, recorded: int | None = None) -> list[tuple[Any, ...]]:
    """Return every state of every building, as recorded, in plain values."""
    query = FeatureQuery("building", view=View(Interval(None, None), recorded), states=True)
    columns, rows = store.rows(query)
    keep = [n for n, name in enumerate(columns) if name != "version"]
    return [tuple(row[n] for n in keep) for row in rows]


def test_the_history_names_what_each_version_changed(store: Store) -> None:
    deliver(store, houses(5), "2020-01-01")
    deliver(store, houses(5, name=["甲", *(f"{n}号楼" for n in range(1, 5))]), "2022-01-01")
    points = gpd.GeoDataFrame(
        {"survey_no": ["P1"], "class": ["JS"]}, geometry=[shapely.Point(618_000, 3_886_000, 65)], crs=CRS
    )
    deliver(store, points, "2022-01-01", "p.csv", "pipe_point")

    assert [one.number for one in history(store)] == [3, 2, 1]
    assert [one.number for one in history(store, "building")] == [2, 1]
    assert [one.number for one in history(store, limit=1)] == [3]
    second = changeset_of(store, 2)
    assert (second.author, second.reason, second.source) == ("office", "b.shp of 2022-01-01", "b.shp")
    assert store.changes(2)["building"].updated == 1
    with pytest.raises(QueryRefused, match="99"):
        changeset_of(store, 99)


def test_the_difference_of_two_versions_is_one_row_a_changed_feature(store: Store) -> None:
    deliver(store, houses(30), "2020-01-01")
    later = houses(30).drop(index=4)
    later.loc[2, "storeys"] = 30
    later.loc[7, "geometry"] = shapely.box(618_140, 3_886_000, 618_155, 3_886_010)
    new = gpd.GeoDataFrame(
        {"name": ["新楼"], "storeys": [9]},
        geometry=[shapely.box(618_000, 3_886_030, 618_020, 3_886_040)],
        crs=CRS,
    )
    deliver(store, gpd.GeoDataFrame(gpd.pd.concat([later, new]), crs=CRS), "2024-01-01")

    found = difference(store, "building", 1, 2)

    assert found["change"].to_dict() == {
        "building.3": "updated",
        "building.5": "terminated",
        "building.8": "updated",
        "building.31": "inserted",
    }
    assert found.loc["building.3", "before"]["storeys"] == 3 and found.loc["building.3", "after"]["storeys"] == 30
    assert "geometry" in found.loc["building.8", "fields"] and "storeys" not in found.loc["building.8", "fields"]
    assert found.loc["building.31", "before"] is None
    assert len(difference(store, "building", 2, 2)) == 0
    backwards = difference(store, "building", 2, 1)
    assert (
        backwards.loc["building.31", "change"] == "terminated" and backwards.loc["building.3", "after"]["storeys"] == 3
    )


def test_a_reverted_version_leaves_everything_as_it_was_recorded_before(store: Store) -> None:
    deliver(store, houses(20), "2020-01-01")
    deliver(store, houses(20, structure="混"), "2021-01-01")
    before = everything(store)
    wrong = houses(19, storeys=99)
    deliver(store, wrong, "2022-01-01")
    assert everything(store) != before

    made = commit(store, revert(store, 3, author="planner"))

    assert made.number == 4
    assert everything(store) == before
    assert everything(store, recorded=3) != before, "what was believed then can still be asked for"
    assert changeset_of(store, 4).counts["reverts"] == 3


def test_a_revert_of_a_revert_brings_the_version_back(store: Store) -> None:
    deliver(store, houses(6), "2020-01-01")
    deliver(store, houses(6, structure="混"), "2021-01-01")
    after = everything(store)

    commit(store, revert(store, 2, author="planner"))
    commit(store, revert(store, 3, author="planner"))

    assert everything(store) == after


def test_the_first_delivery_can_be_undone_and_delivered_again_under_its_ids(store: Store) -> None:
    points = gpd.GeoDataFrame(
        {"survey_no": ["P1", "P2"], "class": "JS"},
        geometry=shapely.points([[618_000, 3_886_000, 65], [618_030, 3_886_000, 65]]),
        crs=CRS,
    )
    deliver(store, points, "2020-01-01", "p.csv", "pipe_point")
    fids = store.features(FeatureQuery("pipe_point"))["fid"].to_dict()

    commit(store, revert(store, 1, author="planner"))
    assert len(store.features(FeatureQuery("pipe_point"))) == 0

    deliver(store, points, "2020-01-01", "p.csv", "pipe_point")
    assert store.features(FeatureQuery("pipe_point"))["fid"].to_dict() == fids


def test_what_later_versions_changed_again_is_named_and_nothing_is_undone(store: Store) -> None:
    deliver(store, houses(6), "2020-01-01")
    deliver(store, houses(6, structure="混"), "2021-01-01")
    edit(store, ["building.2"], name="改名")

    with pytest.raises(VersionConflict, match="building.2") as conflict:
        commit(store, revert(store, 2, author="planner"))

    assert "building.3" not in str(conflict.value)
    assert store.version() == 3


def test_an_edit_on_a_stale_base_is_refused_with_every_feature_in_conflict(store: Store) -> None:
    deliver(store, houses(6), "2020-01-01")
    base = store.version()
    edit(store, ["building.2", "building.3"], base, name="先")

    with pytest.raises(VersionConflict) as conflict:
        edit(store, ["building.2", "building.3", "building.4"], base, name="后")

    assert conflict.value.values["features"] == {"building": ["building.2", "building.3"]}
    assert names(store)[1:4] == ["先", "先", "3号楼"]
    assert edit(store, ["building.4"], base, name="后").made, "another feature is nobody's conflict"


def test_an_edit_stays_when_the_same_survey_is_delivered_again(store: Store) -> None:
    deliver(store, houses(6), "2020-01-01")
    edit(store, ["building.2"], name="站前大厦")

    again = deliver(store, houses(6), "2020-01-01", "copy.shp")

    assert not again.made
    assert names(store)[1] == "站前大厦"


def test_an_edit_that_says_what_holds_already_makes_no_version(store: Store) -> None:
    deliver(store, houses(6), "2020-01-01")
    edit(store, ["building.2"], name="站前大厦")

    assert not edit(store, ["building.2"], name="站前大厦").made
    assert edit(store, ["building.2"], name="1号楼").made, "back to what was delivered is a change of what holds"
    assert names(store)[1] == "1号楼"


def test_the_chain_is_proved(store: Store) -> None:
    deliver(store, houses(6, height=[1.5, None, 3.25, 4.0, None, 6.1]), "2020-01-01")
    deliver(store, houses(6, structure="混"), "2021-01-01")
    edit(store, ["building.2"], name="站前大厦")
    commit(store, revert(store, 3, author="planner"))

    proved = verify(store)

    assert (proved.changesets, proved.hash) == (4, changeset_of(store, 4).hash)


TAMPERINGS = [
    ("UPDATE {changeset} SET author = 'somebody' WHERE number = 2", 2, "line hashes"),
    ("UPDATE {changeset} SET hash = 'f00' WHERE number = 1", 1, "line hashes"),
    ("DELETE FROM {changeset} WHERE number = 2", 2, "next changeset is 3"),
    ("DELETE FROM {change} WHERE version = 2", 2, "changes of"),
    ("DELETE FROM {part} WHERE version_from = 3 AND fid = 2", 3, "do not add up"),
    ("UPDATE building SET storeys = 77 WHERE fid = 4", 3, "fid 4 says something else"),
]


@pytest.mark.parametrize(("tampering", "version", "cause"), TAMPERINGS)
def test_what_somebody_changed_behind_our_back_is_named_at_the_first_version_it_touches(
    store: Store, location: str, tampering: str, version: int, cause: str
) -> None:
    for year in (2020, 2021, 2022):
        deliver(store, houses(6, structure=str(year)), f"{year}-01-01")
    _tamper(store, location, tampering)

    with pytest.raises(ChainBroken, match=cause) as broken:
        verify(store)

    assert broken.value.values["version"] == version


def _tamper(store: Store, location: str, statement: str) -> None:
    """Change the tables as somebody does who knows how the guards are passed."""
    tables = ("changeset", "change", "part")
    if "://" not in location:
        with sqlite3.connect(store.url) as connection:
            connection.execute("INSERT INTO vgpkg_twin_writer VALUES (1)")
            connection.execute(statement.format(**{one: f"vgpkg_twin_{one}" for one in tables}))
            connection.execute("DELETE FROM vgpkg_twin_writer")
        connection.close()
        return
    plain, _, schema = location.partition("&schema=")
    with psycopg.connect(plain) as server:
        server.execute(f"SET search_path = {schema}, public")
        server.execute("SET LOCAL twin.writer = 'yes'")
        server.execute(statement.format(**{one: f"twin_{one}" for one in tables}))
