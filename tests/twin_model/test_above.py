"""What `Town` offers of higher packages: each text leads to a function, and completion shows the signature it has."""

import inspect

import pytest

from twin_model.desk.above import FUNCTIONS, above
from twin_model.errors import PackageMissing
from twin_model.town import Town


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_method_of_the_town_takes_what_the_function_above_takes(name: str) -> None:
    method = list(inspect.signature(getattr(Town, name)).parameters.values())[1:]
    function = list(inspect.signature(above(name)).parameters.values())[1:]

    assert [(each.name, each.kind, each.default) for each in method] == [
        (each.name, each.kind, each.default) for each in function
    ]


def test_a_package_that_is_not_installed_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, "serve", "api_configuration.notebook_service:serve")

    with pytest.raises(PackageMissing) as refused:
        above("serve")

    assert str(refused.value).startswith("town.serve needs the package api_configuration, which this Python (")
    assert "make demo" in refused.value.text("zh")
