"""CASEI and ACCENTI: texts without case and without accents, in Python for literals and as what each dialect calls."""

import unicodedata

from twin_model.filter.expression import Constant, FunctionCall, Scalar

__all__ = ["folded", "pattern_text", "without_accents"]


def folded(function: str, text: str) -> str:
    """Return `text` after "casei" (Unicode's full case folding: ß becomes ss) or "accenti"."""
    return text.casefold() if function == "casei" else without_accents(text)


def without_accents(text: str) -> str:
    """Return `text` without the combining marks of U+0300 to U+036F: é becomes e, 高铁 stays."""
    bare = (letter for letter in unicodedata.normalize("NFD", text) if not "\u0300" <= letter <= "\u036f")
    return unicodedata.normalize("NFC", "".join(bare))


def pattern_text(pattern: Scalar) -> str:
    """Return the pattern of LIKE with CASEI and ACCENTI applied; they leave wildcards and backslashes alone."""
    if isinstance(pattern, FunctionCall):
        return folded(pattern.function, pattern_text(pattern.argument))
    assert isinstance(pattern, Constant)  # the reader of LIKE admits nothing else
    return str(pattern.value)
