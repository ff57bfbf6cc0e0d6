"""One network from four offices, each in its own form, with its own numbers and what it knows: one network in the town."""

import csv
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest
import shapely
from twin_command import run_twin

from api_config.delivery import Delivery, Outcome, deliver
from ingest.draft import ReadOptions
from twin_model.town import Town, init_town

CRS = "EPSG:4548"
EAST, NORTH = 500_000.0, 3_886_000.0
CLASSES = {"WS": ("PS", "排水", 0.0), "TR": ("RQ", "燃气", 3.0)}
COUNT = 6
Row = list[object]


@pytest.fixture(params=["geopackage", "postgis"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    store = {} if request.param == "geopackage" else {"store": request.getfixturevalue("postgis_url")}
    made = init_town(tmp_path / "town", name="新城", crs=CRS, **store)
    yield made
    made.store.close()


def place(code: str, n: int) -> tuple[float, float]:
    return EAST + 25.0 * n, NORTH + CLASSES[code][2] + 0.2 * (n % 2)


def save(path: Path, rows: list[Row], encoding: str, order: int) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([rows[0], *rows[1:][::order]])


def gbk_tables(folder: Path, order: int, *, note: bool = True) -> Path:
    """Tables of each class with years and roads, in GBK."""
    for code in CLASSES:
        points: list[Row] = [
            ["物探点号", "X坐标", "Y坐标", "地面高程", "特征", "工程编号"] + ["建设年代", "道路名称"] * note
        ]
        lines: list[Row] = [
            ["起点点号", "终点点号", "起点埋深", "终点埋深", "管径", "材质", "工程编号"]
            + ["建设年代", "道路名称"] * note
        ]
        more: Row = ["2010", "一路"] if note else []
        for n in range(COUNT):
            x, y = place(code, n)
            points.append([f"{code}{n}", f"{y:.3f}", f"{x:.3f}", 65.0, "直线点", "GC01", *more])
        lines += [[f"{code}{n}", f"{code}{n + 1}", 2.5, 2.5, 300, "PE", "GC01", *more] for n in range(COUNT - 1)]
        save(folder / f"{code}Point.csv", points, "gbk", order)
        save(folder / f"{code}Line.csv", lines, "gbk", order)
    return folder


def one_sheet(folder: Path, order: int) -> Path:
    """One sheet that lists each line from both ends, with the parent class and numbers of its own."""
    rows: list[Row] = []
    for code, (_, word, _) in CLASSES.items():
        for n in range(COUNT - 1):
            for start, end in ((n, n + 1), (n + 1, n)):
                x, y = place(code, start)
                own: Row = [
                    f"K{code}{90 + start}",
                    f"K{code}{90 + end}",
                    word,
                    "直线点",
                    round(y + 0.02, 3),
                    round(x - 0.02, 3),
                ]
                rows.append([*own, 65.0, 2.5, 300, "PE"])
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "成果表"
    for row in [
        ["物探点号", "连接点号", "管线类别", "特征", "X坐标", "Y坐标", "地面高程", "埋深", "管径", "材质"],
        *rows[::order],
    ]:
        sheet.append(row)
    book.save(folder / "成果表.xlsx")
    return folder / "成果表.xlsx"


def english_tables(folder: Path, order: int) -> Path:
    """Tables without a class, numbered through."""
    points: list[Row] = [["Exp_No", "X", "Y", "Surf_H", "Feature"]]
    lines: list[Row] = [["S_Point", "E_Point", "S_Deep", "E_Deep", "Material"]]
    for first, code in enumerate(CLASSES):
        for n in range(COUNT):
            x, y = place(code, n)
            points.append([100 * first + n + 1, f"{y - 0.01:.3f}", f"{x + 0.01:.3f}", 65.0, "line point"])
        lines += [[100 * first + n + 1, 100 * first + n + 2, 2.5, 2.5, "PE"] for n in range(COUNT - 1)]
    save(folder / "point.csv", points, "utf-8", order)
    save(folder / "line.csv", lines, "utf-8", order)
    return folder


def shapes(folder: Path, order: int) -> list[Path]:
    """Shapefiles with class and sub-class, without heights."""
    folder.mkdir()
    named = [(code, n) for code in CLASSES for n in range(COUNT)][::order]
    common = {"class": [CLASSES[code][0] for code, _ in named], "subclass": [code for code, _ in named]}
    at = [shapely.Point(place(*each)) for each in named]
    numbers = {"survey_no": [f"S{code}-{n}" for code, n in named]}
    gpd.GeoDataFrame(numbers | common, geometry=at, crs=CRS).to_file(folder / "pipe_point.shp", encoding="utf-8")
    rows = [number for number, (_, n) in enumerate(named) if n < COUNT - 1]
    axes = [shapely.LineString([place(*named[row]), place(named[row][0], named[row][1] + 1)]) for row in rows]
    ends = {"start_no": [f"S{code}-{n}" for code, n in named], "end_no": [f"S{code}-{n + 1}" for code, n in named]}
    frame = gpd.GeoDataFrame(
        {name: [values[row] for row in rows] for name, values in (common | ends).items()}, geometry=axes, crs=CRS
    )
    frame.to_file(folder / "pipe_line.shp", encoding="utf-8")
    return [folder / "pipe_point.shp", folder / "pipe_line.shp"]


def read_office(town: Town, folder: Path, office: str, order: int) -> list[Outcome]:
    folder = folder / f"{office}{order}"
    options = ReadOptions(crs=CRS)
    if office == "shapes":
        files = shapes(folder, order)
        return [
            each for path in files for each in deliver(town, [path], Delivery(ReadOptions(kind=path.stem, crs=CRS)))
        ]
    folder.mkdir()
    write = {"gbk": gbk_tables, "sheet": one_sheet, "english": english_tables}[office]
    return deliver(town, [write(folder, order)], Delivery(options))


@pytest.mark.parametrize(
    "offices",
    [
        ("gbk", "sheet", "english", "shapes"),
        pytest.param(("shapes", "english", "sheet", "gbk"), marks=pytest.mark.proof),
        pytest.param(("english", "gbk", "shapes", "sheet"), marks=pytest.mark.proof),
    ],
    ids="-".join,
)
def test_four_offices_leave_one_network_in_any_order_of_files_and_rows(
    town: Town, tmp_path: Path, offices: tuple[str, ...]
) -> None:
    for number, office in enumerate((*offices, offices[0])):
        outcomes = read_office(town, tmp_path, office, order=1 if number % 2 == 0 and number < 4 else -1)
        assert [outcome.error for outcome in outcomes] == [None] * len(outcomes)

    assert len(town.features("pipe_point")) == 2 * COUNT
    lines = town.features("pipe_line")
    assert len(lines) == 2 * (COUNT - 1)
    assert lines[["class", "subclass"]].value_counts().to_dict() == {("PS", "WS"): COUNT - 1, ("RQ", "TR"): COUNT - 1}
    assert lines["road_name"].eq("一路").all() and lines["material"].eq("PE").all() and lines.geometry.has_z.all()


def test_what_happened_to_a_network_is_told_in_the_words_of_an_office(tmp_path: Path) -> None:
    town, first = tmp_path / "town", gbk_tables(tmp_path / "a", 1)
    run_twin("init", str(town), "--name", "t", "--crs", CRS)
    run_twin("--town", str(town), "ingest", str(first), "--crs", CRS)
    again = gbk_tables(tmp_path / "b", 1, note=False)
    table = again / "WSPoint.csv"
    text = table.read_text("gbk")
    x, y = place("WS", COUNT - 1)
    table.write_text(text.replace(f"{y:.3f},{x:.3f}", f"{y + 2:.3f},{x:.3f}"), "gbk")
    command = ["--town", str(town), "ingest", str(again), "--crs", CRS, "--dry-run"]

    english, chinese = run_twin(*command).stdout, run_twin(*command, environment={"TWIN_LANG": "zh"}).stdout
    blank = run_twin(*command, "--blank", "road_name", "--blank", "建设年代（日期）").stdout

    assert "pipe_line: moved 1" in english and "管线段：移位 1" in chinese
    assert "pipe_line: kept: road_name, built" in english and "保留原值：道路名称、建设年代（日期）" in chinese
    assert "kept:" not in blank
