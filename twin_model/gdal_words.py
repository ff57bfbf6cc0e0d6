"""What GDAL says of a file, as a cause for our messages; its Chinese stands in `twin_model/messages/fragments.toml`."""

import ast
import re

__all__ = ["gdal_words"]

_MOST_SENTENCES = 2
_MOST_CHARACTERS = 200
_FUNCTION = re.compile(r"^\w+\(\): ")
_RAW = re.compile(r"Could not decode error message to UTF-8\. Raw error: (b(['\"]).*\2)$", re.DOTALL)


def gdal_words(text: str, folder: str = "") -> str:
    """Return GDAL's sentences joined by "; ", each once, without its functions, the source's folder and raw bytes.

    GDAL says the general sentence first ("Failed to read GeoJSON data"), then what the fault is, then what follows of it.
    """
    sentences = (_sentence(part.replace(f"{folder}/", "") if folder else part) for part in text.split("; "))
    distinct = list(dict.fromkeys(sentence for sentence in sentences if sentence))
    return "; ".join(sentence[:_MOST_CHARACTERS] for sentence in distinct[:_MOST_SENTENCES])


def _sentence(part: str) -> str:
    raw = _RAW.search(part.strip())
    if raw:
        part = ast.literal_eval(raw[1]).decode("utf-8", "replace")
    return re.sub(r"\s+", " ", _FUNCTION.sub("", part.strip())).rstrip(". ")
