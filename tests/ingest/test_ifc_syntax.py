"""The syntax of STEP files: what would be read wrongly is refused with its place, what is harmless is noted."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.draft import Draft, ReadOptions
from ingest.ifc.reader import read_ifc, recognises_ifc
from ingest.ifc.syntax import check_syntax, outline_of
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source
from twin_model.errors import SourceRefused
from twin_model.finding import Finding

HEAD = "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\nFILE_NAME('','',(''),(''),'','','');\nFILE_SCHEMA(('IFC4'));\nENDSEC;\nDATA;\n"
TAIL = "ENDSEC;\nEND-ISO-10303-21;\n"


def findings_of(path: Path) -> list[Finding]:
    with Draft(Source(path.name, "0" * 64), read_catalogue(), storage_crs="EPSG:4548") as draft:
        read_ifc(path, draft, ReadOptions())
        return draft.findings


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fail_double_comma.ifc", "#1=IFCPERSON"),
        ("fail_duplicate_id.ifc", "#19"),
        ("fail_invalid_0.ifc", "#0"),
        ("fail_no_header.ifc", "no complete STEP header"),
        ("fail_utf8_with_bom.ifc", "no IfcProject"),
    ],
)
def test_a_malformed_file_that_would_be_read_wrongly_is_refused_with_the_reason(
    realdata: Path, name: str, words: str
) -> None:
    path = realdata / "ifc" / "malformed" / name

    with pytest.raises(SourceRefused) as refused:
        findings_of(path)

    assert words in refused.value.text("en")
    assert name in refused.value.text("zh")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("fail_double_semi.ifc", "ifc.double_semicolon"),
        ("fail_invalid_header_entity.ifc", "ifc.header_entry"),
        ("pass_1.ifc", None),
        ("pass_page_encoding.ifc", None),
    ],
)
def test_a_file_that_can_be_read_all_the_same_is_read_and_its_oddity_noted(
    realdata: Path, name: str, rule: str | None
) -> None:
    findings = findings_of(realdata / "ifc" / "malformed" / name)

    rules = {finding.rule for finding in findings if finding.rule.startswith("ifc.")} - {"ifc.decoration"}
    assert rules == {"ifc.empty", "ifc.no_placement"} | ({rule} if rule else set())


def test_every_malformed_file_is_recognised_so_that_it_reaches_the_reader(realdata: Path) -> None:
    paths = sorted((realdata / "ifc" / "malformed").glob("*.ifc"))

    assert len(paths) == 9
    assert all(recognises_ifc(path) for path in paths)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.999])
def test_a_real_file_cut_off_anywhere_is_refused_and_says_where_it_stops(
    realdata: Path, tmp_path: Path, kept: float
) -> None:
    content = (realdata / "ifc" / "building-architecture.ifc").read_bytes()
    path = tmp_path / "cut.ifc"
    path.write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(SourceRefused, match="cut off after|closing quote") as refused:
        findings_of(path)

    assert "last" in str(refused.value)
    assert "#" in str(refused.value)


def test_sound_files_bring_no_syntax_finding(realdata: Path) -> None:
    for name in (
        "Duplex_A_20110907.ifc",
        "SampleHouse4.ifc",
        "IFC4TessellationComplex.ifc",
        "building-architecture.ifc",
    ):
        assert check_syntax(outline_of((realdata / "ifc" / name).read_bytes()), name)[0] == []


def test_a_reference_to_nothing_is_noted_with_its_number() -> None:
    text = f"{HEAD}#1=IFCPERSON($,$,'a',$,$,$,#77,$);\n{TAIL}"

    (finding,) = check_syntax(outline_of(text.encode()), "x.ifc")[0]

    assert finding.rule == "ifc.dangling_reference"
    assert "#77" in finding.text()


@settings(max_examples=80, deadline=None)
@given(
    words=st.text(st.characters(codec="latin-1", exclude_characters="\\"), max_size=40),
    numbers=st.sets(st.integers(1, 10**12), min_size=1, max_size=8),
)
def test_what_stands_in_texts_and_comments_is_never_taken_for_syntax(words: str, numbers: set[int]) -> None:
    quoted = words.replace("'", "''")
    rows = "".join(f"#{number}=IFCPERSON($,$,'{quoted}',$,$,$,$,$); /* ,, ;; #5= */\n" for number in numbers)
    text = f"{HEAD}{rows}{TAIL}".encode("latin-1")

    assert check_syntax(outline_of(text), "x.ifc")[0] == []


@settings(max_examples=40, deadline=None)
@given(numbers=st.lists(st.integers(1, 40), min_size=2, max_size=30))
def test_numbers_are_refused_exactly_when_one_occurs_twice(numbers: list[int]) -> None:
    rows = "".join(f"#{number} = IFCPERSON($,$,$,$,$,$,$,$);" for number in numbers)
    text = f"{HEAD}{rows}{TAIL}".encode()

    if len(set(numbers)) == len(numbers):
        assert check_syntax(outline_of(text), "x.ifc")[0] == []
    else:
        with pytest.raises(SourceRefused, match="instance numbers twice"):
            check_syntax(outline_of(text), "x.ifc")
