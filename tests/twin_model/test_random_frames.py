"""Random frames saved, edited, renamed, described, dropped and reverted against a model that keeps every state in memory.

Whatever a notebook hands over is accepted and answered as it was meant, or refused by one of our errors with nothing changed:
after every step the town opens anew without a warning, its history adds up, and the service answers every layer.
"""

import asyncio
import itertools
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import pandas as pd
import pytest
from drawn_examples import examples
from drawn_frames import CRS, DrawnFrame, as_series, columns, frames, is_same, names, shapes
from hypothesis import HealthCheck, Phase, given, note
from hypothesis import strategies as st

from api_config.app import make_app
from api_config.settings import Settings
from twin_model import Town, init_town, open_town
from twin_model.audit import verify
from twin_model.backup import backup_town, restore_town
from twin_model.catalogue.layer_from_frame import field_name_of, is_result_table
from twin_model.errors import TwinError
from twin_model.store.base import FeatureQuery

Rows = dict[str, dict[str, Any]]
"""Features by id, each with its values by field and its geometry."""

LAYERS = st.sampled_from([*["first"] * 6, "second", "building"])
ODD_LAYERS = st.sampled_from(["First", "", " ", "a b", "gpkg_a", "twin_x", "rtree_a", "x" * 41, "密度", "1a", "a" * 40, "select", "finding", "pipe_line", "../x", 5, None, "codes", "history", "first_history"])  # fmt: skip
WORDS = st.text(max_size=5) | st.sampled_from(["密度", "Density", "\ud800", "\0", "a\"'\\b", "x" * 300, "\x7f", "\n", "{x}"]) | st.sampled_from([None, 1, "", {"zh": "甲"}, {"en": "a", "zh": "甲"}, {"de": "x"}, ["a"], True])  # fmt: skip


class Service:
    """The service of a town in this process; a crash is a 500."""

    def __init__(self, folder: Path) -> None:
        self._app, self._loop = make_app(Settings(town=folder)), asyncio.new_event_loop()
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://town.example")

    def get(self, address: str) -> httpx.Response:
        return self._loop.run_until_complete(self._client.get(address))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self._app.state.service.town.store.close()


class Notebook:
    """A town, its service, and the model of what was accepted: the rows of each layer, and those of every version."""

    def __init__(self, town: Town) -> None:
        self.town, self.service = town, Service(town.path)
        self.rows: dict[str, Rows] = {}
        self.past: dict[int, dict[str, Rows]] = {}

    def own_layers(self) -> list[str]:
        layers = self.town.catalogue
        return [each.id for each in layers if is_result_table(self.town.path / "catalogue" / f"{each.id}.toml")]

    def seen_layers(self) -> list[str]:
        """The layers that a notebook may ask for now."""
        return [each for each in [*self.own_layers(), "building"] if not self.town.catalogue[each].dropped]

    def step(self, write: Callable[[], Any], accepted: Callable[[Any], None] = lambda saved: None) -> bool:
        """Try to write and prove the town afterwards; return whether it was accepted."""
        before = self.fingerprint()
        try:
            with no_warning_of_others():
                saved = write()
        except TwinError as error:
            note(f"refused: {error}")
            ensure_words(error)
            assert self.fingerprint() == before, "a refused step left something behind"
            return False
        note(f"accepted: {saved}")
        if getattr(saved, "dry_run", False):
            assert self.fingerprint() == before, "a dry run left something behind"
        else:
            accepted(saved)
        self.prove()
        return True

    def fingerprint(self) -> Any:
        folder = self.town.path / "catalogue"
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        with open_town(self.town.path) as town:
            held = {each.id: town.store.rows(FeatureQuery(each.id)) for each in town.store.catalogue}
            return (
                town.store.version(),
                files,
                {name: rows for name, rows in held.items() if rows[1]},
                list(town.store.descriptions()),
            )

    def prove(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with open_town(self.town.path) as town:
                assert not verify(town.store).unread
                for layer in self.seen_layers():
                    self._prove_layer(town, layer)
                town.layers()
        self.past[self.town.store.version()] = {layer: rows_of(self.town, layer) for layer in self.seen_layers()}

    def _prove_layer(self, town: Town, layer: str) -> None:
        with no_warning_of_others():
            answered, read = rows_of(town, layer), self.town.features(layer)
        assert answered == rows_of(self.town, layer), "two towns answer differently"
        if layer in self.rows:
            ensure_same(self.rows[layer], answered)
        saved = self.town.edit(layer, read, reason="as it was read")
        assert not saved.made and saved.unchanged == len(read), f"a round trip changed {layer}: {saved}"
        town.describe(layer)
        read._repr_html_()
        limit = self.service.get(f"/collections/{layer}/items?limit=100")
        assert limit.status_code == 200, limit.text
        assert [each["id"] for each in limit.json()["features"]] == list(answered)
        for address in ("", "/queryables", "/schema", "/tiles/WebMercatorQuad/0/0/0"):
            status = self.service.get(f"/collections/{layer}{address}")
            assert status.status_code in (200, 204), (address, status.text)

    def prove_past(self) -> None:
        """Every version is still answered as it was when it was the newest."""
        for version, layers in self.past.items():
            for layer, rows in layers.items():
                if version and layer in self.town.catalogue:
                    known = rows_of(self.town, layer, as_known=version)
                    assert list(known) == list(rows), (version, layer)
                    for name, values in rows.items():
                        both = set(values) & set(known[name])
                        assert {key: values[key] for key in both} == {key: known[name][key] for key in both}

    def prove_backup(self, folder: Path) -> None:
        backup_town(self.town, folder / "town.backup")
        restore_town(folder / "town.backup", folder / "restored")
        with open_town(folder / "restored") as town:
            for layer in self.seen_layers():
                assert rows_of(town, layer) == rows_of(self.town, layer)


def rows_of(town: Town, layer: str, **asked: Any) -> Rows:
    frame = town.features(layer, **asked)
    records = pd.DataFrame(frame).drop(columns=frame.geometry.name).to_dict("records")
    shown = [{str(key): None if is_same(None, value) else value for key, value in row.items()} for row in records]
    return {
        name: {**row, "/": shape.wkb if shape is not None else None}
        for name, row, shape in zip(frame.index, shown, frame.geometry, strict=True)
    }


def ensure_words(error: TwinError) -> None:
    """Every message says in both languages what happened, what was expected and what to do."""
    for lang in ("en", "zh"):
        text = error.text(lang, "python")
        assert not text.startswith(f"{error.rule_id}: "), text
        ends = text.count(". ") + text.endswith((".", ")", "...]")) if lang == "en" else text.count("。")
        assert ends >= 2, (lang, text)
        text.encode()


@contextmanager
def no_warning_of_others() -> Iterator[None]:
    """Only we may warn: what numpy, pandas or shapely warn of is a fault of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        yield


def ensure_same(expected: Rows, answered: Rows) -> None:
    assert sorted(expected) == sorted(answered)
    for name, row in expected.items():
        for field, meant in row.items():
            assert is_same(meant, answered[name].get(field)), (name, field, meant, answered[name].get(field))


def meant_rows(drawn: DrawnFrame) -> list[dict[str, Any]]:
    """Return what the rows of a frame mean, by field."""
    system = {"id", "fid", "valid_from", "valid_to", "valid_precision", "version"}
    frame = drawn.frame
    left_out = system if frame.index.name == "id" or "id" in frame.columns else set()
    return [
        {field_name_of(name): value for name, value in row.items() if not (isinstance(name, str) and name in left_out)}
        for row in drawn.rows
    ]


def paired(meant: list[dict[str, Any]], answered: Rows) -> Rows:
    """Return what rows without an id mean under the ids that they were given; each is to be found once."""
    left, pairs = dict(answered), {}
    for row in meant:
        matching = [
            name for name, said in left.items() if all(is_same(value, said.get(field)) for field, value in row.items())
        ]
        assert matching, (row, left)
        left.pop(matching[0])
        pairs[matching[0]] = row
    return pairs


def save(notebook: Notebook, data: Any) -> bool:
    """Save a frame that has nothing to do with what is there."""
    drawn = data.draw(frames(), "frame")
    name = data.draw(ODD_LAYERS if data.draw(st.integers(0, 9)) == 0 else LAYERS, "layer")
    mode = data.draw(st.sampled_from(["replace", "replace", "update", "append"]), "mode")
    dry_run = data.draw(st.integers(0, 9), "dry run") == 0
    town = notebook.town
    before = dict(notebook.rows.get(name, {})) if isinstance(name, str) else {}

    def accepted(saved: Any) -> None:
        answered = rows_of(town, name)
        if mode == "replace":
            notebook.rows[name] = paired(meant_rows(drawn), answered)
            assert len(answered) == len(drawn.rows)
        else:
            notebook.rows[name] = written(before, meant_rows(drawn), drawn.ids, answered)

    return notebook.step(
        lambda: town.save_result(drawn.frame, name, reason="drawn", mode=mode, dry_run=dry_run), accepted
    )


def written(before: Rows, meant: list[dict[str, Any]], ids: list[str | None], answered: Rows) -> Rows:
    """Return the rows of a layer after some were written by id and others added."""
    after = dict(before)
    after |= {name: {**before.get(name, {}), **row} for name, row in zip(ids, meant, strict=True) if name is not None}
    new = [row for name, row in zip(ids, meant, strict=True) if name is None]
    return after | paired(new, {name: row for name, row in answered.items() if name not in after})


def edit(notebook: Notebook, data: Any) -> bool:
    """Change what was read: other values, a new column, fewer rows, another geometry, in any order."""
    town, layer = (
        notebook.town,
        data.draw(
            st.sampled_from([*notebook.own_layers() * 5, "building"]).filter(notebook.seen_layers().__contains__),
            "layer",
        ),
    )
    verb = data.draw(st.sampled_from(["edit", "replace", "update", "append"]), "verb")
    asked = data.draw(st.sampled_from([{}, {}, {"system": True}, {"labels": "zh"}, {"crs": "OGC:CRS84"}]), "asked")
    read = town.features(layer, **asked)
    rows = data.draw(st.lists(st.integers(0, max(0, len(read) - 1)), max_size=5), "rows") if len(read) else []
    chosen = read.iloc[rows]
    attrs, before = dict(read.attrs), rows_of(town, layer)
    meant = [dict(before[name]) for name in chosen.index]
    for row in meant:
        row.pop("/")
    for _ in range(data.draw(st.integers(0, 2), "columns")):
        fields = [name for name in chosen.columns if name != "geometry"]
        name = data.draw(st.sampled_from([*fields, *fields, "more"]) if data.draw(st.booleans()) else names(), "name")
        column = data.draw(columns(len(chosen), tame=data.draw(st.booleans())), "column")
        chosen = chosen.copy()
        try:
            chosen[name] = as_series(column, chosen.index)
        except (ValueError, TypeError, KeyError):  # pandas itself has no such column
            return False
        if name not in ("id", "fid", "valid_from", "valid_to", "version", "valid_precision", "geometry"):
            for row, value in zip(meant, column.meaning, strict=True):
                row[name if verb == "edit" else field_name_of(name)] = value
    if len(chosen) and data.draw(st.booleans(), "moves"):
        kept = [
            each if data.draw(st.booleans()) else data.draw(shapes("area", tame=data.draw(st.booleans())))
            for each in chosen.geometry
        ]
        chosen = chosen.set_geometry(gpd.GeoSeries(kept, index=chosen.index, crs=CRS))
    keeps_ids = data.draw(st.integers(0, 5), "index") > 0
    if not keeps_ids:
        chosen = chosen.reset_index(drop=True)
    chosen.attrs = attrs
    ids = [str(name) if keeps_ids else None for name in chosen.index]

    def accepted(saved: Any) -> None:
        answered = rows_of(town, layer)
        known = notebook.rows.get(layer) or {name: {} for name in before}
        if verb == "replace":
            notebook.rows[layer] = paired(meant, answered)
            assert len(answered) == len(meant)
        else:
            notebook.rows[layer] = written(known, meant, ids, answered)

    note(f"{verb}\n{chosen}")
    if verb == "edit":
        return notebook.step(lambda: town.edit(layer, chosen, reason="drawn"), accepted)
    return notebook.step(lambda: town.save_result(chosen, layer, reason="drawn", mode=verb), accepted)


def rename(notebook: Notebook, data: Any) -> bool:
    town, layer = notebook.town, data.draw(st.sampled_from([*notebook.own_layers() * 5, "building"]), "layer")
    fields = town.catalogue[layer].field_names
    field = data.draw(st.sampled_from([*fields, "nothing"]), "field")
    name = data.draw(names(), "new name")

    def accepted(saved: Any) -> None:
        for row in notebook.rows.get(layer, {}).values():
            if field in row:
                row[name] = row.pop(field)

    return notebook.step(lambda: town.rename_field(layer, field, name, reason="drawn"), accepted)


def redescribe(notebook: Notebook, data: Any) -> bool:
    town, layer = notebook.town, data.draw(st.sampled_from([*notebook.own_layers() * 5, "building"]), "layer")
    fields = town.catalogue[layer].field_names
    more = {}
    if fields and data.draw(st.booleans(), "field"):
        unit = st.fixed_dictionaries(
            {},
            optional={
                "zh": WORDS,
                "en": WORDS,
                "unit": WORDS,
                "codes": WORDS | st.dictionaries(st.sampled_from(["a", "1", 1, ""]), WORDS, max_size=2),
                "type": st.just("integer"),
            },
        )
        more = {"fields": {data.draw(st.sampled_from(fields)): data.draw(WORDS | unit)}}
    title, description = data.draw(WORDS, "title"), data.draw(WORDS, "description")
    return notebook.step(lambda: town.redescribe(layer, title=title, description=description, **more))


def drop(notebook: Notebook, data: Any) -> bool:
    town, layer = notebook.town, data.draw(st.sampled_from([*notebook.own_layers() * 5, "building"]), "layer")
    return notebook.step(
        lambda: town.drop_layer(layer, reason="drawn"), lambda saved: notebook.rows.update({layer: {}})
    )


def revert(notebook: Notebook, data: Any) -> bool:
    town = notebook.town
    number = data.draw(st.integers(0, town.store.version() + 1), "version")
    return notebook.step(lambda: town.revert(number), lambda version: notebook.rows.clear())


STEPS = (save, save, save, edit, edit, edit, rename, redescribe, drop, revert)


@pytest.fixture(scope="session")
def empty_town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an empty town in a GeoPackage, to be copied."""
    folder = tmp_path_factory.mktemp("empty") / "town"
    init_town(folder, name="小镇", crs=CRS).store.close()
    return folder


def ensure_any_frames_are_accepted_or_refused(made: Callable[[Path], Town], data: Any, *, backup: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        town = made(Path(folder) / "town")
        notebook = Notebook(town)
        try:
            for _ in range(data.draw(st.integers(1, 6), "steps")):
                step = data.draw(st.sampled_from(STEPS if notebook.own_layers() else (save,)), "step")
                step(notebook, data)
            notebook.prove_past()
            if backup and notebook.town.store.version():
                notebook.prove_backup(Path(folder))
        finally:
            notebook.service.close()
            town.store.close()


@pytest.mark.parametrize("kind", ["geopackage", "postgis"])
def test_any_frame_is_answered_as_it_was_meant_or_refused_with_nothing_changed(
    request: pytest.FixtureRequest, kind: str, empty_town: Path
) -> None:
    server = request.getfixturevalue("postgis_server") if kind == "postgis" else None
    number = itertools.count()

    def made(folder: Path) -> Town:
        if server is not None:
            return init_town(folder, name="小镇", crs=CRS, store=server.url(f"frames{next(number)}"))
        return open_town(shutil.copytree(empty_town, folder))

    @examples(
        4 if server is None else 1,
        proof=100,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(st.data())
    def run(data: Any) -> None:
        ensure_any_frames_are_accepted_or_refused(
            made, data, backup=server is None and data.draw(st.integers(0, 4)) == 0
        )

    run()
