"""One odd value of a model loses its own part: what hangs on it, said by name, and nothing else."""

import random
import re
from pathlib import Path

import pytest
from ifc_lines import HEAD, LINES, TAIL, read, write

from ingest.ifc.odd_values import OddValue, odd_values
from ingest.ifc.syntax import check_syntax, outline_of

ODD = (
    "$",
    "*",
    "'text'",
    "3.5",
    "-1",
    "1.E400",
    "NAN",
    "#99999",
    "()",
    "($)",
    ".ODD.",
    "IFCLABEL('x')",
    "IFCINTEGER(2)",
)
PYTHONS_WORDS = re.compile(
    r"object|attribute '|NoneType|tuple|float\(|entity instance|Traceback|iterable|std::|0x[0-9a-f]+"
)
NUMBERS = [int(line[1 : line.index("=")]) for line in LINES]


def arguments(line: str) -> list[str]:
    """Return the attributes of an instance as they are written."""
    inner, depth, quoted, parts = line[line.index("(") + 1 : line.rindex(")")], 0, False, [""]
    for letter in inner:
        quoted ^= letter == "'"
        depth += 0 if quoted else (letter == "(") - (letter == ")")
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def hangs_on(number: int) -> set[int]:
    """Return the numbers of all instances that one needs: those it refers to, and so on."""
    needed, open_numbers = set(), [number]
    lines = dict(zip(NUMBERS, LINES, strict=True))
    while open_numbers:
        current = open_numbers.pop()
        if current not in needed:
            needed.add(current)
            open_numbers += [int(each) for each in re.findall(r"#(\d+)", lines[current])]
    return needed


def mutated(rng: random.Random) -> tuple[list[str], int]:
    """Return the lines with one odd value, and the number of the instance that holds it."""
    at = rng.randrange(len(LINES))
    values = arguments(LINES[at])
    nth = rng.randrange(len(values))
    odd = rng.choice((*ODD, f"#{rng.choice(NUMBERS)}", f"(#{rng.choice(NUMBERS)})", "GONE"))
    values[nth : nth + 1] = [] if odd == "GONE" else [odd]
    line = LINES[at][: LINES[at].index("(") + 1] + ",".join(values) + ");"
    return [*LINES[:at], line, *LINES[at + 1 :]], NUMBERS[at]


def test_one_odd_value_never_refuses_a_model_in_pythons_words_nor_loses_what_does_not_hang_on_it(
    tmp_path: Path,
) -> None:
    needed = hangs_on(30) | {1, 2, 3, 20, 21, 22, 90}  # what decides the size of everything

    for seed in range(16):  # a twentieth of a second each
        lines, number = mutated(random.Random(seed))
        path = write(tmp_path / "odd.ifc", lines)

        messages, _, shaped = read(path)

        assert not [text for text in messages if PYTHONS_WORDS.search(text)], lines
        assert number in needed or "kept" in shaped, lines


@pytest.mark.parametrize(
    ("number", "line", "rule"),
    [
        (10, "IFCRELAGGREGATES('0000000000000000000003',$,$,$,#999,(#18))", "ifc.reference_lost"),
        (10, "IFCRELAGGREGATES('0000000000000000000003',$,$,$,#72,(#18))", "ifc.reference_lost"),
        (10, "IFCRELAGGREGATES('0000000000000000000003',$,$,$,$,(#18))", "ifc.relation_lost"),
        (21, "IFCMEASUREWITHUNIT(0.3048,#22)", "ifc.bare_number"),
        (21, "IFCMEASUREWITHUNIT($,#22)", "ifc.unit_lost"),
        (69, "IFCRIGIDOPERATION(#5,#70,618500.,3886000.,60.)", "ifc.bare_number"),
        (69, "IFCMAPCONVERSION(#5,#70,618500.,1.E400,60.,1.,0.,1.)", "ifc.value_lost"),
        (27, "IFCLOCALPLACEMENT(#27,#26)", "ifc.placement_lost"),
        (40, "IFCPROPERTYSINGLEVALUE('Fire',$)", "ifc.value_lost"),
        (64, "IFCCARTESIANPOINT((0.))", "ifc.axis_lost"),
        (41, "IFCPROPERTYBOUNDEDVALUE('Range',$,NAN,IFCREAL(2.),$,$)", "ifc.value_lost"),
    ],
)
def test_what_an_odd_value_lost_is_named_with_its_instance(tmp_path: Path, number: int, line: str, rule: str) -> None:
    lines = [f"#{number}={line};" if each.startswith(f"#{number}=") else each for each in LINES]

    messages, rules, shaped = read(write(tmp_path / "odd.ifc", lines))

    assert rule in rules
    assert f"#{number}=" in "".join(messages) or rule in ("ifc.placement_lost", "ifc.unit_lost", "ifc.axis_lost")
    assert "kept" in shaped


def test_a_star_for_unset_loses_nothing(tmp_path: Path) -> None:
    lines = [re.sub(r"\$", "*", each) if each.startswith(("#15=", "#16=", "#35=")) else each for each in LINES]

    _, rules, shaped = read(write(tmp_path / "stars.ifc", lines))

    assert shaped == {"W", "kept"}
    assert not {"ifc.value_lost", "ifc.no_shape"} & set(rules)


def test_a_second_body_is_no_second_element(tmp_path: Path) -> None:
    lines = [each.replace("(#34))", "(#34,#57))") for each in LINES]
    lines = [each.replace("#5,'Body','SweptSolid',(#56)", "#5,'Clearance','SweptSolid',(#56)") for each in lines]

    messages, rules, shaped = read(write(tmp_path / "bodies.ifc", lines))

    assert "kept" in shaped
    assert "identity.duplicate" not in rules
    assert any("Clearance 1" in text for text in messages)


def test_references_are_compared_with_the_schema_in_lists_and_selects() -> None:
    data = b"#1=IFCWALL('a',$,$,$,$,#2,#3,$,$);#2=IFCLOCALPLACEMENT($,#3);#3=IFCRELAGGREGATES('b',$,$,$,#1,(#1,#2,#9));"
    outline = outline_of(HEAD.encode() + data + TAIL.encode())
    _, defined = check_syntax(outline, "x.ifc")

    odd = odd_values(outline.data, defined, "IFC4X3_ADD2")

    assert set(odd) == {
        OddValue(1, 6, "reference", 3),
        OddValue(2, 1, "reference", 3),
        OddValue(3, 5, "reference", 2),
        OddValue(3, 5, "reference", 9),
    }
