"""Builds the package: the built viewer and the notebooks lie outside of the packages and are put into two of them.

What the packages are stands in `setup.cfg`. Code asks for the folders by `tiles/viewer_files.py` and `api_config/demo_files.py`.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError

ROOT = Path(__file__).resolve().parent
CARRIED = {"viewer/dist": "tiles/viewer", "notebooks": "api_config/notebooks"}
"""Folders of the checkout, and where they lie in the wheel."""


class BuildWithFolders(build_py):
    """Copies the packages, then the folders beside them; a build for `pip install -e` copies nothing."""

    def run(self) -> None:
        if self.editable_mode:
            super().run()
            return
        if not (ROOT / "viewer/dist/index.html").is_file():
            raise SetupError(
                "The viewer is not built: viewer/dist/index.html is missing, and the wheel would come without it. "
                "Build the viewer first: make viewer. 三维场景尚未构建，请先运行 make viewer。"
            )
        shutil.rmtree(self.build_lib, ignore_errors=True)  # files of an earlier build would come into the wheel
        super().run()
        for folder, place in CARRIED.items():
            target = Path(self.build_lib, place)
            shutil.copytree(ROOT / folder, target, ignore=shutil.ignore_patterns(".*", "__pycache__"))


setup(cmdclass={"build_py": BuildWithFolders})
