"""Open findings that a town of before holds twice: the newer one stays, and an undone treatment opens both again."""

from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pytest
import shapely
import surveyed_networks
from doubled_towns import insert, put_beside, states
from surveyed_networks import CRS, Office, frames

from twin_model.doctor import apply_treatment, treatment_of
from twin_model.history import revert
from twin_model.store.base import Store
from twin_model.versioning import commit

Told = dict[str, Any]
AT = (500_000.0, 3_886_000.0)


def finding(key: str, **said: Any) -> Told:
    """Return one finding about a width at a place, in words of a file that may be said otherwise."""
    return {"key": key, "rule": "survey.width_odd", "layer": "pipe_line", "source": "JSLine.csv", "place": "row 3",
            "feature_id": None, "at": AT, "values": {"value": "300"}, "status": "open"} | said  # fmt: skip


def tell(store: Store, told: Told) -> None:
    """Insert a finding as a version of its own, under its key, whatever is there."""
    columns = {name: [told[name]] for name in ("rule", "layer", "feature_id", "source", "place", "status")}
    columns |= {
        "severity": ["warning"],
        "finding_key": [told["key"]],
        "details": [orjson.dumps(told["values"]).decode()],
    }
    point = None if told["at"] is None else shapely.Point(told["at"])
    insert(
        store, {"finding": gpd.GeoDataFrame(columns, geometry=[point], crs=CRS, index=[told["key"]]).rename_axis("id")}
    )


SAME = {
    "rows and place in the file": (finding("old"), finding("new", place="line 4", source="JSLine(改).csv")),
    "a value of the same feature": (
        finding("old", feature_id="1"),
        finding("new", feature_id="1", values={"value": 9}),
    ),
    "editions of a file without a place": (finding("old", at=None), finding("new", at=None, source="JSLine(改).csv")),
}
OTHER = {
    "two features at one place": (finding("old", feature_id="1"), finding("new", feature_id="2")),
    "two places": (finding("old"), finding("new", at=(AT[0] + 5, AT[1]))),
    "two rules": (finding("old"), finding("new", rule="survey.height_odd")),
    "two files without a place": (finding("old", at=None), finding("new", at=None, source="YSLine.csv")),
    "a fault that a person has confirmed": (finding("old", status="confirmed"), finding("new")),
}


@pytest.mark.parametrize("name", SAME)
def test_of_findings_about_the_same_the_newer_stays_and_is_found_by_the_older_key(store: Store, name: str) -> None:
    for told in SAME[name]:
        tell(store, told)
    twice = states(store, "finding")

    version = apply_treatment(store, treatment_of(store), author="tester", reason="told twice")

    (left,) = states(store, "finding")["finding"]
    assert (left["id"], store.fids_of_past_ids("finding", ["old"])) == ("new", {"old": left["fid"]})
    assert treatment_of(store).is_empty
    commit(store, revert(store, version.number, author="tester"))
    assert states(store, "finding") == twice


def test_findings_about_other_things_stay_apart(store: Store) -> None:
    for number, pair in enumerate(OTHER.values()):
        for told in pair:
            east = None if told["at"] is None else (told["at"][0] + 100.0 * number, told["at"][1])
            names = {"key": f"{told['key']}{number}", "at": east, "source": f"{number}{told['source']}"}
            tell(store, told | names | {"feature_id": told["feature_id"] and f"{number}-{told['feature_id']}"})

    assert treatment_of(store).is_empty


def test_a_finding_about_a_feature_that_stood_twice_is_about_the_one_that_stays(store: Store) -> None:
    random = np.random.default_rng(1)
    net = surveyed_networks.network(random, size=2)
    Office(store).deliver("first", frames(net, random))
    put_beside(store, frames(net, random, renumbered=True))
    treatment = treatment_of(store)
    (lines,) = [each for each in treatment.layers if each.layer.id == "pipe_line"]
    pair = lines.examples(1)[0]
    tell(store, finding("of the newer", feature_id=pair["joins"], at=None))

    apply_treatment(store, treatment_of(store), author="tester", reason="doubled")

    (left,) = states(store, "finding")["finding"]
    assert left["feature_id"] == pair["stays"]
