"""The coordinate systems of an answer: those that are offered, in every usual spelling, and no other."""

from pathlib import Path

import httpx
import pytest

from api_config.web.offered_crs import crs_list
from twin_model.crs import uri_of
from twin_model.town import open_town

URI = "http://www.opengis.net/def/crs/EPSG/0/{}"


@pytest.mark.parametrize(
    "spelling",
    [
        "EPSG:4490",
        "[EPSG:4490]",
        "urn:ogc:def:crs:EPSG::4490",
        "https://www.opengis.net/def/crs/EPSG/0/4490",
        "epsg:4490",
    ],
)
def test_a_system_may_be_written_in_each_usual_way(client: httpx.Client, spelling: str) -> None:
    answer = client.get("/collections/building/items", params={"crs": spelling, "limit": "1"})

    assert answer.headers["content-crs"] == f"<{URI.format(4490)}>"


def test_every_collection_offers_the_same_systems_and_the_town_s_own(client: httpx.Client, demo_town: Path) -> None:
    with open_town(demo_town) as town:
        offered = [uri_of(crs) for crs in crs_list(town)]

    collections = client.get("/collections").json()["collections"]

    assert offered[0].endswith("CRS84") and uri_of("EPSG:4548") in offered
    assert {tuple(collection["crs"]) for collection in collections} == {tuple(offered)}


@pytest.mark.parametrize("name", ["crs", "bbox-crs", "filter-crs"])
@pytest.mark.parametrize("value", ["EPSG:2000", "4490", "EPSG:4490; drop", "x" * 5_000, ""])
def test_a_system_that_is_not_offered_is_refused_with_those_that_are(
    client: httpx.Client, name: str, value: str
) -> None:
    refused = client.get("/collections/building/items", params={name: value, "limit": "1"})

    assert refused.status_code == 400 and URI.format(4548) in refused.json()["detail"]
