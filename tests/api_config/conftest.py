"""What the tests of the doors ask for: a client of the served sample town, small towns to write into, an app in process."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import pytest
import shapely

from api_config.app import make_app
from api_config.settings import Settings
from ingest.draft import Draft
from twin_model.changeset import Changeset, Source, Version
from twin_model.town import Town, init_town, open_town
from twin_model.versioning import commit

EAST, NORTH = 617_000.0, 3_886_000.0
"""The south-west corner of scratch towns in EPSG:4548, in the middle of the sample town."""

Committing = Callable[..., Version]


@pytest.fixture(scope="session")
def client(served_town: str) -> Iterator[httpx.Client]:
    """A client of the served sample town that keeps its connection."""
    with httpx.Client(base_url=served_town, timeout=60) as one:
        yield one


@pytest.fixture(scope="session")
def empty_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an empty town, to be copied: to make one anew costs a tenth of a second."""
    folder = tmp_path_factory.mktemp("empty") / "town"
    init_town(folder, name="小镇", crs="EPSG:4548").store.close()
    return folder


@pytest.fixture
def scratch(empty_town: Path, tmp_path: Path) -> Iterator[Town]:
    """An empty town to write into."""
    with open_town(shutil.copytree(empty_town, tmp_path / "town")) as town:
        yield town


@pytest.fixture(scope="session")
def bring() -> Committing:
    """Return a function that commits features of a layer: shapes in the storage CRS and a dict of columns."""

    def brought(
        town: Town,
        layer: str,
        shapes: list[Any],
        *,
        since: str = "2024-01-01T00:00:00.000Z",
        **columns: list[Any],
    ) -> Version:
        frame = gpd.GeoDataFrame(columns, geometry=shapes, crs=town.store.crs)
        source = Source(f"{layer}.geojson", f"{town.store.version():064x}")
        with Draft(source, town.catalogue, storage_crs=town.store.crs, effective=since) as draft:
            draft.add(layer, frame)
            return commit(town.store, draft.to_changeset(author="test", reason="test", reach="nothing"))

    return brought


@pytest.fixture(scope="session")
def end() -> Committing:
    """Return a function that terminates features of a layer by id."""

    def ended(town: Town, layer: str, *ids: str, since: str) -> Version:
        return commit(town.store, Changeset("test", "test", since, terminated={layer: ids}))

    return ended


class Inside:
    """A client of an app in this very process: no socket, the same answers; a crash is a 500."""

    def __init__(self, town: Path, **options: Any) -> None:
        self.app = make_app(Settings(town=town, **options))
        self._loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://town.example")

    def __call__(self, method: str, address: str, **options: Any) -> httpx.Response:
        return self._loop.run_until_complete(self._client.request(method, address, **options))

    def get(self, address: str, **options: Any) -> httpx.Response:
        return self("GET", address, **options)

    def at_once(self, *addresses: str) -> list[tuple[str, int]]:
        """Return address and status of requests sent at once, in the order in which they were answered."""
        answers = []

        async def ask(address: str) -> None:
            answer = await self._client.get(address)
            answers.append((address, answer.status_code))

        async def ask_all() -> None:
            await asyncio.gather(*map(ask, addresses))

        self._loop.run_until_complete(ask_all())
        return answers

    def close(self) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self.app.state.service.town.store.close()


@pytest.fixture(scope="session")
def inside(demo_town: Path) -> Iterator[Inside]:
    """The sample town's app in this process; it only reads."""
    one = Inside(demo_town)
    yield one
    one.close()


@pytest.fixture
def inside_of() -> Iterator[Callable[..., Inside]]:
    """Return a function that makes the app of a folder in this process."""
    made: list[Inside] = []

    def inside_town(town: Path, **options: Any) -> Inside:
        made.append(Inside(town, **options))
        return made[-1]

    yield inside_town
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def square() -> Callable[..., shapely.MultiPolygon]:
    """Return a function: east and north of the corner of a scratch town and side in metres -> a square building's outline."""

    def made(east: float, north: float, side: float = 10.0) -> shapely.MultiPolygon:
        corner = (EAST + east, NORTH + north)
        return shapely.MultiPolygon([shapely.box(*corner, corner[0] + side, corner[1] + side)])

    return made
