"""The log of an error holds its traceback, and only its owner may read it."""

from pathlib import Path

from twin_model.error_log import write_error_log


def test_a_log_holds_the_traceback_and_is_its_owners_alone(tmp_path: Path) -> None:
    try:
        raise KeyError("\udcff secret")
    except KeyError as error:
        path = Path(write_error_log(error))

    text = path.read_text("utf-8")
    mode = path.stat().st_mode & 0o777
    path.unlink()
    assert text.startswith("Traceback") and text.endswith("KeyError: '\\udcff secret'\n")
    assert (path.name.startswith("twin-error-"), mode) == (True, 0o600)
