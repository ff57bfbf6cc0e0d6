"""`offset`: pages by counting hold what cursors hold; the page after leads on by a cursor."""

from typing import Any

import pytest

ITEMS = "/collections/building/items"
WHOLE = "/collections/building/items?limit=10000&skipGeometry=true&properties=id"


def ids(document: dict[str, Any]) -> list[str]:
    return [feature["id"] for feature in document["features"]]


@pytest.mark.parametrize(
    "query", ["", "&sortby=-storeys,name", "&filter=storeys%20%3E%202", "&q=building&sortby=height"]
)
def test_pages_by_offset_hold_what_one_page_of_all_holds(inside: Any, query: str) -> None:
    features = ids(inside.get(WHOLE + query).json())

    for offset in (0, 1, 17, len(features) - 1, len(features), len(features) + 5):
        if offset >= 0:
            page = inside.get(f"{ITEMS}?limit=10&offset={offset}&properties=name{query}").json()
            assert ids(page) == features[offset : offset + 10], (query, offset)


def test_the_page_after_one_by_offset_is_led_to_by_a_cursor(inside: Any) -> None:
    """GeoNetwork counts on; who follows `next` sees each feature once."""
    features = ids(inside.get(WHOLE).json())
    page = inside.get(f"{ITEMS}?limit=10&offset=30").json()
    links = {link["rel"]: link["href"] for link in page["links"]}

    after = inside.get(links["next"]).json()

    assert "offset" in links["self"] and "offset" not in links["next"]
    assert ids(page) + ids(after) == features[30:50]
    assert page["numberMatched"] == len(features)


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "offset=1.5", "offset=100001", "offset=", "offset=٣"])
def test_an_offset_that_cannot_be_counted_is_refused(inside: Any, query: str) -> None:
    refused = inside.get(f"{ITEMS}?{query}", headers={"Accept-Language": "en"})
    assert (refused.status_code, refused.json()["code"]) == (400, "InvalidParameterValue")
    assert "next link" in refused.json()["detail"]


def test_the_remedy_of_a_refused_offset_reaches_every_feature(inside: Any) -> None:
    address, reached = f"{ITEMS}?limit=700&properties=name&skipGeometry=true", []
    while address:
        page = inside.get(address).json()
        reached += ids(page)
        address = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")

    assert reached == ids(inside.get(WHOLE).json())


def test_a_search_by_post_that_began_with_an_offset_goes_on_with_the_cursor_in_its_body(inside: Any) -> None:
    features, here = ids(inside.get(WHOLE).json()), "/collections/building/search"
    body = {"limit": 10, "offset": 30}
    page = inside("POST", here, json=body).json()
    (following,) = [link for link in page["links"] if link["rel"] == "next"]

    after = inside("POST", here, json=body | following["body"]).json()

    assert ids(page) + ids(after) == features[30:50]
