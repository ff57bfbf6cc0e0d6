"""Ids with every character have addresses of their own: in links, on pages, and for their versions."""

from typing import Any

import httpx
import pytest
import shapely

from api_config.web.path import path_segment

STRANGE = [
    "雨水 井/7?x=1#a", "a%2Fb", "a/b", "..", ".", "../..", "a/./b", "a//b", "a/", "/a", "q", "q/versions", "versions", "q/versions/versions", "<b>\"'&", "50%",
    "%", "%41", "a+b", "a b ", "a;b=1", "c:\\d", "é", "e\u0301", "𠀀", "a\nb", "tab\tx", "items", "q?f=html", "*", "~", "@", "null",
]  # fmt: skip
"""Ids as sources bring them; two of them differ in one sign, or are another's path."""


@pytest.fixture
def strange_town(scratch: Any, bring: Any) -> Any:
    shapes = [shapely.Point(617_000 + n, 3_886_000, 60) for n in range(len(STRANGE))]
    bring(scratch, "pipe_point", shapes, id=STRANGE, survey_no=STRANGE)
    return scratch


def link(document: dict[str, Any], rel: str) -> str:
    return next(entry["href"] for entry in document["links"] if entry["rel"] == rel)


def test_every_id_is_reached_by_its_self_link_its_page_and_its_versions(strange_town: Any, inside_of: Any) -> None:
    town = inside_of(strange_town.path)
    here = "/collections/pipe_point/items"
    ids = [feature["id"] for feature in town.get(f"{here}?limit=100").json()["features"]]
    assert len(set(ids)) == len(STRANGE)

    for feature_id in ids:
        item = town.get(f"{here}/{path_segment(feature_id)}").json()
        own = town.get(link(item, "self"))
        states = town.get(f"{here}/{path_segment(feature_id)}/versions")
        page = town.get(link(item, "alternate"))

        assert own.json()["id"] == feature_id, (feature_id, own.url)
        assert link(own.json(), "self") == str(own.url), feature_id
        assert [state["id"] for state in states.json()["features"]] == [feature_id], feature_id
        assert link(states.json(), "item").removeprefix("http://town.example") == f"{here}/{path_segment(feature_id)}"
        assert page.status_code == 200 and page.headers["content-type"].startswith("text/html"), feature_id


def test_a_real_server_and_client_agree_on_those_addresses(strange_town: Any, serving: Any) -> None:
    here = "/collections/pipe_point/items"

    with serving(strange_town.path) as served, httpx.Client() as client:
        for feature in client.get(f"{served}{here}?limit=100").json()["features"]:
            item = client.get(f"{served}{here}/{path_segment(feature['id'])}").json()
            assert client.get(link(item, "self")).json()["id"] == feature["id"], feature["id"]


@pytest.mark.parametrize("written", ["a/b", "a%2Fb"])
def test_a_slash_that_is_not_encoded_is_understood_where_nothing_else_is_meant(
    strange_town: Any, inside_of: Any, written: str
) -> None:
    town = inside_of(strange_town.path)

    assert town.get(f"/collections/pipe_point/items/{written}").json()["id"] == "a/b"


def test_a_slash_too_many_leads_to_the_list_or_the_feature(strange_town: Any, inside_of: Any) -> None:
    town = inside_of(strange_town.path)
    here = "/collections/pipe_point/items"

    for written in (f"{here}/", f"{here}//", f"{here}/q/", f"{here}/q/versions/", f"{here}/a%2Fb/?f=json"):
        answer = town.get(written)
        assert answer.status_code == 307, written
        assert town.get(answer.headers["location"]).status_code == 200, written
    assert town.get(f"{here}/a%2F").json()["id"] == "a/"
