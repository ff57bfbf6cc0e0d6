"""Files that a filter shows: read again by the programs people have, within the policy, marked, gone when they were sent."""

import html
import io
import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely

from api_config.delivery import Delivery, deliver
from api_config.web.download import DOWNLOADS, disposition
from ingest.draft import ReadOptions
from twin_model.town import init_town, open_town

EAST, NORTH = 617_000.0, 3_886_000.0
HOUSES = "/collections/building/items"
NAMES = ["一号楼", "=1+1", "'=x", None, "a,b\n二"]


@pytest.fixture(scope="module")
def town(empty_town: Path, tmp_path_factory: pytest.TempPathFactory, bring: Callable[..., Any]) -> Iterator[Path]:
    """Five houses with gaps, the last without geometry, attributes of every kind; two pipes with heights."""
    folder = shutil.copytree(empty_town, tmp_path_factory.mktemp("downloads") / "town")
    squares = [shapely.box(EAST + 30 * n, NORTH, EAST + 30 * n + 10, NORTH + 10) for n in range(4)]
    attributes = ['{"业主":"甲","面":1.5}', '{"@x":"=2","业主":"-3"}', None, '{"面":2}', '{"面":3}']
    with open_town(folder) as made:
        bring(
            made, "building", [*map(_multi, squares), None], name=NAMES, storeys=[1, None, 3, 4, 5],
            height=[3.0, 6.5, None, 12.0, 15.0], built=["2019-07-01", None, "2021-01-01", None, None], attributes=attributes,
        )  # fmt: skip
        lines = [shapely.LineString([(EAST, NORTH + n, 60.5), (EAST + 30, NORTH + n, 60.25)]) for n in range(2)]
        bring(made, "pipe_line", lines, segment_key=["1-2", "2-3"], width_mm=[300.0, None], **{"class": ["JS", "PS"]})
    yield folder


def _multi(area: shapely.Polygon) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([area])


@pytest.fixture
def ask(town: Path, inside_of: Callable[..., Any]) -> Callable[..., httpx.Response]:
    """Return a function that asks the app of the town in this process."""
    get: Callable[..., httpx.Response] = inside_of(town).get
    return get


def table_of(answer: httpx.Response, form: str, folder: Path) -> pd.DataFrame:
    """Return what a program reads of a download, sorted by id; geometry as shapes under `geometry`."""
    assert answer.status_code == 200, answer.text
    path = folder / f"file.{form}"
    path.write_bytes(answer.content)
    if form in ("gpkg", "fgb"):
        frame = pyogrio.read_dataframe(path)
    elif form == "parquet":
        frame = gpd.read_parquet(path)
    else:
        read = pd.read_csv(path, encoding="utf-8-sig") if form == "csv" else pd.read_excel(path)
        wkt = [None if pd.isna(text) else shapely.from_wkt(text) for text in read.pop("wkt")]
        frame = gpd.GeoDataFrame(read, geometry=gpd.GeoSeries(wkt, index=read.index))
    return frame.sort_values("id", ignore_index=True)


@pytest.mark.parametrize("form", DOWNLOADS)
def test_every_format_is_read_by_its_programs_with_types_places_and_gaps(
    ask: Callable[..., httpx.Response], tmp_path: Path, form: str
) -> None:
    answer = ask(f"{HOUSES}?f={form}&crs=EPSG:4548")

    frame = table_of(answer, form, tmp_path)
    escaped = ["一号楼", "'=1+1", "''=x", None, "a,b\n二"] if form == "csv" else NAMES
    assert [None if pd.isna(name) else name for name in frame["name"]] == escaped
    assert frame["height"].astype(float).fillna(-1).tolist() == [3.0, 6.5, -1, 12.0, 15.0]
    assert frame["面"].fillna(-1).tolist() == [1.5, -1, -1, 2, 3]
    assert frame.geometry.isna().tolist() == [False] * 4 + [True]
    assert frame.geometry[1].centroid.equals_exact(shapely.Point(EAST + 35, NORTH + 5), 1e-5)
    assert answer.headers["content-crs"].endswith("EPSG/0/4548>") and answer.headers["content-type"] == DOWNLOADS[form]
    if form != "csv":
        assert pd.Timestamp(frame["built"][0]) == pd.Timestamp("2019-07-01") and not isinstance(frame["built"][0], str)
    if form in ("gpkg", "parquet"):
        assert frame.crs.to_epsg() == 4548


@pytest.mark.parametrize("form", DOWNLOADS)
def test_a_download_shows_what_the_filter_shows_and_no_page_of_it(
    ask: Callable[..., httpx.Response], tmp_path: Path, form: str
) -> None:
    def ids(query: str) -> list[str]:
        return table_of(ask(f"{HOUSES}?f={form}&{query}"), form, tmp_path)["id"].tolist()

    box = f"bbox-crs=EPSG:4548&bbox={NORTH},{EAST},{NORTH + 1},{EAST + 12}"
    assert len(ids("")) == 5, "more than no page"
    assert len(ids("limit=2")) == 2
    assert len(ids("filter=storeys>3")) == 2
    assert len(ids("q=一号")) == 1
    assert len(ids(box)) in (1, 2), "a house without place may be counted in"
    assert ids("datetime=2018-01-01") == []
    few = table_of(ask(f"{HOUSES}?f={form}&properties=height&sortby=-height&limit=1"), form, tmp_path)
    assert few.drop(columns=["geometry", "fid"], errors="ignore").columns.tolist() == ["id", "height"]
    assert few["height"].tolist() == [15.0]


@pytest.mark.parametrize("form", DOWNLOADS)
def test_a_file_without_geometry_and_one_of_heights(
    ask: Callable[..., httpx.Response], tmp_path: Path, form: str
) -> None:
    flat = ask(f"{HOUSES}?f={form}&skipGeometry=true")
    lines = table_of(ask(f"/collections/pipe_line/items?f={form}"), form, tmp_path)

    assert flat.status_code == 200 and flat.content
    assert (
        shapely.has_z(lines.geometry.to_numpy()).all() and shapely.get_coordinates(lines.geometry, True)[0, 2] == 60.5
    )


def test_a_workbook_has_real_dates_and_numbers_and_no_formula(ask: Callable[..., httpx.Response]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(ask(f"{HOUSES}?f=xlsx").content))

    heading, *rows = book.active.iter_rows()
    columns = {cell.value: [row[at] for row in rows] for at, cell in enumerate(heading)}
    assert columns["built"][0].value == datetime(2019, 7, 1) and columns["built"][0].number_format == "yyyy\\-mm\\-dd"
    assert isinstance(columns["valid_from"][0].value, datetime) and columns["storeys"][0].value == 1
    assert columns["name"][1].value == "=1+1" and columns["name"][1].data_type == "s"


def test_accept_asks_for_a_file_as_f_does(ask: Callable[..., httpx.Response]) -> None:
    for form, media in DOWNLOADS.items():
        answer = ask(HOUSES, headers={"accept": media})

        assert answer.headers["content-disposition"].endswith(f".{form}"), form


def test_a_download_is_confirmed_without_being_made_and_head_tells_what_get_does(
    inside_of: Callable[..., Any], town: Path
) -> None:
    inside = inside_of(town)
    first = inside.get(f"{HOUSES}?f=gpkg")
    again = inside.get(f"{HOUSES}?f=gpkg", headers={"if-none-match": first.headers["etag"]})
    head = inside("HEAD", f"{HOUSES}?f=gpkg")

    assert again.status_code == 304 and not again.content
    assert head.status_code == 200 and not head.content and "content-length" not in head.headers
    assert {name: head.headers[name] for name in ("etag", "content-disposition", "content-type")} == {
        name: first.headers[name] for name in ("etag", "content-disposition", "content-type")
    }
    assert int(first.headers["content-length"]) == len(first.content)


def test_what_is_too_large_is_refused_and_nothing_stays_on_disk(
    town: Path, inside_of: Callable[..., Any], ask: Callable[..., httpx.Response]
) -> None:
    refused = inside_of(town, download_mib=0).get(f"{HOUSES}?f=csv")

    ask(f"{HOUSES}?f=csv")
    assert refused.status_code == 400 and "TWIN_DOWNLOAD_MIB" in refused.json()["detail"]
    assert "twin export building building.gpkg" in refused.json()["detail"]
    assert list((town / "cache" / "downloads").iterdir()) == []


def test_a_file_name_in_chinese_is_told_to_old_clients_and_new_ones() -> None:
    header = disposition("building_内部_2026-11-30.csv")

    assert header.encode("latin-1")
    assert 'filename="building_2026-11-30.csv"' in header
    assert "filename*=UTF-8''building_%E5%86%85%E9%83%A8_2026-11-30.csv" in header


@pytest.fixture(scope="module")
def classed(town: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same town with buildings for internal use and pipes confidential."""
    folder = shutil.copytree(town, tmp_path_factory.mktemp("classed") / "town")
    settings = folder / "town.toml"
    settings_added = """classification = { building = "内部", pipe_line = "秘密" }\nmap_approval = "GS(2026)1号"\npublish_underground = true\n"""
    settings.write_text(
        settings.read_text("utf-8").replace("publish_underground = false", "") + settings_added, "utf-8"
    )
    return Path(folder)


def test_a_file_says_how_its_layer_is_classed_and_its_name_too(
    classed: Path, inside_of: Callable[..., Any], tmp_path: Path
) -> None:
    ask = inside_of(classed).get

    files = {form: ask(f"{HOUSES}?f={form}&datetime=2024-06-01") for form in DOWNLOADS}

    for form, answer in files.items():
        name = f"filename*=UTF-8''building_%E5%86%85%E9%83%A8_2024-06-01.{form}"
        assert answer.headers["content-disposition"].endswith(name), form
        (tmp_path / f"file.{form}").write_bytes(answer.content)
    for form in ("gpkg", "fgb"):
        metadata = pyogrio.read_info(tmp_path / f"file.{form}")["layer_metadata"]
        assert (metadata["密级"], metadata["审图号"]) == ("内部", "GS(2026)1号")
    assert openpyxl.load_workbook(tmp_path / "file.xlsx").properties.subject == "密级：内部　审图号：GS(2026)1号"


@pytest.mark.parametrize("form", ["gpkg", "csv"])
def test_what_is_classed_above_internal_is_handed_out_on_this_machine_alone(
    classed: Path, inside_of: Callable[..., Any], form: str
) -> None:
    address = f"/collections/pipe_line/items?f={form}"
    here, beyond = inside_of(classed), inside_of(classed, host="0.0.0.0")

    refused = beyond.get(address, headers={"accept-language": "zh"})

    assert here.get(address).status_code == 200
    assert (refused.status_code, refused.json()["rule"]) == (403, "download.classified")
    assert "密级为秘密" in refused.json()["detail"] and "--classified-ok" in refused.json()["detail"]
    assert beyond("HEAD", address).status_code == 403
    assert beyond.get(f"{HOUSES}?f={form}").status_code == 200


def test_pages_offer_files_of_what_they_show_and_say_how_a_layer_is_classed(
    classed: Path, inside_of: Callable[..., Any]
) -> None:
    here, beyond = inside_of(classed), inside_of(classed, host="0.0.0.0")

    shown = here.get(f"{HOUSES}?f=html&lang=zh&filter=storeys>3&limit=1&datetime=2024-06-01").text
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+f=(?:csv|xlsx|gpkg|parquet|fgb)[^"]*)"', shown)]
    refused = beyond.get("/collections/pipe_line?f=html&lang=en").text
    collection = here.get("/collections/building?f=html&lang=en").text

    assert len(links) == 2 * len(DOWNLOADS)
    assert all("filter=storeys" in link and "limit" not in link and "datetime=2024" in link for link in links)
    assert len(table_of(here.get(f"{HOUSES}{links[0]}"), "csv", classed)) == 2
    assert "密级 内部" in shown and "审图号 GS(2026)1号" in shown
    assert "Classification" in collection and "internal" in collection and "f=gpkg" in collection
    assert "classed confidential" in refused and "f=gpkg" not in refused


def test_documents_link_the_files_with_their_types_and_openapi_names_the_formats(
    classed: Path, inside_of: Callable[..., Any]
) -> None:
    here = inside_of(classed)

    collection = here.get("/collections/building").json()["links"]
    page = here.get(f"{HOUSES}?limit=1&filter=storeys>3").json()["links"]
    (form,) = (
        each for each in here.get("/api").json()["paths"][HOUSES]["get"]["parameters"] if each.get("name") == "f"
    )

    assert {link["type"] for link in collection if link["rel"] == "enclosure"} == set(DOWNLOADS.values())
    assert {link["type"] for link in page if link["rel"] == "alternate"} == {"text/html", *DOWNLOADS.values()}
    for link in page:
        if link["type"] in DOWNLOADS.values():
            assert here.get(link["href"].removeprefix("http://town.example")).status_code == 200
            assert "limit" not in link["href"]
    assert set(DOWNLOADS) < set(form["schema"]["enum"])
    assert "enclosure" not in {link["rel"] for link in here.get("/collections/pipe_line").json()["links"]}


def test_a_browser_is_told_why_there_is_no_file_on_a_page(classed: Path, inside_of: Callable[..., Any]) -> None:
    refused = inside_of(classed, host="0.0.0.0").get(
        "/collections/pipe_line/items?f=gpkg", headers={"accept": "text/html"}
    )

    assert refused.status_code == 403 and refused.headers["content-type"].startswith("text/html")


def test_another_class_is_another_file_also_for_who_holds_one(classed: Path, inside_of: Callable[..., Any]) -> None:
    here = inside_of(classed)
    held = here.get(f"{HOUSES}?f=csv").headers["etag"]
    settings = classed / "town.toml"
    before = settings.read_text("utf-8")

    settings.write_text(before.replace('building = "内部"', 'building = "公开"'), "utf-8")
    again = here.get(f"{HOUSES}?f=csv", headers={"if-none-match": held})
    settings.write_text(before, "utf-8")

    assert again.status_code == 200 and "%E5%85%AC%E5%BC%80" in again.headers["content-disposition"]


@pytest.mark.proof
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory and descriptors are read from /proc")
def test_a_hundred_thousand_rows_need_no_memory_of_their_own_and_leave_nothing(
    tmp_path: Path, serving: Callable[..., Any]
) -> None:
    """Takes a minute: a large town is made, served by a process of its own, and downloaded in every format."""
    rows, folder = 100_000, tmp_path / "town"
    with init_town(folder, name="大城", crs="EPSG:4548") as made:
        east, north = EAST + 30.0 * (np.arange(rows) % 300), NORTH + 30.0 * (np.arange(rows) // 300)
        houses = gpd.GeoDataFrame({"name": [f"楼{n}" for n in range(rows)], "业主": [f"户{n}" for n in range(rows)]})
        houses = houses.set_geometry(shapely.box(east, north, east + 12, north + 10)).set_crs("EPSG:4548")
        houses.to_file(tmp_path / "houses.gpkg")
        deliver(made, [tmp_path / "houses.gpkg"], Delivery(options=ReadOptions(kind="building")))

    with serving(folder, environment={"TWIN_REQUEST_SECONDS": "300"}) as address:
        pid = process_at(address)
        assert len(httpx.get(f"{address}{HOUSES}?limit=10000", timeout=60).json()["features"]) == 10_000
        before, descriptors = memory_mib(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))
        for form in DOWNLOADS:
            with httpx.stream("GET", f"{address}{HOUSES}?f={form}", timeout=300) as answer:
                path = tmp_path / f"all.{form}"
                with path.open("wb") as file:
                    for chunk in answer.iter_bytes():
                        file.write(chunk)
            assert rows_of(path) == rows, form
        grown = memory_mib(pid) - before
        for _ in range(3):
            with httpx.stream("GET", f"{address}{HOUSES}?f=gpkg", timeout=300) as left:
                next(left.iter_bytes())
        time.sleep(1)
        after = len(list(Path(f"/proc/{pid}/fd").iterdir()))

    assert grown < 300, f"{grown} MiB for {rows} rows in five formats"
    assert after <= descriptors + 6, "a lane's thread keeps a connection; no download keeps a file"
    assert list((folder / "cache" / "downloads").iterdir()) == []


def rows_of(path: Path) -> int:
    """Return how many rows a program reads of a file."""
    if path.suffix == ".parquet":
        return len(gpd.read_parquet(path))
    if path.suffix == ".csv":
        return len(pd.read_csv(path))
    if path.suffix == ".xlsx":
        return sum(1 for _ in openpyxl.load_workbook(path, read_only=True).active.iter_rows()) - 1
    return int(pyogrio.read_info(path, force_feature_count=True)["features"])


def process_at(address: str) -> int:
    """Return the process that `twin serve` answers in."""
    port = address.rpartition(":")[2].encode()
    (pid,) = (
        int(status.parent.name)
        for status in Path("/proc").glob("[0-9]*/cmdline")
        if b"serve" in (words := status.read_bytes().split(b"\0")) and port in words
    )
    return pid


def memory_mib(pid: int) -> int:
    """Return the most memory that a process has had, MiB."""
    line = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("utf-8"))
    assert line is not None
    return int(line[1]) // 1024
