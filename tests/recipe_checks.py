"""What a recipe of `docs/architecture.md` must have brought, asked in a process that imports the house with the recipe in it.

python tests/recipe_checks.py reader '["twin --town town ingest ..."]'   in a folder with a town, PYTHONPATH the changed house
"""

import asyncio
import importlib.util
import json
import shlex
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from api_config.app import make_app
from api_config.cli import make_cli
from api_config.settings import Settings
from twin_model.town import open_town

__all__ = ["answers"]

TESTS = Path(__file__).parent


def answers(town: Path, *addresses: str) -> list[httpx.Response]:
    """Return what the service of a town answers to these addresses, without a socket."""
    app = make_app(Settings(town=town))

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://town.example") as client:
            return [await client.get(address) for address in addresses]

    with closing(app.state.service.town.store):
        return asyncio.run(ask())


def house_test(name: str) -> Any:
    """Return a module of tests, taken over the house that this process imports."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, TESTS / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reader() -> None:
    """Two points are stored, a line is quarantined and explained in both languages, and the entry is complete."""
    import ingest.readers as readers

    with open_town("town") as town:
        heights = town.features("spot_height")
        (finding,) = town.features("finding", where="severity = 'error'").to_dict("records")
    assert sorted(heights["elevation"]) == [65.2, 65.35]
    assert (finding["rule"], finding["place"]) == ("xyz.not_three_numbers", "line 3")

    complete = house_test("ingest/test_readers.py")
    complete.ROOT = Path(readers.__file__).parents[1]
    folder = Path("completeness")
    folder.mkdir()
    complete.test_every_reader_is_complete(folder)


def route() -> None:
    """The route answers, knows time, refuses what it does not know, and stands in /api and /conformance."""
    now, earlier, parameter, collection, document, conformance = answers(
        Path("town"),
        "/collections/building/count",
        "/collections/building/count?recorded=0",
        "/collections/building/count?colour=red",
        "/collections/bulding/count",
        "/api?f=json",
        "/conformance?f=json",
    )
    assert now.json() == {"collection": "building", "count": 0}
    assert earlier.json()["count"] == 0
    assert (parameter.status_code, collection.status_code) == (400, 404)
    assert "/collections/building/count" in document.json()["paths"]
    assert "https://town.example/conformance/counts" in conformance.json()["conformsTo"]

    families = house_test("api_config/test_route_families.py")
    families.test_every_family_routes_something_and_describes_it()
    families.test_no_two_families_claim_the_same_address_or_class()


def main(recipe: str, commands: list[str]) -> None:
    for line in commands:
        verb, *words = shlex.split(line)
        assert verb == "twin", f"only twin is run here: {line}"
        code = make_cli("en").main(words, "twin", standalone_mode=False)
        print(f"{line}  -> {code or 0}")
    {"reader": reader, "route": route}[recipe]()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
