"""Where the built viewer lies: beside the packages in a checkout, in the package where a wheel was installed."""

from pathlib import Path

from tiles.viewer_files import is_checkout, viewer_folder


def test_the_viewer_is_that_of_the_checkout_where_there_is_one() -> None:
    assert viewer_folder().parts[-2:] == ("viewer", "dist")
    assert is_checkout()


def test_the_viewer_is_carried_by_the_package_where_there_is_no_checkout(tmp_path: Path) -> None:
    package = tmp_path / "tiles"

    assert not is_checkout(tmp_path)
    assert viewer_folder(package) == package / "viewer"
