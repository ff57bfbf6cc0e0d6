"""Pages in the order of a field over HTTP: a service has the index made that keeps them cheap in a large town."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from many_versions import town_of_buildings


def test_a_service_makes_the_index_of_an_order_once_it_is_asked_for(
    tmp_path: Path, inside_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page is read by the index, the first was without."""
    monkeypatch.setattr("twin_model.store.geopackage.store.FEWEST_FEATURES", 20)
    town_of_buildings(tmp_path / "town", 20).store.close()
    service = inside_of(tmp_path / "town")

    first = service.get("/collections/building/items?sortby=-storeys&limit=12").json()
    for thread in threading.enumerate():
        if thread.name == "twin-sort-index":
            thread.join()
    (following,) = [link["href"] for link in first["links"] if link["rel"] == "next"]
    second = service.get(following[following.index("/collections/") :]).json()

    pages = [[feature["properties"]["storeys"] for feature in page["features"]] for page in (first, second)]
    assert [len(page) for page in pages] == [12, 8]
    assert pages[0] + pages[1] == sorted((n % 9 + 1 for n in range(20)), reverse=True)
    with sqlite3.connect(tmp_path / "town" / "store.gpkg") as store:
        names = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE name LIKE 'sorted%'")]
    assert names == ["sorted_building_storeys_down"]
