"""A layer: a named set of features of one kind, as the catalogue describes it. The same as published: a collection."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from twin_model.geometry_kind import GeometryType, dimension_of
from twin_model.markup import listed_short, panel, rows_table

__all__ = ["ATTRIBUTES", "SEARCH_KEY", "Field", "FieldType", "Layer", "Text", "ZoomRule"]

ATTRIBUTES = "attributes"
"""The column of every layer for what a source says and no field of ours has: a JSON object with sorted keys."""

SEARCH_KEY = "search_key"
"""The column of every layer for the folded texts by which a feature is searched."""

FieldType = Literal["string", "integer", "number", "boolean", "date", "datetime"]


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

    def word(self, value: Any, lang: str) -> str:
        """Return a value as a reader knows it: a code by its words, anything else as it is."""
        words = self.codes.get(str(value))
        return words(lang) if words is not None else str(value)


@dataclass(frozen=True)
class ZoomRule:
    """From which zoom a feature is drawn: `start`, or where its size reaches `pixels`, but never before `start`."""

    start: int = 0
    pixels: float = 0.0
    latest: int = 17


@dataclass(frozen=True, eq=False, repr=False)
class Layer:
    """One layer of the catalogue. A catalogue is read once, so a layer is equal to itself only.

    - `identity` is "match" (found again by place and content) or "field:X"; `prefix` fields stand before the number where
      numbers repeat.
    - `classes` are fields of which two things at one place must have the same values to be one; such layers are found
      again by place too where a number is new. `sizes` are numbers that contradict each other where they differ; `abandoned`
      names, by field, the codes of what is out of use.
    - `geometry` is fixed: single or multi, with Z or not. Features without geometry are allowed; `geometry_optional` says
      that they are nothing to remark on (a model that has no place yet).
    - `label` lists the fields that a feature is called by, the best first; search looks in these and in `searched`.
    - `dropped` layers hold nothing now and are shown to nobody; their past can still be asked for and proved.
    - `former_fields` are columns that a store still holds of fields which the catalogue no longer names: the past was
      written with them.
    - `delivered_as` names the source layers that a layer of the town's own was described from: they find it again.
    - `classification` and `map_approval` are what the catalogue says of them; what holds says `town.marking(layer)`.
    - `attributes_hidden`: who looks may not see `attributes` (a policy hides them by that name).
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
    sizes: tuple[str, ...] = ()
    abandoned: Mapping[str, Any] = field(default_factory=dict)
    underground: bool = False
    geometry_optional: bool = False
    label: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    style: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    former_fields: tuple[Field, ...] = ()
    dropped: bool = False
    delivered_as: tuple[str, ...] = ()
    attributes_hidden: bool = False
    classification: str = ""
    map_approval: str = ""

    def __repr__(self) -> str:
        kind = self.geometry if self.kind == "feature" else self.kind
        return f"{self.name_and_titles}: {kind}, {len(self.fields)} fields"

    def _repr_html_(self) -> str:
        """Return what the layer is and its fields as HTML, in both languages: it knows no town that chooses one."""
        facts = [
            ("图形 Geometry", self.geometry if self.kind == "feature" else self.kind),
            ("CIM", " ".join(filter(None, (self.cim_class, self.cim_level)))),
            ("标准 Standard", self.standard),
            ("说明 Description", self.description("zh")),
            ("", self.description("en") if self.description.en != self.description("zh") else ""),
        ]
        rows = [
            (field.name, field.title.zh, field.title.en, field.type, field.unit, _codes_text(field))
            for field in self.fields
        ]
        fields = rows_table(("字段 Field", "名称", "Title", "类型 Type", "单位 Unit", "代码 Codes"), rows)
        return panel(self.name_and_titles, [fact for fact in facts if fact[1]], below=fields)

    @property
    def name_and_titles(self) -> str:
        """The id and the titles in both languages, each word once."""
        return " ".join(dict.fromkeys(filter(None, (self.id, self.title.zh, self.title.en))))

    @property
    def has_z(self) -> bool:
        return self.geometry.endswith("Z")

    @property
    def keeps_heights(self) -> bool:
        """Whether known heights stay where a delivery has none: those of points and lines, vertex by vertex."""
        return self.has_z and not self.is_multi and self.dimension in (0, 1)

    @property
    def is_multi(self) -> bool:
        return self.geometry.startswith("Multi")

    @property
    def has_geometry(self) -> bool:
        return self.geometry != "None"

    @property
    def dimension(self) -> int:
        """0 for points, 1 for lines, 2 for areas, -1 without geometry."""
        dimension = dimension_of(self.geometry)
        return -1 if dimension is None else dimension

    @property
    def is_network(self) -> bool:
        """Whether features are segments and nodes of a network: what a survey shows of it are its lines."""
        return bool(self.classes)

    @property
    def projects(self) -> tuple[str, ...]:
        """The fields that keep the numbers of several projects apart."""
        return tuple(name for name in self.prefix if name not in self.classes) if self.is_network else ()

    def name_in(self, lang: str) -> str:
        """Return how output names the layer: its title in Chinese, its id in English."""
        return self.title(lang) if lang == "zh" else self.id

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.fields)

    @property
    def stored_names(self) -> tuple[str, ...]:
        """The columns in which a store holds what features say, besides their geometry."""
        return (*self.field_names, *(each.name for each in self.former_fields), ATTRIBUTES)

    def title_of(self, properties: Mapping[str, Any], feature_id: Any, lang: str = "zh") -> str:
        """Return what a person would call a feature: the first of the label's fields that has a value, else its id.

        A code is called by its words.
        """
        fields = [field for name in self.label if (field := self.field_of(name)) and properties.get(name)]
        return next((field.word(properties[field.name], lang) for field in fields), str(feature_id))

    def field_of(self, name: str) -> Field | None:
        return next((each for each in self.fields if each.name == name), None)

    def column_of(self, name: str) -> Field | None:
        """Return the field, or former field, that a column of the store holds."""
        return next((each for each in (*self.fields, *self.former_fields) if each.name == name), None)

    @property
    def identity_field(self) -> str | None:
        return self.identity.removeprefix("field:") if self.identity.startswith("field:") else None


def _codes_text(field: Field) -> str:
    return listed_short([f"{code} {words('zh')}" for code, words in field.codes.items()], 80)
