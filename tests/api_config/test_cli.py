"""The command line: help in two languages with a line that runs, sentences a user can act on, exits that mean something."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import click
import geopandas as gpd
import pytest
import shapely
from click.testing import CliRunner, Result
from twin_command import run_twin

from api_config.cli import make_cli

TWIN = Path(sys.executable).with_name("twin")
EAST, NORTH = 618_600.0, 3_885_800.0
LANGUAGES = ("en", "zh")
_RUNNING = {"twin", "serve", "demo"}
"""Verbs whose line does not end by itself or makes the whole sample town: the fixtures of all tests run those."""

Run = Callable[..., Result]


def verbs(group: click.Command, name: str = "twin") -> Iterator[tuple[str, click.Command]]:
    """Yield every verb below a group with its whole name; a group is none itself but for the first."""
    if isinstance(group, click.Group):
        if name == "twin":
            yield name, group
        for one, command in group.commands.items():
            yield from verbs(command, one if name == "twin" else f"{name} {one}")
    else:
        yield name, group


VERBS = [name for name, _ in verbs(make_cli("en"))]


def example(verb: str, lang: str) -> str:
    help_text = dict(verbs(make_cli(lang)))[verb].help or ""
    last = help_text.rstrip().splitlines()[-1]
    mark = {"en": "Example: ", "zh": "示例："}[lang]
    assert last.startswith(mark), f"the help of {verb!r} ends in {last!r}"
    return last.removeprefix(mark)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `twin` in this process, in a language, on a town below the test's folder."""
    monkeypatch.chdir(tmp_path)

    def ran(*arguments: str | Path, lang: str = "en", town: Path | None = None) -> Result:
        environment = {"TWIN_LANG": lang, "TWIN_TOWN": str(town or tmp_path / "town"), "COLUMNS": "200"}
        monkeypatch.setenv("TWIN_LANG", lang)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(make_cli(lang), [str(one) for one in arguments])

    return ran


@pytest.fixture
def town(empty_town: Path, tmp_path: Path) -> Path:
    return shutil.copytree(empty_town, tmp_path / "town")


@pytest.fixture
def plots(tmp_path: Path) -> Path:
    """Seven parcels, of which four repeat the number of another and one is a bow tie."""
    boxes = [shapely.box(EAST + 20 * n, NORTH, EAST + 20 * n + 9, NORTH + 9) for n in range(6)]
    bow = shapely.Polygon([(EAST, NORTH + 50), (EAST + 9, NORTH + 59), (EAST + 9, NORTH + 50), (EAST, NORTH + 59)])
    file = tmp_path / "land_use.gpkg"
    frame = gpd.GeoDataFrame({"parcel_no": ["B", *["A"] * 5, "C"]}, geometry=[bow, *boxes], crs=4548)
    frame.to_file(file, engine="pyogrio")
    return file


def test_the_help_of_every_verb_ends_in_the_same_line_to_paste_in_both_languages() -> None:
    lines = {verb: {example(verb, lang) for lang in LANGUAGES} for verb in VERBS}

    spoken = re.compile(r"--reason .*")  # a reason is in the user's language
    alike = {verb: {spoken.sub("", line) for line in found} for verb, found in lines.items()}
    assert {verb: found for verb, found in alike.items() if len(found) > 1} == {}
    assert {verb: found for verb, found in lines.items() if not min(found).startswith("twin ")} == {}


@pytest.mark.parametrize("verb", sorted(set(VERBS) - _RUNNING))
def test_the_line_to_paste_runs(verb: str, demo_town: Path, samples: Path, tmp_path: Path) -> None:
    """In a folder with samples and mappings where the project has them, and the sample town where there has to be one."""
    (tmp_path / "data_samples").symlink_to(samples)
    (tmp_path / "ingest").symlink_to(Path(__file__).parents[2] / "ingest")
    if verb == "revert":
        shutil.copytree(demo_town, tmp_path / "town", ignore=shutil.ignore_patterns("cache", "sources"))
    elif verb != "init":
        (tmp_path / "town").symlink_to(demo_town)
    line, environment = example(verb, "en"), {"TWIN_LANG": "en", "TWIN_TOWN": ""}
    if verb == "restore":
        run_twin("backup", "out/town.zip", environment=environment, folder=tmp_path)

    if ">" in line:  # a shell is needed
        shown = line.replace("twin ", f"{TWIN} ", 1)
        done = subprocess.run(
            shown, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ | environment
        )
    else:
        done = run_twin(*shlex.split(line)[1:], environment=environment, folder=tmp_path)

    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_both_languages_offer_the_same_verbs_and_options() -> None:
    offered = {
        lang: {name: [one.name for one in verb.params] for name, verb in verbs(make_cli(lang))} for lang in LANGUAGES
    }

    assert offered["en"] == offered["zh"]
    for name, verb in verbs(make_cli("zh")):
        for option in (one for one in verb.params if isinstance(one, click.Option) and one.help):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in option.help or ""), (name, option.name)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "不是城市库文件夹"),
        ({"LANG": "de_DE.UTF-8"}, "holds no town"),
        ({"LANG": "zh_CN.UTF-8", "TWIN_LANG": "en"}, "holds no town"),
    ],
)
def test_the_language_is_that_of_the_user(environment: dict[str, str], words: str, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_", "TWIN_"))}

    done = subprocess.run(
        [str(TWIN), "--town", str(tmp_path), "status"],
        capture_output=True,
        text=True,
        check=False,
        env=clean | environment,
    )

    assert done.returncode == 2
    assert words in done.stderr
    assert "twin init" in done.stderr


def test_an_ingest_tells_its_counts_its_version_and_the_worst_findings_first(run: Run, town: Path, plots: Path) -> None:
    done = run("ingest", plots)

    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert (
        lines[0]
        == "land_use.gpkg [vector]: read 7 = stored 3 + quarantined 4 + decoration 0; land_use 3; version 1: 3 inserted, 0 updated, 0 ended"
    )
    assert lines[1].startswith("  error   ")
    assert lines[2].strip() == "4 of this kind (identity.duplicate): fid 3, fid 4, fid 5 ..."
    assert [line.split()[0] for line in lines[3:5]] == ["warning", "info"]
    assert lines[5].strip() == "To list each: twin findings --source land_use.gpkg --limit 6"


def test_an_ingest_speaks_chinese(run: Run, town: Path, plots: Path) -> None:
    done = run("ingest", plots, lang="zh")

    assert (
        done.stdout.splitlines()[0]
        == "land_use.gpkg（矢量文件）：读取 7 = 入库 3 + 待改 4 + 非要素 0；规划用地 3；版本 1：新增 3，变更 0，失效 0"
    )
    assert (
        "同类共 4 条（identity.duplicate）：第 3 号要素（FID）、第 4 号要素（FID）、第 5 号要素（FID） 等"
        in done.stdout
    )
    assert "逐条列出：twin findings --source land_use.gpkg --limit 6" in done.stdout


def test_a_dry_run_says_so_and_points_at_a_report_for_the_rest(run: Run, town: Path, plots: Path) -> None:
    done = run("ingest", plots, "--dry-run")

    assert "dry run, nothing stored: land_use inserted 3" in done.stdout
    assert "read 7 = storable 3" in done.stdout
    assert "To list each: add --report FILE.xlsx" in done.stdout
    assert json.loads(run("status", "--json").stdout)["version"] == 0


def test_the_same_file_again_is_no_change_in_either_language(run: Run, town: Path, plots: Path) -> None:
    run("ingest", plots)

    assert (
        run("ingest", plots).stdout == "land_use.gpkg: no change (already in version 1; --again reads it once more)\n"
    )
    assert (
        run("ingest", plots, lang="zh").stdout == "land_use.gpkg：无变化（与版本 1 相同；如需重新读取，加 --again）\n"
    )
    assert "dry run, nothing stored: land_use unchanged 3" in run("ingest", plots, "--dry-run").stdout
    again = run("ingest", plots, "--again").stdout
    assert "read 7" in again and "no change" in again and "already" not in again


def test_strict_exits_1_on_an_error_among_the_findings_and_stores_all_the_same(
    run: Run, town: Path, plots: Path
) -> None:
    assert run("ingest", plots, "--strict").exit_code == 1
    assert json.loads(run("status", "--json").stdout)["layers"]["land_use"]["features"] == 3


def test_check_needs_no_town_and_stores_nothing(run: Run, plots: Path, tmp_path: Path) -> None:
    done = run("check", plots)

    assert done.exit_code == 0
    assert done.stdout.startswith("land_use.gpkg [vector]: read 7 = storable 3 + quarantined 4")
    assert not (tmp_path / "town").exists()
    assert run("check", plots, "--strict").exit_code == 1


def test_check_in_json_tells_rule_and_text_of_a_refusal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.geojson").touch()

    done = run("check", tmp_path / "empty.geojson", "--json")

    (outcome,) = json.loads(done.stdout)
    assert (done.exit_code, outcome["rule"]) == (1, "vector.zero_bytes")
    assert "0 bytes" in outcome["error"]


def test_a_wrong_call_and_the_help_are_chinese_throughout(run: Run, town: Path) -> None:
    """But for what is typed as it stands: names of options and verbs, ids, formats."""
    wrong = {("findings", "--severity", "严重"): "'--severity' 的取值无效：'严重' 不在可选值之中", ("nosuch",): "没有命令 'nosuch'",
             ("ingest",): "缺少参数 '文件...'", ("status", "--nosuch"): "没有选项 '--nosuch'", ("history", "--limit", "x"): "'x' 不是整数",
             ("history", "--limit", "0"): "不在范围", ("restore", "none.zip"): "'none.zip' 不存在", ("diff", "1"): "缺少参数 '后版本'",
             ("status", "much"): "多余的参数", ("init", "--name"): "需要取值"}  # fmt: skip
    for arguments, words in wrong.items():
        done = run(*arguments, lang="zh")
        assert done.exit_code == 2 and words in done.stderr, (arguments, done.stderr)
        assert not re.search(r"Usage|Error|Try |Invalid|Missing|Options", done.stderr), done.stderr
    for name, _ in verbs(make_cli("zh")):
        text = run(*name.split()[name.startswith("twin") :], "--help", lang="zh").stdout
        assert "用法：" in text and "显示帮助并退出" in text, name
        assert not re.search(r"Usage|Options|Commands|Show this|default|required|TEXT|INTEGER", text), text


def test_a_severity_is_chosen_by_its_chinese_word_too(run: Run, town: Path, plots: Path) -> None:
    run("ingest", plots)

    by_id, by_word = (run("findings", "--severity", one, lang="zh").stdout for one in ("error", "错误"))

    assert by_id == by_word != ""
    assert all(line.startswith("错误") for line in by_word.splitlines())
    assert run("status", lang="zh").stdout.splitlines()[-1] == "质量问题：错误 4　警告 1　提示 1"


def test_an_empty_town_says_what_to_do_next(run: Run, town: Path) -> None:
    assert "Next: twin ingest FILES..." in run("status").stdout
    assert "下一步：twin ingest" in run("status", lang="zh").stdout


def test_findings_are_chosen_by_severity_and_layer_and_say_how_many_there_are(
    run: Run, town: Path, plots: Path
) -> None:
    run("ingest", plots)

    shown = run("findings", "--severity", "error", "--limit", "2")

    assert [one.split()[0] for one in shown.stdout.splitlines()] == ["error", "error", "4"]
    assert "4 in all, 2 shown: --limit 4" in shown.stdout
    assert {one["severity"] for one in json.loads(run("findings", "--layer", "land_use", "--json").stdout)} == {
        "error",
        "warning",
    }
    assert json.loads(run("findings", "--layer", "building", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("findings", "--layer", "bilding"), "No layer named 'bilding'. Nearest: building"),
        (("export", "bilding", "a.gpkg"), "Nearest: building"),
        (("export", "building", "a.xyz"), ".geojson"),
        (("status", "--recorded", "7"), "There is no version"),
        (("status", "--datetime", "soon"), "is not a date"),
        (("init", "town", "--name", "A", "--crs", "EPSG:4548"), "already holds a town"),
        (("init", "b", "--name", "A", "--crs", "EPSG:4490"), "not a projected system"),
    ],
)
def test_a_wrong_call_exits_2_and_says_what_would_be_right(
    arguments: tuple[str, ...], words: str, run: Run, town: Path
) -> None:
    done = run(*arguments)

    assert done.exit_code == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_who_brings_a_file_in_does_not_wait_for_the_libraries_of_the_server() -> None:
    asked = "import sys; from api_config.cli import make_cli; make_cli('en').commands['ingest']; print('uvicorn' in sys.modules)"

    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout

    assert told == "False\n"


def test_a_delivery_lets_a_service_on_the_same_machine_go_first(town: Path, plots: Path) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)

    def niceness(*verb: str | Path) -> set[int]:
        seen = set()
        with subprocess.Popen([TWIN, "--town", town, *verb], stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                with suppress(ProcessLookupError):
                    seen.add(os.getpriority(os.PRIO_PROCESS, process.pid))
        assert process.returncode == 0
        return seen

    assert max(niceness("ingest", plots, "--dry-run")) == max(own, 10)
    assert niceness("status") == {own}
