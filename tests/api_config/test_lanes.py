"""Requests are answered in threads, within a time limit that ends what is asked of the store, and never without bound."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from api_config.web.lanes import ClientLeft, LaneFull, Lanes, TookTooLong
from twin_model.catalogue import read_catalogue
from twin_model.store.base import Store
from twin_model.store.geopackage.store import GeoPackageStore
from twin_model.store.opening import create_store

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def request_of(leaves_after: float | None = None) -> Request:
    """Return a request whose client leaves after some seconds, or never."""

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(leaves_after if leaves_after is not None else 3600)
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


def asking(store: Store) -> Callable[[Request], Response]:
    """Return a function that asks the store for what never ends."""

    def ask(request: Request) -> Response:
        if isinstance(store, GeoPackageStore):
            store._connection().execute(ENDLESS).fetchone()
        else:
            store._all("SELECT pg_sleep(3600)")  # type: ignore[attr-defined]
        return Response()

    return ask


def quick(request: Request) -> Response:
    return Response(threading.current_thread().name)


@pytest.fixture(params=["geopackage", "postgis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of either kind."""
    location = "store.gpkg" if request.param == "geopackage" else str(request.getfixturevalue("postgis_url"))
    store = create_store(location, read_catalogue().of_kind("feature"), "EPSG:4548", folder=tmp_path)
    yield store
    store.close()


def test_what_takes_too_long_is_ended_in_the_store_and_its_thread_answers_again(store: Store) -> None:
    async def asked() -> list[Any]:
        lanes = Lanes(request_seconds=0.5)
        both = (lanes.heavy.answer(request_of(), asking(store)) for _ in range(2))
        ended = await asyncio.gather(*both, return_exceptions=True)
        return [*ended, await asyncio.wait_for(lanes.heavy.answer(request_of(), quick), 60)]

    *ended, answered = asyncio.run(asked())

    assert [type(each) for each in ended] == [TookTooLong] * 2
    assert answered.body.startswith(b"twin-heavy")


def test_a_client_that_leaves_ends_what_was_asked_for_it(store: Store) -> None:
    async def asked() -> list[Any]:
        lanes = Lanes(request_seconds=3600.0)
        both = (lanes.heavy.answer(request_of(leaves_after=0.1), asking(store)) for _ in range(2))
        left = await asyncio.gather(*both, return_exceptions=True)
        return [*left, await asyncio.wait_for(lanes.heavy.answer(request_of(), quick), 60)]

    *left, answered = asyncio.run(asked())

    assert [type(each) for each in left] == [ClientLeft] * 2
    assert answered.body.startswith(b"twin-heavy")


def test_a_full_lane_sends_away_the_other_answers_and_closing_ends_all(store: Store) -> None:
    async def asked() -> tuple[bytes, list[Any]]:
        lanes = Lanes(request_seconds=3600.0)
        room = [asyncio.ensure_future(lanes.heavy.answer(request_of(), asking(store))) for _ in range(34)]
        await asyncio.sleep(0.5)
        with pytest.raises(LaneFull):
            await lanes.heavy.answer(request_of(), quick)
        answered = await lanes.quick.answer(request_of(), quick)
        lanes.close()
        return bytes(answered.body), await asyncio.wait_for(asyncio.gather(*room, return_exceptions=True), 60)

    answered, ended = asyncio.run(asked())

    assert answered.startswith(b"twin-quick")
    assert [type(each) for each in ended] == [TookTooLong] * 34


def test_no_question_to_the_store_is_asked_on_the_event_loop(
    demo_town: Path, inside_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = GeoPackageStore._connection

    def off_the_loop(self: GeoPackageStore) -> Any:
        assert asyncio._get_running_loop() is None, "asked on the event loop"
        return connection(self)

    inside = inside_of(demo_town)
    paths = [
        path
        for path in inside.get("/api").json()["paths"]
        if "{" not in path and path not in ("/search", "/crs/transform")
    ]
    paths += [
        "/search?q=1",
        "/crs/transform?lon=118.3&lat=35.1",
        "/collections/building/items?limit=1&sortby=-storeys",
        "/collections/building/items/none",
    ]
    monkeypatch.setattr(GeoPackageStore, "_connection", off_the_loop)

    answers = {path: inside.get(path).status_code for path in paths}

    assert len(answers) > 100 and {path: status for path, status in answers.items() if status not in (200, 404)} == {}


def test_bursts_leave_no_descriptor_behind(demo_town: Path, inside_of: Callable[..., Any]) -> None:
    inside = inside_of(demo_town)
    burst = [
        f"/collections/building/items?limit=5&{query}" for query in ("", "q=1", "sortby=name", "filter=storeys>3")
    ] * 8

    opened = []
    for _ in range(4):
        answers = inside.at_once(*burst)
        assert {status for _, status in answers} == {200}
        opened.append(len(list(Path("/proc/self/fd").iterdir())))

    assert opened[1:] == [opened[1]] * 3


def test_an_answer_that_took_too_long_says_so_and_when_to_come_again(
    demo_town: Path, inside_of: Callable[..., Any]
) -> None:
    answer = inside_of(demo_town, request_seconds=0.0).get("/collections", headers={"accept-language": "zh"})

    assert answer.status_code == 503 and answer.headers["retry-after"] == "2"
    assert "请求已中止" in answer.json()["detail"]
