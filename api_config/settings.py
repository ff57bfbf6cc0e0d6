"""The settings of the program: made once at the top; each with its default, its variable and its help in one line."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tiles.viewer_files import viewer_folder
from twin_model.errors import CalledWrongly

__all__ = ["Settings", "settings_from"]


def _setting(default: Any, variable: str, zh: str, en: str) -> Any:
    return field(default=default, metadata={"variable": variable, "zh": zh, "en": en})


@dataclass(frozen=True)
class Settings:
    """Everything that can be set from outside. Below `api_config` functions take plain arguments."""

    town: Path = _setting(Path("town"), "TWIN_TOWN", "城市库文件夹", "folder of the town")
    host: str = _setting("127.0.0.1", "TWIN_HOST", "监听地址", "address to listen on")
    port: int = _setting(8000, "TWIN_PORT", "端口", "port to listen on")
    workers: int = _setting(1, "TWIN_WORKERS", "进程数", "number of worker processes")
    url: str = _setting("", "TWIN_URL", "对外地址", "address clients see, when behind a proxy")
    proxies: tuple[str, ...] = _setting(
        (), "TWIN_PROXIES", "可信代理的地址，逗号分隔", "addresses of trusted proxies, separated by commas"
    )
    hosts: tuple[str, ...] = _setting(
        (), "TWIN_HOSTS", "客户端可用的主机名，逗号分隔", "host names that clients may use, separated by commas"
    )
    origins: tuple[str, ...] = _setting(
        ("*",),
        "TWIN_ORIGINS",
        "可跨域访问的网站，逗号分隔",
        "origins whose pages may read answers, separated by commas",
    )
    access_log: bool = _setting(
        False,
        "TWIN_ACCESS_LOG",
        "逐条记录访问（输出到标准输出）：yes 或 no",
        "a line for each request, on standard output: yes or no",
    )
    lang: str = _setting("", "TWIN_LANG", "语言 zh 或 en", "language, zh or en")
    page_limit: int = _setting(100, "TWIN_PAGE_LIMIT", "默认每页要素数", "features on a page by default")
    page_most: int = _setting(10_000, "TWIN_PAGE_MOST", "每页最多要素数", "most features on a page")
    filter_length: int = _setting(
        262_144, "TWIN_FILTER_LENGTH", "文本形式筛选条件的最大字符数", "longest filter as text, in characters"
    )
    search_kib: int = _setting(
        1024, "TWIN_SEARCH_KIB", "POST 查询正文的上限（KiB）", "longest body of a search by POST, KiB"
    )
    request_seconds: float = _setting(
        30.0, "TWIN_REQUEST_SECONDS", "每次请求的时限（秒）", "longest time to answer a request in, seconds"
    )
    feature_cache_mib: int = _setting(
        128, "TWIN_FEATURE_CACHE_MIB", "要素缓存（每进程，MiB）", "remembered features per process, MiB"
    )
    page_mib: int = _setting(
        64,
        "TWIN_PAGE_MIB",
        "每页数据的上限（MiB）；超过后由下一页继续",
        "largest page of features, MiB; the next page goes on behind it",
    )
    cache_mib: int = _setting(4096, "TWIN_CACHE_MIB", "缓存文件夹上限（MiB）", "size of the town's cache folder, MiB")
    download_mib: int = _setting(
        512, "TWIN_DOWNLOAD_MIB", "每次下载的数据上限（MiB）", "largest download over HTTP, MiB of rows before encoding"
    )
    tile_pages_mib: int = _setting(
        64, "TWIN_TILE_PAGES_MIB", "三维切片索引缓存（每进程，MiB）", "remembered pages of 3D tilesets per process, MiB"
    )
    tile_features: int = _setting(
        20_000, "TWIN_TILE_FEATURES", "每瓦片最多要素数", "most features in one layer of a tile"
    )
    viewer: Path = _setting(
        viewer_folder(),
        "TWIN_VIEWER",
        "三维场景（前端）文件夹",
        "folder of the built viewer",
    )
    jobs: int | None = _setting(
        None,
        "TWIN_JOBS",
        "同时读取的成果文件数（默认为处理器核数，最多 4；0 为不另开进程、不设限制）",
        "sources read at a time (default: the cores, four at most; 0: in the command's own process, without limits)",
    )
    read_memory_mib: int = _setting(
        0,
        "TWIN_READ_MEMORY_MIB",
        "读取每个成果文件的内存上限（MiB；0 为本机内存的四分之三，由各进程均分）",
        "memory to read one source with, MiB (0: three quarters of the machine's, shared by the jobs)",
    )
    read_seconds: int = _setting(
        3600, "TWIN_READ_SECONDS", "读取每个成果文件的时限（秒）", "time to read one source in, seconds"
    )
    author: str = _setting("", "TWIN_AUTHOR", "提交者", "name written into changesets")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _switch(text: str) -> bool:
    return {"1": True, "yes": True, "true": True, "on": True, "0": False, "no": False, "false": False, "off": False}[
        text.lower()
    ]


_KINDS: dict[str, Any] = {
    "proxies": _listed, "hosts": _listed, "origins": _listed,
    "town": Path, "viewer": Path, "port": int, "workers": int, "page_limit": int, "page_most": int,
    "filter_length": int, "search_kib": int, "tile_features": int, "tile_pages_mib": int, "feature_cache_mib": int, "page_mib": int, "request_seconds": float, "cache_mib": int, "download_mib": int,
    "jobs": int, "read_memory_mib": int, "read_seconds": int,
    "access_log": _switch,
}  # fmt: skip
_ZERO_IS_MEANT = frozenset({"jobs", "read_memory_mib", "feature_cache_mib", "cache_mib"})
"""Numbers that may be 0; all others are at least 1, what is measured in seconds with decimals more than 0."""
_HIGHEST = {"port": 65_535}


def settings_from(environment: Mapping[str, str], **given: Any) -> Settings:
    """Return the settings: what was given, else the environment's variable, else the default.

    Raises `CalledWrongly` for a value that a setting cannot have.
    """
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        raw = given.get(setting.name)
        raw = environment.get(setting.metadata["variable"]) if raw is None else raw
        if raw not in (None, ""):
            values[setting.name] = _read(setting.name, setting.metadata["variable"], raw)
    return Settings(**values)


def _read(name: str, variable: str, raw: Any) -> Any:
    """Return a value as its setting has it."""
    kind = _KINDS.get(name, str)
    try:
        value = kind(raw)
        if kind in (int, float) and not (_least(name) <= value <= _HIGHEST.get(name, sys.float_info.max)):
            raise ValueError(raw)
    except (ValueError, KeyError) as error:
        raise CalledWrongly("settings.invalid", variable=variable, value=str(raw), expected=_expected(name)) from error
    return value


def _least(name: str) -> float:
    if name in _ZERO_IS_MEANT:
        return 0
    return 1 if _KINDS[name] is int else sys.float_info.min


def _expected(name: str) -> str:
    """Return what a setting can be, in signs that every language has."""
    if _KINDS[name] is _switch:
        return "yes, no"
    if _KINDS[name] is float:
        return "> 0"
    return f"{_least(name)} ... {_HIGHEST[name]}" if name in _HIGHEST else f">= {_least(name)}"


def language(settings: Settings, environment: Mapping[str, str]) -> str:
    """Return "zh" or "en": the setting, else the locale."""
    if settings.lang in {"zh", "en"}:
        return settings.lang
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def user_name(settings: Settings) -> str:
    return settings.author or os.environ.get("USER") or os.environ.get("LOGNAME") or "twin"
