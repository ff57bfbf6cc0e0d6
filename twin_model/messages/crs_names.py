"""How a coordinate system is called in a sentence: as its authority writes it, in Chinese as maps of China print it.

Everything else that is known of systems stands in `twin_model/crs.py`; this stands here because errors are worded below it.
"""

from functools import lru_cache

from pyproj import CRS
from pyproj.exceptions import CRSError

from twin_model.messages.fragments import in_chinese

__all__ = ["system_name"]


@lru_cache(maxsize=256)
def system_name(code: str, lang: str) -> str:
    """Return the name of a system given by its code or WKT; what is no system is returned as it was given."""
    try:
        name = str(CRS.from_user_input(code).name)
    except CRSError:
        return code
    if lang != "zh":
        return name
    return f"{in_chinese(name)}（{code}）" if code.startswith(("EPSG:", "OGC:")) else in_chinese(name)
