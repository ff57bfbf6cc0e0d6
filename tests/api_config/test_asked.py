"""What a request for items asks: its parameters become one query of the store, and nothing is passed over."""

from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from api_config.web.asked import ITEMS_PARAMETERS, Asked, asked_of, checksum_of
from api_config.web.call import Call
from twin_model.errors import QueryRefused


def call_of(app: Any, **parameters: str) -> Call:
    """Return a call of the buildings with these parameters, as a route gets it."""
    scope = {"type": "http", "method": "GET", "path": "/collections/building/items", "root_path": "", "scheme": "http", "app": app,
             "query_string": urlencode(parameters).encode(), "headers": [], "path_params": {"collection": "building"},
             "server": ("127.0.0.1", 80)}  # fmt: skip
    return Call(Request(scope))


def asked(app: Any, **parameters: str) -> Asked:
    call = call_of(app, **parameters)
    return asked_of(call, call.layer())


def test_parameters_become_one_query(inside: Any) -> None:
    request = asked(
        inside.app, bbox="118.28,35.08,118.31,35.10", filter="storeys > 3", structure="砖", sortby="-storeys,name",
        properties="name,storeys", skipGeometry="true", limit="7", crs="EPSG:4548", recorded="1", f="csv",
    )  # fmt: skip

    query = request.query
    assert (request.crs, request.format, request.limit, query.limit) == ("EPSG:4548", "csv", 7, 8)
    assert [(key.name, key.ascending) for key in query.sort] == [("storeys", False), ("name", True)]
    assert (query.fields, query.geometry, query.view.recorded, query.unplaced) == (("name", "storeys"), False, 1, True)
    assert query.where is not None and "structure" in repr(query.where) and "storeys" in repr(query.where)


def test_paging_and_form_do_not_tie_a_cursor_and_all_else_does(inside: Any) -> None:
    free = {"cursor", "offset", "limit", "f", "crs"}
    plain = checksum_of(call_of(inside.app))

    tied = {name for name in ITEMS_PARAMETERS if checksum_of(call_of(inside.app, **{name: "1"})) != plain}

    assert tied == {*ITEMS_PARAMETERS} - free


@pytest.mark.parametrize(
    "parameters",
    [
        {"colour": "red"},
        {"limit": "0"},
        {"offset": "-1"},
        {"sortby": "storeys,-storeys"},
        {"properties": "storey"},
        {"skipGeometry": "maybe"},
        {"q": " "},
        {"filter-lang": "sql"},
        {"cursor": "x"},
        {"datetime": "yesterday"},
    ],
)
def test_what_means_nothing_is_refused_and_never_passed_over(inside: Any, parameters: dict[str, str]) -> None:
    with pytest.raises(QueryRefused):
        asked(inside.app, **parameters)
