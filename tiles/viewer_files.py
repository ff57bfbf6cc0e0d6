"""The folder of the built viewer: the checkout's `viewer/dist`, or what the wheel carries of it.

Who serves the folder is `api_config/routes/viewer.py`; flat maps take MapLibre from it (`tiles/flat_map.py`).
"""

from pathlib import Path

__all__ = ["is_checkout", "viewer_folder"]

_PACKAGE = Path(__file__).resolve().parent


def is_checkout(root: Path = _PACKAGE.parent) -> bool:
    """Return whether the packages are in a checkout of the project, not installed from a wheel."""
    return (root / "viewer" / "package.json").is_file() and (root / "setup.cfg").is_file()


def viewer_folder(package: Path = _PACKAGE) -> Path:
    """Return the folder of the built viewer; in a checkout it is there once `make viewer` has built it."""
    root = package.parent
    return root / "viewer" / "dist" if is_checkout(root) else package / "viewer"
