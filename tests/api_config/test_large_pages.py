"""A page of features has a limit of bytes: where features are large it ends early, and the next page goes on behind it."""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from api_config.web.feature_cache import FeatureCache
from twin_model.store.base import FeatureQuery
from twin_model.town import Town, init_town

LETTERS = 300_000
"""Length of a name: three of them and a bit are a page of 1 MiB."""
MIB = 2**20


@pytest.fixture
def heavy_town(location: str, tmp_path: Path, bring: Any, square: Any) -> Iterator[Town]:
    town = init_town(tmp_path / "town", name="重", crs="EPSG:4548", store=location)
    names = [f"{chr(97 + n % 26)}{n:03d}" + "x" * LETTERS for n in range(60)]
    bring(
        town,
        "building",
        [square(40.0 * n, 0.0) for n in range(60)],
        name=names,
        height=[float(n % 7) for n in range(60)],
    )
    yield town
    town.store.close()


@pytest.mark.parametrize(
    "asked", ["limit=1000", "limit=60&sortby=-height", "limit=20&datetime=2024-06-01", "limit=60&crs=EPSG:4548"]
)
def test_pages_of_large_features_end_early_and_lose_none(
    heavy_town: Town, inside_of: Callable[..., Any], asked: str
) -> None:
    inside = inside_of(heavy_town.path, page_mib=1)

    for remembered in (False, True):
        address, names, largest = f"/collections/building/items?{asked}", list[str](), 0
        while address:
            answer = inside.get(address)
            largest = max(largest, len(answer.content))
            page = answer.json()
            names += [feature["properties"]["name"][:4] for feature in page["features"]]
            further = [link["href"] for link in page["links"] if link["rel"] == "next"]
            address = f"{(parts := urlsplit(further[0])).path}?{parts.query}" if further else ""

        assert len(names) == len(set(names)) == 60, remembered
        assert LETTERS < largest < MIB + LETTERS + 20_000


def test_a_page_reads_no_more_than_it_has_room_for(heavy_town: Town) -> None:
    layer, query = heavy_town.catalogue["building"], FeatureQuery("building", limit=60)

    peaks = []
    for page_bytes in (MIB, 64 * MIB):
        tracemalloc.start()
        page = FeatureCache(0, page_bytes=page_bytes).page(heavy_town.store, layer, query, "OGC:CRS84")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (page.is_cut, len(page.rows)) == ((True, 4) if page_bytes == MIB else (False, 60))
        assert len(page.texts) == len(page.rows)

    assert peaks[0] < peaks[1] / 2, "rows that have no room on the page were read all the same"
