"""Whoever pages sees each feature once: with and without order, and while someone writes between the pages."""

import base64
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_model.store.base import FeatureQuery
from twin_model.town import open_town


def next_of(document: dict[str, Any]) -> str | None:
    return next((link["href"] for link in document["links"] if link["rel"] == "next"), None)


def pages(ask: Any, address: str) -> list[dict[str, Any]]:
    """Return every page from an address on."""
    found: list[dict[str, Any]] = []
    following: str | None = address
    while following is not None:
        answer = ask(following)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        assert len(found) < 400
        following = next_of(found[-1])
    return found


def ids(documents: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for document in documents for one in document["features"]]


def test_pages_hold_each_feature_once_and_the_last_full_page_has_no_next(inside: Any) -> None:
    for limit in (7, 25, 50, 100, 595, 596):
        found = pages(inside.get, f"/collections/bim_element/items?limit={limit}&skipGeometry=true")

        assert len(ids(found)) == len(set(ids(found))) == 595
        assert len(found) == -(-595 // limit)
        assert all(one["numberMatched"] == 595 for one in found)
        assert [one["numberReturned"] for one in found] == [len(one["features"]) for one in found]


@settings(max_examples=12, deadline=None)
@given(
    keys=st.lists(
        st.sampled_from(["storeys", "structure", "name", "height", "usage", "id", "version", "valid_from"]),
        min_size=1,
        max_size=4,
        unique=True,
    ),
    signs=st.lists(st.sampled_from(["", "+", "-"]), min_size=4, max_size=4),
    limit=st.integers(211, 700),
)
def test_ordered_pages_are_the_one_ordered_list_cut_up(
    inside: Any, keys: list[str], signs: list[str], limit: int
) -> None:
    order = ",".join(f"{sign}{key}" for sign, key in zip(signs, keys, strict=False))
    query = {"sortby": order, "skipGeometry": "true"}

    whole = ids([inside.get("/collections/building/items", params=query | {"limit": "10000"}).json()])
    first = inside.get("/collections/building/items", params=query | {"limit": str(limit)}).json()
    rest = pages(inside.get, next_of(first) or "")

    assert len(whole) == len(set(whole))
    assert ids([first, *rest]) == whole


def test_order_is_by_value_with_nulls_first_ascending_and_ties_by_age(inside: Any, demo_town: Any) -> None:
    with open_town(demo_town) as town:
        frame = town.store.features(FeatureQuery("building"))
    rows = [
        (None if value is None or value != value else value, fid)
        for value, fid in zip(frame["structure"], frame["fid"], strict=True)
    ]
    by_fid = dict(zip(frame["fid"], frame.index, strict=True))
    ascending = sorted(rows, key=lambda row: (row[0] is not None, row[0] or "", row[1]))
    descending = sorted(
        sorted(rows, key=lambda row: row[1]), key=lambda row: (row[0] is not None, row[0] or ""), reverse=True
    )
    descending.sort(key=lambda row: row[0] is None)  # ties keep the order of age, whichever way values run
    grouped: dict[Any, list[int]] = {}
    for value, fid in rows:
        grouped.setdefault(value, []).append(fid)
    expected = [fid for value in dict.fromkeys(value for value, _ in descending) for fid in sorted(grouped[value])]

    up = ids([inside.get("/collections/building/items?sortby=structure&limit=10000").json()])
    down = ids([inside.get("/collections/building/items?sortby=-structure&limit=10000").json()])

    assert up == [by_fid[fid] for _, fid in ascending]
    assert down == [by_fid[fid] for fid in expected]


def test_paging_goes_on_where_the_sort_property_is_not_among_those_asked_for(inside: Any) -> None:
    found = pages(inside.get, "/collections/building/items?sortby=-height&properties=storeys&limit=500")

    assert len(ids(found)) == len(set(ids(found))) == 1647
    assert set(found[0]["features"][0]["properties"]) == {"storeys"}


def test_paging_within_a_box_and_filter_and_words_sees_each_match_once(inside: Any) -> None:
    query = "bbox=118.29,35.09,118.31,35.1&filter=storeys%20%3E%202&q=building"

    whole = ids([inside.get(f"/collections/building/items?{query}&limit=10000").json()])
    cut = ids(pages(inside.get, f"/collections/building/items?{query}&limit=37&sortby=-storeys"))

    assert sorted(cut) == sorted(whole)
    assert len(cut) == len(set(cut)) > 100


@pytest.mark.parametrize("order", ["", "&sortby=-storeys", "&sortby=name,-height", "&datetime=2030-01-01"])
def test_who_pages_while_another_process_commits_sees_each_feature_once(
    scratch: Any, bring: Any, end: Any, square: Any, serving: Any, order: str
) -> None:
    """Between the pages of a served town buildings are added, changed, moved in the order and removed."""
    bring(
        scratch,
        "building",
        [square(20 * n, 0) for n in range(20)],
        name=[f"第{n}栋" for n in range(20)],
        storeys=[n % 4 for n in range(20)],
    )

    with serving(scratch.path) as address, httpx.Client(base_url=address) as client:
        seen, following = [], f"/collections/building/items?limit=3{order}"
        for turn in range(30):
            document = client.get(following).json()
            seen += [(one["id"], one["properties"]["storeys"]) for one in document["features"]]
            following = next_of(document) or ""
            if not following:
                break
            if turn == 0:
                bring(
                    scratch,
                    "building",
                    [square(20 * n, 100) for n in range(8)],
                    name=[f"新{n}栋" for n in range(8)],
                    storeys=list(range(8)),
                )
            if turn == 1:
                bring(
                    scratch,
                    "building",
                    [square(20 * n, 0) for n in range(20)],
                    name=[f"第{n}栋" for n in range(20)],
                    storeys=[9 - n % 4 for n in range(20)],
                )
            if turn == 2:
                end(scratch, "building", "building.20", "building.5", since="2024-02-01T00:00:00.000Z")

        after = client.get("/collections/building/items?limit=100").json()

    assert sorted(seen) == sorted((f"building.{n + 1}", n % 4) for n in range(20))
    assert after["numberMatched"] == 26


def test_a_cursor_of_another_query_or_a_damaged_one_is_refused(inside: Any) -> None:
    following = next_of(inside.get("/collections/building/items?limit=5&sortby=storeys").json()) or ""
    cursor = parse_qs(urlsplit(following).query)["cursor"][0]

    for query in (
        {"cursor": cursor},
        {"cursor": cursor, "sortby": "-storeys"},
        {"cursor": cursor + "AAAA", "sortby": "storeys"},
        {"cursor": cursor[:-3], "sortby": "storeys"},
        {"cursor": cursor, "sortby": "storeys", "filter": "storeys > 3"},
        {"cursor": "", "sortby": "storeys"},
        {"cursor": "x" * 5000, "sortby": "storeys"},
    ):
        answer = inside.get("/collections/building/items", params=query)
        assert answer.status_code == 400, query
        assert answer.json()["rule"] == "query.cursor", answer.text
    assert inside.get("/collections/road_area/items", params={"cursor": cursor, "limit": "5"}).status_code == 400


forged = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


whole = st.integers(-(2**63), 2**64 - 1)
bodies = st.one_of(
    st.lists(forged, max_size=4),
    st.tuples(st.integers(-1, 30), st.lists(forged, max_size=3), whole).map(
        lambda parts: [parts[0], *parts[1], parts[2]]
    ),
)


@settings(max_examples=150, deadline=None)
@given(body=bodies, shape=st.sampled_from(["", "storeys", "-name,storeys"]))
def test_a_forged_cursor_is_refused_or_harmless(inside: Any, body: list[Any], shape: str) -> None:
    """The checksum of a cursor is no secret: here it is right, and the content is anything."""
    query = {"limit": "1", "skipGeometry": "true"} | ({"sortby": shape} if shape else {})
    known = next_of(inside.get("/collections/building/items", params=query).json()) or ""
    text = parse_qs(urlsplit(known).query)["cursor"][0]
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    made = base64.urlsafe_b64encode(raw[:6] + orjson.dumps(body)).decode().rstrip("=")

    answer = inside.get("/collections/building/items", params=query | {"cursor": made})

    assert answer.status_code in (200, 400), answer.text


def test_features_without_the_sort_value_are_all_seen(scratch: Any, bring: Any, inside_of: Any) -> None:
    points = [shapely.Point(617_000 + n, 3_886_000) for n in range(30)]
    bring(scratch, "street_lamp", points, pole_no=[None if n % 3 else f"L{n % 2}" for n in range(30)])
    ask = inside_of(scratch.path).get

    for order in ("pole_no", "-pole_no"):
        found = ids(pages(ask, f"/collections/street_lamp/items?sortby={order}&limit=4"))
        assert len(found) == len(set(found)) == 30
