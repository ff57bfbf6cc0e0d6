"""What `town.toml` says of a town: read, checked key by key, written for a new town.

How a town is opened and asked stands in `twin_model/town.py`.
"""

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from twin_model.catalogue import Catalogue
from twin_model.classification import ALL_LAYERS, class_of
from twin_model.crs import (
    crs_code,
)
from twin_model.errors import CalledWrongly, CatalogueError, TownNotFound
from twin_model.layer import Text
from twin_model.messages import LANGUAGES
from twin_model.toml_text import toml_text

__all__ = ["TOWN_FILE", "TownSettings", "ensure_known_layers", "read_settings", "settings_text"]

TOWN_FILE = "town.toml"


@dataclass(frozen=True)
class TownSettings:
    """What `town.toml` says. `height_offset` is added to every height that leaves for a globe, or is 0 for all.

    `classification` and `map_approval` are by layer, what holds for all others under "*".
    """

    name: Text
    crs: str
    store: str = "store.gpkg"
    timezone: str = "Asia/Shanghai"
    height_datum: str = "1985国家高程基准"
    height_offset: float = 0.0
    storey_height: float = 3.0
    languages: tuple[str, ...] = ("zh", "en")
    publish_underground: bool = False
    closed: tuple[str, ...] = ()
    classification: Mapping[str, str] = field(default_factory=dict)
    map_approval: Mapping[str, str] = field(default_factory=dict)
    scenes: tuple[Mapping[str, Any], ...] = ()


def read_settings(folder: Path) -> TownSettings:
    path = folder / TOWN_FILE
    if not path.is_file():
        raise TownNotFound(path=str(folder))
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CalledWrongly("town.invalid", path=str(folder), key=str(error), expected="TOML") from error
    unknown = sorted(set(table) - set(_READERS))
    if unknown or "name" not in table or "crs" not in table:
        raise CalledWrongly("town.invalid", path=str(folder), key=unknown or "name, crs", expected=sorted(_READERS))
    return TownSettings(**{key: _setting(folder, key, value) for key, value in table.items()})


def _setting(folder: Path, key: str, value: Any) -> Any:
    expected, read = _READERS[key]
    try:
        return read(value)
    except (TypeError, ValueError, KeyError, OSError) as error:
        raise CalledWrongly("town.invalid", path=str(folder), key=f"{key} = {value!r}", expected=expected) from error


def ensure_known_layers(
    folder: Path, settings: TownSettings, catalogue: Catalogue, left_out: Mapping[str, CatalogueError]
) -> None:
    """Refuse a layer that does not exist: a slip of the pen in `closed` would leave a layer open to everybody.

    A layer that was left out may be named.
    """
    named = (
        ("closed", settings.closed),
        ("classification", tuple(settings.classification)),
        ("map_approval", tuple(settings.map_approval)),
    )
    for key, layers in named:
        known = {ALL_LAYERS} if key != "closed" else set()
        unknown = [layer for layer in layers if layer not in catalogue and layer not in left_out and layer not in known]
        if unknown:
            nearest = get_close_matches(unknown[0], catalogue.layers, 3, 0.4) or sorted(catalogue.layers)
            raise CalledWrongly("town.invalid", path=str(folder), key=f"{key} names {unknown}", expected=nearest)


def _kind(*kinds: type) -> Callable[[Any], Any]:
    """Return a reader that takes a TOML value of these kinds as it is; true and false are no numbers."""

    def read(value: Any) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise TypeError(value)
        return value

    return read


def _name(value: Any) -> Text:
    table = value if isinstance(value, dict) else {"zh": value, "en": value}
    if set(table) - {"zh", "en"} or not any(table.values()):
        raise ValueError(value)
    return Text(*(_kind(str)(table.get(lang, "")) for lang in ("zh", "en")))


def _metres(value: Any) -> float:
    number = float(_kind(int, float)(value))
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _height(value: Any) -> float:
    metres = _metres(value)
    if metres <= 0:
        raise ValueError(value)
    return metres


def _languages(value: Any) -> tuple[str, ...]:
    languages = _texts(value)
    if not languages or not set(languages) <= set(LANGUAGES) or len(set(languages)) < len(languages):
        raise ValueError(value)
    return languages


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_kind(str)(text) for text in _kind(list)(value))


def _by_layer(value: Any) -> dict[str, str]:
    """Return texts by layer; a text alone holds for all layers."""
    table = {ALL_LAYERS: value} if isinstance(value, str) else _kind(dict)(value)
    return {layer: _kind(str)(text) for layer, text in table.items()}


def _classes(value: Any) -> dict[str, str]:
    return {layer: class_of(word) for layer, word in _by_layer(value).items()}


def _time_zone(value: Any) -> str:
    return ZoneInfo(_kind(str)(value)).key


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ('a text, or { zh = "...", en = "..." }', _name),
    "crs": ('a code such as "EPSG:4548"', lambda value: crs_code(_kind(str, int)(value))),
    "store": ("a path, or postgresql://...", _kind(str)),
    "timezone": ('a name such as "Asia/Shanghai"', _time_zone),
    "height_datum": ("a text", _kind(str)),
    "height_offset": ("metres", _metres),
    "storey_height": ("metres above 0", _height),
    "languages": ('a list such as ["zh", "en"]', _languages),
    "publish_underground": ("true or false", _kind(bool)),
    "closed": ("a list of layers", _texts),
    "classification": ('"公开", "内部", "秘密" or "机密", or a table of layers and these', _classes),
    "map_approval": ("a number, or a table of layers and numbers", _by_layer),
    "scenes": ("a list of tables", lambda value: tuple(_kind(dict)(table) for table in _kind(list)(value))),
}
"""What each key of `town.toml` expects, in words and as its reader."""


def settings_text(name: str, crs: str, store: str) -> str:
    return f"""# 城市库设置：名称、坐标系、高程；未写的项取默认值（见说明书“城市库文件夹”）。
# The town. Names, storage CRS and heights; everything else has a default (see README, The town's folder).
name = {{ zh = {toml_text(name)}, en = {toml_text(name)} }}    # 名称 name
crs = {toml_text(crs)}             # 数据库坐标系，建库后不可更改 storage CRS, fixed once the store is made
store = {toml_text(store)}          # 数据库：文件或 PostgreSQL 地址 store: a file or a PostgreSQL address
timezone = "Asia/Shanghai"     # 时区 time zone
height_datum = "1985国家高程基准"    # 高程基准 height datum
height_offset = 0.0            # 高程异常（米），输出到三维地球时加到高程上 added to every height that leaves for a globe
storey_height = 3.0            # 按层数推算高度时的层高（米） storey height where only storeys are known
publish_underground = false    # true 表示对外发布地下管线 true publishes pipelines on an address that is not loopback
closed = []                    # 不对所有人开放的图层 layers that are not open to everybody
# classification = "内部"       # 密级：公开、内部、秘密、机密；分图层写 {{ "*" = "内部", pipe_line = "秘密" }} class of all layers, or by layer
# map_approval = "GS(2026)1号"  # 审图号，可同样分图层写 map approval number, of all or by layer
"""
