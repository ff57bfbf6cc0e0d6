"""A family of routes is one declared entry: what it routes it documents, what it declares it routes."""

from collections import Counter
from pathlib import Path

from starlette.routing import Mount, Route

from api_config.routes import FAMILIES
from api_config.settings import Settings
from api_config.web.family import conformance_of, paths_of
from twin_model.catalogue import read_catalogue

LAYERS = [layer for layer in read_catalogue() if layer.kind == "feature"]


def test_every_file_of_routes_is_a_family_and_every_family_is_listed_once() -> None:
    files = {
        path.stem
        for path in (Path(__file__).parents[2] / "api_config" / "routes").glob("*.py")
        if path.stem != "__init__"
    }

    assert Counter(family.name for family in FAMILIES) == Counter(files)


def test_every_family_routes_something_and_describes_it() -> None:
    for family in FAMILIES:
        routes = [route for route in family.routes(Settings()) if isinstance(route, Route)]

        assert routes and all(route.methods and "GET" in route.methods for route in routes), family.name
        assert family.paths(LAYERS), family.name


def test_no_two_families_claim_the_same_address_or_class() -> None:
    addresses = Counter(
        route.path for family in FAMILIES for route in family.routes(Settings()) if not isinstance(route, Mount)
    )
    described = Counter(path for family in FAMILIES for path in family.paths(LAYERS))
    classes = Counter(uri for family in FAMILIES for uri in family.conformance)

    assert {*addresses.values(), *described.values(), *classes.values()} == {1}
    assert conformance_of(FAMILIES) == set(classes)
    assert set(paths_of(FAMILIES, LAYERS)) == set(described)
