"""One odd value of a model loses its own part: what hangs on it, said by name, and nothing else."""

import random
import re
from pathlib import Path

import pytest

from ingest.draft import Draft, ReadOptions
from ingest.ifc.odd_values import OddValue, odd_values
from ingest.ifc.reader import read_ifc
from ingest.ifc.syntax import check_syntax, outline_of
from twin_model.catalogue import read_catalogue
from twin_model.changeset import Source

CATALOGUE = read_catalogue()
HEAD = "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\nFILE_NAME('a','2024-01-01T00:00:00',(''),(''),'','','');\nFILE_SCHEMA(('IFC4X3_ADD2'));\nENDSEC;\nDATA;\n"
TAIL = "ENDSEC;\nEND-ISO-10303-21;\n"
LINES = """\
#1=IFCPROJECT('0000000000000000000001',$,'P',$,$,$,$,(#5),#2);
#2=IFCUNITASSIGNMENT((#3,#90));
#3=IFCCONVERSIONBASEDUNIT(#20,.LENGTHUNIT.,'FOOT',#21);
#20=IFCDIMENSIONALEXPONENTS(1,0,0,0,0,0,0);
#21=IFCMEASUREWITHUNIT(IFCLENGTHMEASURE(0.3048),#22);
#22=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);
#90=IFCSIUNIT(*,.PLANEANGLEUNIT.,$,.RADIAN.);
#5=IFCGEOMETRICREPRESENTATIONCONTEXT($,'Model',3,1.E-05,#6,#93);
#93=IFCDIRECTION((0.1,1.,0.));
#6=IFCAXIS2PLACEMENT3D(#7,$,$);
#7=IFCCARTESIANPOINT((0.,0.,0.));
#8=IFCLOCALPLACEMENT($,#6);
#9=IFCBUILDINGSTOREY('0000000000000000000002',$,'S',$,$,#8,$,$,.ELEMENT.,0.);
#18=IFCSITE('0000000000000000000006',$,'Site',$,$,#8,$,$,.ELEMENT.,(30,10,0),(120,0,0),0.,$,#19);
#19=IFCPOSTALADDRESS($,$,$,$,('Road 1'),$,'Town',$,$,$);
#10=IFCRELAGGREGATES('0000000000000000000003',$,$,$,#1,(#18));
#25=IFCRELAGGREGATES('0000000000000000000008',$,$,$,#18,(#9));
#11=IFCRECTANGLEPROFILEDEF(.AREA.,$,$,2.,3.);
#12=IFCDIRECTION((0.,0.,1.));
#13=IFCEXTRUDEDAREASOLID(#11,#6,#12,4.);
#14=IFCSHAPEREPRESENTATION(#5,'Body','SweptSolid',(#13));
#15=IFCPRODUCTDEFINITIONSHAPE($,$,(#14));
#16=IFCWALL('0000000000000000000004',$,'W',$,$,#27,#15,$,$);
#26=IFCAXIS2PLACEMENT3D(#28,$,$);
#28=IFCCARTESIANPOINT((9.,0.,0.));
#27=IFCLOCALPLACEMENT(#8,#26);
#17=IFCRELCONTAINEDINSPATIALSTRUCTURE('0000000000000000000005',$,$,$,(#16,#30),#9);
#30=IFCCOLUMN('0000000000000000000030',$,'kept',$,$,#38,#35,'tag',$);
#31=IFCRECTANGLEPROFILEDEF(.AREA.,$,$,1.,1.);
#32=IFCDIRECTION((0.,0.,1.));
#33=IFCEXTRUDEDAREASOLID(#31,#36,#32,2.);
#34=IFCSHAPEREPRESENTATION(#5,'Body','SweptSolid',(#33));
#35=IFCPRODUCTDEFINITIONSHAPE($,$,(#34));
#36=IFCAXIS2PLACEMENT3D(#37,$,$);
#37=IFCCARTESIANPOINT((0.,0.,0.));
#38=IFCLOCALPLACEMENT($,#36);
#40=IFCPROPERTYSINGLEVALUE('Fire',$,IFCLABEL('F90'),$);
#41=IFCPROPERTYBOUNDEDVALUE('Range',$,IFCREAL(1.),IFCREAL(2.),$,$);
#42=IFCPROPERTYSET('0000000000000000000042',$,'Pset_Wall',$,(#40,#41));
#43=IFCRELDEFINESBYPROPERTIES('0000000000000000000043',$,$,$,(#16),#42);
#44=IFCQUANTITYLENGTH('Length',$,$,3.,$);
#45=IFCELEMENTQUANTITY('0000000000000000000045',$,'Qto',$,$,(#44));
#46=IFCRELDEFINESBYPROPERTIES('0000000000000000000046',$,$,$,(#16),#45);
#47=IFCWALLTYPE('0000000000000000000047',$,'Type',$,$,$,$,$,$,.STANDARD.);
#48=IFCRELDEFINESBYTYPE('0000000000000000000048',$,$,$,(#16),#47);
#49=IFCMATERIAL('Brick',$,$);
#50=IFCMATERIALLAYER(#49,0.2,$,$,$,$,$);
#51=IFCMATERIALLAYERSET((#50),$,$);
#52=IFCMATERIALLAYERSETUSAGE(#51,.AXIS2.,.POSITIVE.,0.,$);
#53=IFCRELASSOCIATESMATERIAL('0000000000000000000053',$,$,$,(#16),#52);
#54=IFCOPENINGELEMENT('0000000000000000000054',$,'O',$,$,#8,#58,$,.OPENING.);
#55=IFCRECTANGLEPROFILEDEF(.AREA.,$,$,1.,1.);
#56=IFCEXTRUDEDAREASOLID(#55,#6,#12,1.);
#57=IFCSHAPEREPRESENTATION(#5,'Body','SweptSolid',(#56));
#58=IFCPRODUCTDEFINITIONSHAPE($,$,(#57));
#59=IFCRELVOIDSELEMENT('0000000000000000000059',$,$,$,#16,#54);
#60=IFCALIGNMENT('0000000000000000000060',$,'A',$,$,#8,$,$);
#61=IFCALIGNMENTHORIZONTAL('0000000000000000000061',$,$,$,$,#8,$);
#62=IFCALIGNMENTSEGMENT('0000000000000000000062',$,$,$,$,#8,$,#63);
#63=IFCALIGNMENTHORIZONTALSEGMENT($,$,#64,0.,0.,0.,50.,$,.LINE.);
#64=IFCCARTESIANPOINT((0.,0.));
#65=IFCRELNESTS('0000000000000000000065',$,$,$,#60,(#61));
#66=IFCRELNESTS('0000000000000000000066',$,$,$,#61,(#62));
#67=IFCSPACE('0000000000000000000067',$,'Room',$,$,#8,#58,'Long',.ELEMENT.,.SPACE.,$);
#68=IFCRELAGGREGATES('0000000000000000000068',$,$,$,#9,(#67));
#69=IFCMAPCONVERSION(#5,#70,618500.,3886000.,60.,1.,0.,1.);
#70=IFCPROJECTEDCRS('EPSG:4548',$,$,$,$,$,#71);
#71=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);
#72=IFCAPPLICATION(#73,'1','Hand','h');
#73=IFCORGANIZATION($,'Office',$,$,$);
#74=IFCSURFACESTYLERENDERING(#75,$,$,$,$,$,$,$,.FLAT.);
#75=IFCCOLOURRGB($,0.1,0.2,0.3);
#76=IFCSURFACESTYLE($,.BOTH.,(#74));
#77=IFCSTYLEDITEM(#13,(#76),$);
""".splitlines()
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


def write(path: Path, lines: list[str], schema: str = "IFC4X3_ADD2") -> Path:
    path.write_text(HEAD.replace("IFC4X3_ADD2", schema) + "\n".join(lines) + "\n" + TAIL)
    return path


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


def read(path: Path) -> tuple[list[str], list[str], set[str]]:
    """Return the messages of a read, the rules of its findings and the names of the elements with a mesh."""
    with Draft(Source(path.name, "0" * 64), CATALOGUE, storage_crs="EPSG:4548") as draft:
        read_ifc(path, draft, ReadOptions())
        shaped: set[str] = set()
        for layer, frame in draft.frames():
            if layer == "bim_element":
                shaped |= set(frame.dropna(subset=["mesh"])["name"].dropna())
        return [each.text("en") for each in draft.findings], [each.rule for each in draft.findings], shaped


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
