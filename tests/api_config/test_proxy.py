"""The address that clients know the service by: what a trusted proxy says, never what a stranger says."""

from pathlib import Path
from typing import Any

import httpx
import pytest

TOLD = {"x-forwarded-proto": "https", "x-forwarded-host": "city.example", "x-forwarded-prefix": "/twin"}
RFC = {"forwarded": 'for=1.2.3.4;proto=https;host="city.example"', "x-forwarded-prefix": "/twin"}


def links(answer: httpx.Response) -> set[str]:
    """Return where the links of a document lead, without their paths."""
    return {link["href"].split("/collections")[0] for link in answer.json()["links"] if "/collections" in link["href"]}


@pytest.mark.parametrize("headers", [TOLD, RFC])
def test_links_lead_to_where_a_trusted_proxy_says_the_client_is(
    demo_town: Path, inside_of: Any, headers: dict[str, str]
) -> None:
    trusting, other = inside_of(demo_town, proxies=("127.0.0.0/8",)), inside_of(demo_town)

    assert links(trusting.get("/collections", headers=headers)) == {"https://city.example/twin"}
    assert trusting.get("/api", headers=headers).json()["servers"] == [{"url": "https://city.example/twin"}]
    assert trusting.get("/collections/building?f=html", headers=headers).status_code == 200
    assert links(other.get("/collections", headers=headers)) == {"http://town.example"}


@pytest.mark.parametrize("sent", ["/collections/building", "/twin/collections/building"])
def test_a_prefix_may_stay_in_the_path_or_be_taken_off_it(demo_town: Path, inside_of: Any, sent: str) -> None:
    trusting = inside_of(demo_town, proxies=("127.0.0.0/8",))
    fixed = inside_of(demo_town, url="https://city.example/twin/")

    for answer in (trusting.get(sent, headers=TOLD), fixed.get(sent)):
        here = {link["href"] for link in answer.json()["links"] if link["rel"] == "self"}
        assert here == {"https://city.example/twin/collections/building"}
        assert fixed.get("/twin/viewer").headers["location"] == "https://city.example/twin/viewer/"
    assert (
        fixed("OPTIONS", sent).headers["allow"]
        and "wasm" in fixed.get("/twin/viewer/").headers["content-security-policy"]
    )
    assert "wasm" not in fixed.get(sent).headers["content-security-policy"]


def test_what_a_proxy_says_that_is_no_address_is_passed_over(demo_town: Path, inside_of: Any) -> None:
    ask = inside_of(demo_town, proxies=("127.0.0.1",))
    told = {
        "x-forwarded-proto": "javascript",
        "x-forwarded-host": 'a"><script>',
        "x-forwarded-prefix": "//evil.example/..",
    }

    assert links(ask.get("/collections", headers=told)) == {"http://town.example"}


def test_a_host_that_is_nobody_s_here_is_refused_unless_it_is_named_or_the_address_is_set(
    demo_town: Path, inside_of: Any
) -> None:
    evil = {"host": "evil.example"}
    plain, named = inside_of(demo_town), inside_of(demo_town, hosts=("evil.example",))
    fixed = inside_of(demo_town, url="http://127.0.0.1/twin")

    refused = plain.get("/collections", headers=evil)

    assert (refused.status_code, refused.json()["status"]) == (421, 421) and "TWIN_HOSTS" in refused.json()["detail"]
    assert "不是本服务的地址" in plain.get("/collections", headers=evil | {"accept-language": "zh"}).json()["detail"]
    assert named.get("/collections", headers=evil).status_code == 200
    assert links(fixed.get("/collections", headers=evil)) == {"http://127.0.0.1/twin"}
    assert [
        plain.get("/healthz", headers={"host": host}).status_code
        for host in ("localhost:8000", "127.0.0.1", "[::1]:80")
    ] == [200] * 3


def test_another_name_of_the_service_builds_nothing_anew(demo_town: Path, inside_of: Any) -> None:
    ask = inside_of(demo_town, hosts=("a.example", "b.example"))

    answers = [ask.get("/collections", headers={"host": host}) for host in ("a.example", "b.example")]

    assert [links(answer) for answer in answers] == [{"http://a.example"}, {"http://b.example"}]
    assert len(ask.app.state.bridge._apis) == 1
