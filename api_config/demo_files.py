"""What `twin demo` starts from: the generator of the samples, the sample town's settings, the notebooks.

In a checkout all of it lies where it belongs, and samples are written there. Installed from a wheel, the packages are left
as they are: samples and notebooks are written into the working folder, where the help and the notebooks look for them.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tiles.viewer_files import is_checkout

__all__ = ["DemoFiles", "write_notebooks"]

_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class DemoFiles:
    """Where the demo reads from (`generator`, `settings`, `notebooks`) and writes to (`samples`)."""

    package: Path = _PACKAGE

    @property
    def is_checkout(self) -> bool:
        return is_checkout(self.package.parent)

    @property
    def generator(self) -> Path:
        return self.package.parent / "data_samples" / "make_samples.py"

    @property
    def settings(self) -> Path:
        return self.package.parent / "data_samples" / "demo_town.toml"

    @property
    def notebooks(self) -> Path:
        """The folder of the notebooks as they are delivered."""
        return self.package.parent / "notebooks" if self.is_checkout else self.package / "notebooks"

    @property
    def samples(self) -> Path:
        """The folder that samples are written to: the checkout's own, else `data_samples` in the working folder."""
        return self.generator.parent if self.is_checkout else Path("data_samples")


def write_notebooks(source: Path, folder: Path) -> list[Path]:
    """Copy the notebooks of `source` into `folder` and return those that were written; one that is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for notebook in sorted(source.glob("*.ipynb")):
        place = folder / notebook.name
        if not place.exists():
            shutil.copyfile(notebook, place)
            written.append(place)
    return written
