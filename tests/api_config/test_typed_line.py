"""What the user typed, as commands in messages need it: where each source lies, which options were given."""

import zipfile
from pathlib import Path

import click
import pytest

from api_config.cli import make_cli
from api_config.commands.typed_line import typed_line
from twin_model.messages.command_lines import CommandLine

CSV = "编号,X,Y\n1,3886000,618500\n"


def typed(*words: str) -> CommandLine:
    """Return the line of a call that is parsed and not run."""
    cli = make_cli("en")
    root = cli.make_context("twin", list(words), resilient_parsing=False)
    context: click.Context = root
    command: click.Command = cli
    rest = [*root._protected_args, *root.args]
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        rest = [*getattr(context, "_protected_args", []), *context.args]
    return typed_line(context)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for place in ("in (1)/a/lamps.csv", "in (1)/b/lamps.csv", "in (1)/b/poles.csv"):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).write_text(CSV)
    with zipfile.ZipFile("in (1)/z.zip", "w") as archive:
        archive.writestr("deep/trees.csv", CSV)
    return tmp_path


def test_a_source_lies_where_the_user_said_and_a_member_of_a_zip_is_read_by_its_zip(folder: Path) -> None:
    line = typed("--town", "x", "ingest", "in (1)", "--crs", "EPSG:4548")

    assert line.town == "x" and line.verb == "ingest"
    assert line.path_of("poles.csv") == "in (1)/b/poles.csv"
    assert line.path_of("trees.csv") == "in (1)/z.zip"
    assert line.path_of("lamps.csv") == "in (1)", "two of one name are read from their folder"
    assert line.path_of("elsewhere.csv") is None


def test_options_of_reading_that_were_given_are_given_again(folder: Path) -> None:
    line = typed("check", "in (1)", "--as", "building", "--mapping", "my map.toml", "--crs-wins", "--strict")

    assert list(line.options.values()) == ["--as building", "--mapping 'my map.toml'", "--crs-wins"]
    assert line.town == "" and line.verb == "check"
    assert typed("mapping", "check", "a.shp", "--mapping", "m.toml").verb == "mapping check"


def test_the_service_tells_nobody_where_the_town_lies() -> None:
    assert typed("--town", "secret", "serve").town == ""
