"""`make quick` finds the tests of a change: every module leads to some, and what it leaves out it names."""

from fnmatch import fnmatch
from pathlib import Path

import quick

ROOT = Path(__file__).resolve().parents[2]


def test_a_change_leads_to_the_tests_that_are_about_it() -> None:
    expected = {
        "tiles/mvt.py": "tests/tiles/test_mvt.py",
        "twin_model/town.py": "tests/twin_model/test_town.py",
        "ingest/dxf/contour.py": "tests/ingest/test_dxf_cass.py",
        "ingest/survey/heading.py": "tests/ingest/test_survey_heading.py",
        "twin_model/store/postgis/write.py": "tests/twin_model/test_store.py",
        "twin_model/messages/zh/core.toml": "tests/twin_model/test_messages.py",
        "twin_model/catalogue/20_underground.toml": "tests/twin_model/test_catalogue.py",
        "api_config/static/page.css": "tests/api_config/test_pages.py",
        "api_config/commands/backup.py": "tests/api_config/test_cli.py",
        "docs/architecture.md": "tests/journeys/test_recipes.py",
        "tests/recipe_checks.py": "tests/journeys/test_recipes.py",
        "tests/tiles/test_mvt.py": "tests/tiles/test_mvt.py",
        "api_config/cli.py": "tests/api_config/test_cli.py",
        "viewer/src/time.ts": "tests/house",
        "api_config/routes/items.py": "tests/api_config/test_items.py",
        "README.md": "tests/house",
        "setup.cfg": "tests/house",
    }

    wrong = {file: list(quick.choose([file]).tests) for file, test in expected.items() if test not in quick.choose([file]).tests}  # fmt: skip

    assert wrong == {}


def test_every_module_leads_to_a_test_and_none_to_more_than_a_few() -> None:
    modules = [
        path.relative_to(ROOT).as_posix()
        for package in quick.PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py"
    ]

    numbers = {module: len(quick.choose([module]).tests) - 1 for module in modules}

    assert {module for module, number in numbers.items() if number == 0} == set()
    assert max(numbers.values()) <= quick.MOST


def test_what_is_left_to_the_full_run_is_named_and_slow_files_are_among_it() -> None:
    choice = quick.choose(["twin_model/town.py", "twin_model/store/geopackage/write.py"])

    left_out = {test for tests in choice.left_out.values() for test in tests}
    assert "tests/twin_model/test_kills.py" in left_out
    assert not {test for test in choice.tests if test != quick.HOUSE and quick.is_slow(test)}
    assert quick.is_slow("tests/api_config/test_conformance.py"), "its client is one of the sample town"
    assert not quick.is_slow("tests/tiles/test_mvt.py")
    assert "tests/twin_model/test_kills.py" in quick.choose(["tests/twin_model/test_kills.py"]).tests, (
        "a slow file that was changed itself is run"
    )


def test_the_table_names_files_that_exist() -> None:
    files = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("[a-z]*/**/*") if path.is_file()]

    absent = [test for _, tests in quick.TABLE for test in tests if not (ROOT / test).is_file()]
    idle = [pattern for pattern, _ in quick.TABLE if not any(fnmatch(file, pattern) for file in files)]

    assert (absent, idle) == ([], [])
    assert quick.slow_tests()
