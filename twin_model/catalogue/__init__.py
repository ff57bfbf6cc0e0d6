"""The catalogue names every layer once; store, collections, tiles, viewer and documents are made from it.

Here: the `*.toml` tables and how they are read. A town adds or changes layers in its own `catalogue/` folder;
no code changes. What a table must hold to be a layer stands in `validation.py`, what a `Layer` is in `twin_model/layer.py`.

    >>> catalogue = read_catalogue(Path("town/catalogue"))
    >>> catalogue["building"].title("zh")
    '建筑物'
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from textwrap import fill
from typing import Any

from twin_model.catalogue.layer_from_frame import is_result_table
from twin_model.catalogue.validation import CIM_CLASSES, ensure_table, ensure_valid
from twin_model.classification import class_of
from twin_model.errors import CatalogueError, LayerNotFound
from twin_model.layer import Field, Layer, Text, ZoomRule
from twin_model.markup import panel, rows_table

__all__ = ["CIM_CLASSES", "Catalogue", "layer_of", "read_catalogue"]


_LABELS = ("name", "title", "number")
"""Fields that a layer without a `label` of its own is called by."""
_NAMED = 80
"""So many layers a catalogue names when it is printed."""


@dataclass(frozen=True, repr=False)
class Catalogue:
    """Every layer by id, in the order the catalogue lists them."""

    layers: Mapping[str, Layer]

    def __getitem__(self, layer_id: str) -> Layer:
        try:
            return self.layers[layer_id]
        except KeyError:
            nearest = get_close_matches(layer_id, self.layers, 3, 0.4) or sorted(self.layers)[:5]
            raise LayerNotFound(name=layer_id, nearest=nearest) from None

    def __contains__(self, layer_id: object) -> bool:
        return layer_id in self.layers

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())

    def __len__(self) -> int:
        return len(self.layers)

    def __repr__(self) -> str:
        names = [*list(self.layers)[:_NAMED], *(["…"] if len(self) > _NAMED else [])]
        return fill(f"Catalogue of {len(self)} layers: {', '.join(names)}", 110, subsequent_indent="  ")

    def _repr_html_(self) -> str:
        """Return one row a layer as HTML, titles in both languages, with the colour it is drawn in."""
        rows = [
            (
                layer.id,
                layer.title.zh,
                layer.title.en,
                layer.geometry if layer.kind == "feature" else layer.kind,
                layer.cim_class,
                str(len(layer.fields)),
            )
            for layer in self
        ]
        columns = ("图层 Layer", "名称", "Title", "图形 Geometry", "CIM", "字段数 Fields")
        colors = [layer.style.get("color") or layer.style.get("line_color", "") for layer in self]
        return panel(f"图层目录 Catalogue: {len(self)} layers", below=rows_table(columns, rows, colors=colors))

    def _ipython_key_completions_(self) -> list[str]:
        """What a notebook offers after `town.catalogue["`: ids, then titles."""
        titles = [title for layer in self for title in (layer.title.zh, layer.title.en) if title]
        return list(dict.fromkeys([*self.layers, *titles]))

    def of_kind(self, kind: str) -> "Catalogue":
        """Return the layers of one kind: a store keeps those of kind "feature"."""
        return Catalogue({layer.id: layer for layer in self if layer.kind == kind})


def read_catalogue(*folders: Path, left_out: dict[str, CatalogueError] | None = None) -> Catalogue:
    """Return the house's catalogue, then that of each folder laid over it (a layer named again is changed there).

    Where `left_out` is given, a result's table that is no layer is left out and the error put there by its layer: what an
    analyst brought must not keep a town from opening. Every other table that is wrong is refused.
    """
    tables: dict[str, dict[str, Any]] = {}
    codes: dict[str, dict[str, Any]] = {}
    results: dict[str, Path] = {}
    for folder in (Path(__file__).parent, *folders):
        for path in sorted(folder.glob("*.toml")):
            is_result = left_out is not None and is_result_table(path)
            try:
                read = _read_toml(path)
            except CatalogueError as error:
                if left_out is None or not is_result:
                    raise
                left_out[path.stem] = error
                continue
            for layer_id, table in read.items():
                ensure_table(layer_id, "table", table)
                if layer_id == "codes":
                    codes |= table
                else:
                    tables[layer_id] = _laid_over(tables.get(layer_id, {}), table)
                    results |= {layer_id: path} if is_result else {}
    layers: dict[str, Layer] = {}
    for layer_id, table in tables.items():
        try:
            layers[layer_id] = layer_of(layer_id, table, codes)
        except CatalogueError as error:
            if left_out is None or layer_id not in results:
                raise
            left_out[layer_id] = CatalogueError(**error.values | {"layer": f"{layer_id} ({results[layer_id]})"})
    return Catalogue(layers)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError("catalogue.not_toml", path=str(path), cause=str(error)) from error


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        merged[key] = (
            _laid_over(merged[key], value) if isinstance(value, dict) and isinstance(merged.get(key), dict) else value
        )
    return merged


def layer_of(layer_id: str, table: dict[str, Any], codes: Mapping[str, Any] = {}) -> Layer:
    """Return the layer that a table describes; raises `CatalogueError` with the first thing that is wrong."""
    ensure_table(layer_id, "layer", table)
    zoom = table.get("zoom", {})
    layer = Layer(
        id=layer_id, kind=table.get("kind", "feature"),
        title=_text(table.get("title", layer_id)), description=_text(table.get("description", "")),
        cim_class=table.get("cim_class", "base"), cim_level=table.get("cim_level", ""),
        geometry=table.get("geometry", "None"), identity=table.get("identity", "match"),
        fields=tuple(_field(layer_id, name, spec, codes) for name, spec in table.get("fields", {}).items()),
        zoom=ZoomRule(zoom.get("start", 0), float(zoom.get("pixels", 0)), zoom.get("latest", 17)),
        standard=table.get("standard", ""), tolerance=float(table.get("tolerance", 0.001)),
        plan_error=float(table.get("plan_error", 0.6)), valid_from_field=table.get("valid_from_field"),
        prefix=tuple(table.get("prefix", ())), classes=tuple(table.get("classes", ())),
        sizes=tuple(table.get("sizes", ())), abandoned=table.get("abandoned", {}), underground=table.get("underground", False),
        geometry_optional=table.get("geometry_optional", False),
        label=tuple(table.get("label", (name for name in _LABELS if name in table.get("fields", {})))),
        searched=tuple(table.get("searched", ())), style=table.get("style", {}), model=table.get("model", {}), dropped=table.get("dropped", False),
        delivered_as=tuple(table.get("delivered_as", ())),
        classification=_class(table.get("classification", "")), map_approval=table.get("map_approval", ""),
    )  # fmt: skip
    ensure_valid(layer)
    return layer


def _class(word: str) -> str:
    """Return the class that a word names; one that is none stays, to be refused by name."""
    try:
        return class_of(word)
    except ValueError:
        return word


def _field(layer_id: str, name: str, spec: dict[str, Any], codes: Mapping[str, Any]) -> Field:
    ensure_table(layer_id, "field", spec)
    listed = spec.get("codes", {})
    if isinstance(listed, str) and listed not in codes:
        nearest = get_close_matches(listed, codes, 3, 0.4) or sorted(codes)
        raise CatalogueError(layer=layer_id, key=f"{name}: codes = {listed!r}", expected=nearest)
    listed = codes[listed] if isinstance(listed, str) else listed
    return Field(
        name=name,
        type=spec.get("type", "string"),
        title=Text(spec.get("zh", name), spec.get("en", name)),
        unit=spec.get("unit", ""),
        codes={code: _text(words) for code, words in listed.items()},
        queryable=spec.get("queryable", True),
        format=spec.get("format", ""),
        aliases=tuple(spec.get("aliases", ())),
    )


def _text(value: Any) -> Text:
    return Text(value.get("zh", ""), value.get("en", "")) if isinstance(value, dict) else Text(str(value), str(value))
