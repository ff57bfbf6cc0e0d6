"""A layer: a named set of features of one kind, as the catalogue describes it. The same as published: a collection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["ATTRIBUTES", "SEARCH_KEY", "Field", "FieldType", "Layer", "Text", "ZoomRule"]

ATTRIBUTES = "attributes"
"""The column of every layer for what a source says and no field of ours has: a JSON object with sorted keys."""

SEARCH_KEY = "search_key"
"""The column of every layer for the folded texts by which a feature is searched."""

FieldType = Literal["string", "integer", "number", "boolean", "date", "datetime"]
GeometryType = Literal[
    "Point",
    "PointZ",
    "MultiLineString",
    "LineString",
    "LineStringZ",
    "MultiLineStringZ",
    "MultiPolygon",
    "MultiPolygonZ",
    "None",
]


@dataclass(frozen=True)
class Text:
    """One sentence or title in both languages."""

    zh: str = ""
    en: str = ""

    def __call__(self, lang: str) -> str:
        return (self.zh if lang == "zh" else self.en) or self.en or self.zh


@dataclass(frozen=True, eq=False)
class Field:
    """One attribute of a layer: its type, unit and titles; `codes` names the meaning of each code.

    `aliases` are other words that people call it by: a question in a notebook may use them. A string of `format` "json" holds JSON text and leaves the house as what it means.
    """

    name: str
    type: FieldType
    title: Text
    unit: str = ""
    codes: Mapping[str, Text] = field(default_factory=dict)
    queryable: bool = True
    format: Literal["", "json"] = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class ZoomRule:
    """From which zoom a feature is drawn: `start`, or where its size reaches `pixels`, but never before `start`."""

    start: int = 0
    pixels: float = 0.0
    latest: int = 17


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of the catalogue. A catalogue is read once, so a layer is equal to itself only.

    - `identity` is "match" (found again by place and content) or "field:X"; `prefix` fields stand before the number where
      numbers repeat.
    - `classes` are fields of which two things at one place must have the same values to be one; such layers are found
      again by place too where a number is new.
    - `geometry` is fixed: single or multi, with Z or not. Features without geometry are allowed; `geometry_optional` says
      that they are nothing to remark on (a model that has no place yet).
    - `label` lists the fields that a feature is called by, the best first; search looks in these and in `searched`.
    - `former_fields` are columns that a store still holds of fields which the catalogue no longer names: the past was
      written with them.
    """

    id: str
    kind: Literal["feature", "raster", "observation"]
    title: Text
    description: Text
    cim_class: str
    cim_level: str
    geometry: GeometryType
    identity: str
    fields: tuple[Field, ...]
    zoom: ZoomRule = ZoomRule()
    standard: str = ""
    tolerance: float = 0.001
    plan_error: float = 0.6
    valid_from_field: str | None = None
    prefix: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    underground: bool = False
    geometry_optional: bool = False
    label: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    style: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    former_fields: tuple[Field, ...] = ()

    @property
    def has_z(self) -> bool:
        return self.geometry.endswith("Z")

    @property
    def is_multi(self) -> bool:
        return self.geometry.startswith("Multi")

    @property
    def has_geometry(self) -> bool:
        return self.geometry != "None"

    @property
    def dimension(self) -> int:
        """0 for points, 1 for lines, 2 for areas, -1 without geometry."""
        flat = self.geometry.removesuffix("Z").removeprefix("Multi")
        return {"Point": 0, "LineString": 1, "Polygon": 2}.get(flat, -1)

    @property
    def is_network(self) -> bool:
        """Whether features are segments and nodes of a network: what a survey shows of it are its lines."""
        return bool(self.classes)

    def name_in(self, lang: str) -> str:
        """Return how output names the layer: its title in Chinese, its id in English."""
        return self.title(lang) if lang == "zh" else self.id

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields)

    @property
    def stored_names(self) -> tuple[str, ...]:
        """The columns in which a store holds what features say, besides their geometry."""
        return (*self.field_names, *(each.name for each in self.former_fields), ATTRIBUTES)

    def title_of(self, properties: Mapping[str, Any], feature_id: Any) -> str:
        """Return what a person would call a feature: the first of the label's fields that has a value, else its id."""
        names = (name for name in self.label if self.field_of(name) and properties.get(name))
        return next((str(properties[name]) for name in names), str(feature_id))

    def field_of(self, name: str) -> Field | None:
        return next((one for one in self.fields if one.name == name), None)

    def column_of(self, name: str) -> Field | None:
        """Return the field, or former field, that a column of the store holds."""
        return next((each for each in (*self.fields, *self.former_fields) if each.name == name), None)

    @property
    def identity_field(self) -> str | None:
        return self.identity.removeprefix("field:") if self.identity.startswith("field:") else None
