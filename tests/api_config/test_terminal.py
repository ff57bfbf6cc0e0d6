"""The command line shows our warnings in the user's language, and nothing that a library logs or warns of."""

import logging
import warnings

import pytest

from api_config.commands.terminal import keep_libraries_quiet
from twin_model.errors import TownWarning


def test_libraries_are_not_heard_and_our_warnings_come_in_the_language(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    last_resort = logging.StreamHandler()
    monkeypatch.setattr(logging, "lastResort", last_resort)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        keep_libraries_quiet("zh")

        warnings.warn("Normalized/laundered field name: 'A' to 'B'", RuntimeWarning, stacklevel=1)
        warnings.warn(TownWarning("town_catalogue.not_followed", files=["a.toml"], cause="bad"), stacklevel=1)
        records = [
            logging.LogRecord(name, logging.WARNING, "", 1, name, None, None) for name in ("ezdxf", "twin.cache")
        ]

    assert [bool(last_resort.filter(record)) for record in records] == [False, True]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("图层目录有改动，但 a.toml 无法使用")
