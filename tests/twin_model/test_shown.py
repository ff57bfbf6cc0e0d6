"""How a town, an answer, a layer, a catalogue and a version show themselves in a notebook."""

import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from IPython.core.formatters import DisplayFormatter

from twin_model import Town, init_town, open_town
from twin_model.catalogue import Catalogue, layer_of, read_catalogue
from twin_model.desk.shown import Features

EVIL = "<script>alert(1)</script>"
NAME = '临沂 <b>"北站"</b>'
ATTRS = {"layer": "building", "title": "建筑物", "version": 2, "at": None, "as_known": None}


def houses(count: int) -> gpd.GeoDataFrame:
    x = 618_000 + 60.0 * np.arange(count)
    outlines = shapely.multipolygons(shapely.box(x, 3_886_000, x + 40, 3_886_030), indices=np.arange(count))
    return gpd.GeoDataFrame({"storeys": np.arange(count) + 1, "structure": "砖"}, geometry=outlines, crs="EPSG:4548")


@pytest.fixture
def town(location: str, tmp_path: Path) -> Iterator[Town]:
    """A town of two versions: three houses since 2020, a result since 2024 whose title is no harmless text."""
    with init_town(tmp_path, name=NAME, crs="EPSG:4548", store=location) as made:
        made.edit("building", houses(3), reason="survey", effective="2020-01-01")
        made.save_result(houses(2)[["geometry"]], "far", title=EVIL, reason=EVIL, effective="2024-01-01")
        yield made


@pytest.fixture
def features(town: Town) -> Features:
    return Features.of(town.features("building"), ATTRS)


def shown(subject: object) -> dict[str, str]:
    """Return what IPython would show, by type of content."""
    content, _ = DisplayFormatter().format(subject)
    return dict(content)


def words(html: str) -> str:
    return re.sub(r"<[^>]*>", " ", html)


def test_a_town_prints_itself_in_two_lines(town: Town) -> None:
    first, second = repr(town).splitlines()

    kind = "PostGIS" if "://" in town.store.url else "GeoPackage store.gpkg"
    assert first == f"城市库 {NAME} · EPSG:4548 · {kind}"
    assert re.fullmatch(r"版本 2（\d{4}-\d\d-\d\d）：<script>alert\(1\)</script> · 2 个图层、5 个要素", second)
    assert "@" not in repr(town)


def test_a_notebook_shows_the_facts_of_a_town_and_a_map(town: Town) -> None:
    content = shown(town)

    html = content["text/html"]
    assert content["text/plain"] == repr(town)
    for fact in ("（EPSG:4548）", "1985国家高程基准", "2 个图层、5 个要素", "2020-01-01 至 2024-01-01", "东经118.2"):
        assert fact in words(html)
    assert html.count("<svg") == 1 and "#d8a58c" in html, "the colour of brick houses"
    assert "<script" not in html and "<b>" not in html
    assert "&lt;script&gt;" in html
    assert "http" not in html and "src=" not in html
    assert len(html) < 100_000


def test_an_empty_town_shows_itself_in_english(tmp_path: Path) -> None:
    init_town(tmp_path, name="New town", crs="EPSG:4548").store.close()
    with (tmp_path / "town.toml").open("a", encoding="utf-8") as settings:
        settings.write('languages = ["en"]\n')

    with open_town(tmp_path) as town:
        assert repr(town).splitlines()[1] == "version none yet · 0 features in 0 layers"
        assert "Newest version none yet" in " ".join(words(shown(town)["text/html"]).split())
        assert "<svg" not in shown(town)["text/html"]


def test_a_town_whose_store_is_gone_still_shows_what_is_known(tmp_path: Path) -> None:
    with init_town(tmp_path, name="甲", crs="EPSG:4548") as town:
        town.edit("building", houses(1), reason="survey")
    (tmp_path / "store.gpkg").write_bytes(b"no database" * 100)
    (tmp_path / "store.gpkg-wal").unlink(missing_ok=True)

    content = shown(town)

    assert content["text/plain"].startswith("城市库 甲 · EPSG:4548 · GeoPackage store.gpkg\n无法读取：")
    assert "无法读取：" in content["text/html"] and "1985国家高程基准" in content["text/html"]


def test_a_town_whose_store_is_closed_still_shows_itself(town: Town) -> None:
    town.store.close()

    assert shown(town)["text/plain"].startswith("城市库")
    assert "EPSG:4548" in shown(town)["text/html"]


def test_a_town_without_the_usual_layers_draws_those_it_has(tmp_path: Path) -> None:
    with init_town(tmp_path, name="甲", crs="EPSG:4548") as town:
        far_apart = gpd.GeoDataFrame(
            geometry=gpd.points_from_xy([600_000.0, 640_000.0], [3_880_000.0, 3_890_000.0]), crs="EPSG:4548"
        )
        town.save_result(far_apart, "wells", reason="wells")

        html = town._repr_html_()

    assert html.count("h0") == 2, "each a dot"


def test_a_layer_of_houses_too_small_to_be_seen_is_drawn_as_dots(tmp_path: Path) -> None:
    with init_town(tmp_path, name="甲", crs="EPSG:4548") as town:
        town.edit("building", houses(400), reason="survey")

        html = town._repr_html_()

    assert html.count("h0") > 100


def test_an_answer_is_shown_under_its_facts_and_a_map(features: Features) -> None:
    html = shown(features)["text/html"]

    facts = " ".join(words(html.split("<svg")[0]).split())
    assert facts.startswith("建筑物 building 要素数 3 有效时间 当前 版本 2 坐标系 2000国家大地坐标系")
    assert "东经118.29" in facts
    assert html.count("<svg") == 1 and "building.3" in html
    assert shown(features)["text/plain"] == repr(pd.DataFrame(features))


def test_an_answer_tells_the_day_and_the_version_it_was_asked_for(features: Features) -> None:
    features.attrs |= {"at": "2024-06-01", "as_known": "2025-01-01", "lang": "en", "title": "Buildings"}

    facts = " ".join(words(features._repr_html_() or "").split())

    assert "Buildings building Features 3 Time 2024-06-01 Version 2, asked for as known 2025-01-01 CRS" in facts
    assert "(EPSG:4548)" in facts


def test_what_attrs_say_is_escaped_and_never_a_hindrance(features: Features) -> None:
    evil = Features.of(features, {"title": EVIL, "layer": EVIL, "at": EVIL, "version": EVIL, "style": {"color": EVIL}})
    assert "<script" not in (evil._repr_html_() or "")

    for attrs in ({}, {"style": 7, "lang": []}, {"title": None, "version": [1], "at": 3.5}, {"lang": "fr"}):
        assert "building.3" in (Features.of(features, attrs)._repr_html_() or "")


@pytest.mark.parametrize("crs", ["EPSG:4490", "EPSG:3857", None])
def test_an_answer_in_any_crs_is_shown(features: Features, crs: str | None) -> None:
    moved = features.to_crs(crs) if crs else features.set_crs(None, allow_override=True)

    html = Features.of(moved, ATTRS)._repr_html_() or ""

    assert ("<svg" in html) == (crs is not None)
    assert "building.3" in html


def test_an_answer_without_places_or_without_rows_is_shown(features: Features) -> None:
    placeless = features.copy()
    placeless.geometry = [None] * 3

    for frame in (placeless, features.iloc[:0]):
        html = Features.of(frame, ATTRS)._repr_html_() or ""
        assert "建筑物" in html and "<svg" not in html


def test_pandas_may_be_told_to_show_text_only(features: Features) -> None:
    with pd.option_context("display.notebook_repr_html", False):
        assert "text/html" not in shown(features)


def test_what_is_made_of_an_answer_is_a_plain_geodataframe(features: Features, tmp_path: Path) -> None:
    other = features[["geometry"]].assign(near=True)
    made = {
        "columns": features[["storeys", "geometry"]],
        "rows": features[features["storeys"] > 1],
        "head": features.head(),
        "copy": features.copy(),
        "assign": features.assign(x=1),
        "merge": features.merge(pd.DataFrame({"storeys": [1], "owner": ["甲"]}), on="storeys"),
        "to_crs": features.to_crs(4490),
        "sjoin": features.sjoin(other),
        "overlay": features.overlay(other),
        "dissolve": features.dissolve("structure"),
        "concat": pd.concat([features, features]),
        "explode": features.explode(),
        "reset": features.reset_index(),
        "groups": features.groupby("structure").head(1),
        "query": features.query("storeys > 1"),
        "astype": features.astype({"storeys": float}),
        "apply": features.apply(lambda row: row, axis=1),
        "clip": features.clip(features.total_bounds),
        "set_geometry": features.set_geometry(features.centroid),
    }

    assert {name: type(frame) for name, frame in made.items() if type(frame) is not gpd.GeoDataFrame} == {}
    assert all(frame.crs is not None for frame in made.values())
    assert made["to_crs"].crs.to_epsg() == 4490
    assert type(features[["storeys"]]) is pd.DataFrame
    assert isinstance(features["geometry"], gpd.GeoSeries)


def test_an_answer_survives_pickle_and_files(features: Features, tmp_path: Path) -> None:
    again = pickle.loads(pickle.dumps(features))
    assert (type(again), again.attrs, again.crs) == (Features, ATTRS, features.crs)

    features.to_file(tmp_path / "houses.gpkg", layer="houses")
    features.to_parquet(tmp_path / "houses.parquet")
    assert len(gpd.read_file(tmp_path / "houses.gpkg")) == len(gpd.read_parquet(tmp_path / "houses.parquet")) == 3
    assert type(features) is Features and features.active_geometry_name == "geometry"


def test_the_frame_an_answer_is_made_of_stays_as_it_is(town: Town) -> None:
    frame = town.features("building").rename_geometry("outline")

    features = Features.of(frame, ATTRS)
    features["storeys"] = 0

    assert "labels" in frame.attrs and type(frame) is gpd.GeoDataFrame
    assert frame["storeys"].tolist() == [1, 2, 3]
    assert (features.head(1).active_geometry_name, features.head(1).crs) == ("outline", frame.crs)
    assert features.active_geometry_name == "outline" and "<svg" in (features._repr_html_() or "")


def test_a_layer_prints_one_line_and_shows_its_fields() -> None:
    layer = read_catalogue()["building"]

    content = shown(layer)

    assert content["text/plain"] == "building 建筑物 Buildings: MultiPolygon, 13 fields"
    assert {"structure", "结构", "Structure", "m2"} <= set(words(content["text/html"]).split())
    assert "砼 钢筋混凝土结构; " in content["text/html"]


def test_a_catalogue_prints_the_names_of_its_layers_and_shows_a_row_each() -> None:
    catalogue = read_catalogue()

    content = shown(catalogue)

    assert content["text/plain"].startswith(f"Catalogue of {len(catalogue)} layers: control_point, water_area,")
    assert len(content["text/plain"]) < 1_000
    assert content["text/html"].count("<tr>") == len(catalogue) + 1
    many = Catalogue({f"layer_{n}": catalogue["building"] for n in range(500)})
    assert repr(many).endswith("…") and len(repr(many)) < 1_500


def test_titles_of_layers_and_fields_are_escaped() -> None:
    fields = {"name": {"zh": EVIL, "en": EVIL, "codes": {EVIL: EVIL}, "unit": EVIL}}
    table = {"title": EVIL, "description": EVIL, "standard": EVIL, "fields": fields}
    layer = replace(layer_of("odd", table), style={"color": EVIL})

    for html in (layer._repr_html_(), Catalogue({"odd": layer})._repr_html_()):
        assert "<script" not in html and "&lt;script&gt;" in html


def test_a_version_tells_what_it_changed(town: Town) -> None:
    frame = town.features("building")[["storeys", "geometry"]]

    version = town.edit("building", frame.iloc[:2].assign(storeys=9), reason="storeys counted").outcome
    base = town.store.version()
    same = town.edit("building", frame.iloc[:1].assign(storeys=9), base=base, reason="the same again").outcome

    assert re.fullmatch(r"Version 3, recorded \d{4}-.*Z: building ~2", repr(version))
    html = shown(version)["text/html"]
    assert [cell.strip() for cell in re.findall(r"<td[^>]*>([^<]*)</td>", html)][-5:] == [
        "building",
        "0",
        "2",
        "0",
        "0",
    ]
    assert repr(same) == "Version 3: nothing changed, no new version 无变化，未产生新版本"
    assert "无变化" in shown(same)["text/html"]
