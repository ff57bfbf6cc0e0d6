"""The declared readers: each entry is complete, and none costs anything before it is needed."""

import re
import subprocess
import sys
from pathlib import Path

from ingest.reader import TOPICS
from ingest.readers import READERS, find_sources
from twin_model.messages import LANGUAGES, messages

ROOT = Path(__file__).resolve().parents[2]


def test_every_reader_is_complete(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    named = set(re.findall(r"`(\.[a-z]+)`", "\n".join(line for line in readme.splitlines() if "|" in line)))

    for reader in READERS:
        path = tmp_path / f"source{reader.suffixes[0]}"
        path.write_bytes(b"")

        assert reader.topic in TOPICS
        assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in reader.suffixes)
        assert set(reader.suffixes) <= named, f"suffixes of {reader.name} in README's table"
        assert callable(reader.load().read)
        assert reader.recognises(path) is False, "an empty file is of no kind"
        assert reader.files(path) == (path,)
        for lang in LANGUAGES:
            assert any(rule.startswith(f"{reader.name}.") for rule in messages(lang)), (reader.name, lang)
    assert len({reader.name for reader in READERS}) == len(READERS)
    assert {reader.topic for reader in READERS} == set(TOPICS)
    suffixes = [suffix for reader in READERS for suffix in reader.suffixes]
    assert len(set(suffixes)) == len(suffixes), "a suffix hints at one reader"


LOADED = """
import sys
from pathlib import Path
from api_config.cli import make_cli
make_cli("en").main(["--help"], standalone_mode=False)
from ingest.draft import ReadOptions
from ingest.readers import find_sources, identify, reader_of
for path in find_sources(Path(sys.argv[1])):
    identify(path, reader_of(path, ReadOptions()))
print([name for name in ("ezdxf", "ifcopenshell") if name in sys.modules])
"""


def test_help_and_survey_tables_come_without_the_libraries_of_drawings_and_models(tmp_path: Path) -> None:
    """It starts Python once, which takes a second: what is loaded in this process says nothing."""
    (tmp_path / "WSPoint.csv").write_text("物探点号,X,Y,地面高程,特征\nWS1,3886000.0,618000.0,65.0,检查井\n")
    (tmp_path / "WSLine.csv").write_text("起点点号,连接点号,起点埋深,终点埋深,管径\nWS1,WS2,1.0,1.1,300\n")

    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert len(find_sources(tmp_path)) == 1
    assert "Usage" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
