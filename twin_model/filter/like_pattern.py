"""The pattern of LIKE: `%` is any text, `_` one character, a backslash takes the next character as it is."""

from collections.abc import Iterator

__all__ = ["to_glob", "to_like"]

GLOB_SPECIAL = "*?["


def to_glob(pattern: str) -> str:
    """Return the GLOB pattern that matches the same texts.

    SQLite's LIKE ignores the case of ASCII letters, CQL2's does not; GLOB compares as written.
    """
    return "".join(_glob(character, is_wildcard) for character, is_wildcard in _pieces(pattern))


def to_like(pattern: str) -> str:
    """Return `pattern` as PostgreSQL's LIKE reads it; a last backslash, which it refuses, is doubled."""
    return "".join(
        character if is_wildcard or character not in "%_\\" else f"\\{character}"
        for character, is_wildcard in _pieces(pattern)
    )


def _pieces(pattern: str) -> Iterator[tuple[str, bool]]:
    """Yield each character to match with whether it is a wildcard."""
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            yield next(characters, "\\"), False
        else:
            yield character, character in "%_"


def _glob(character: str, is_wildcard: bool) -> str:
    if is_wildcard:
        return "*" if character == "%" else "?"
    return f"[{character}]" if character in GLOB_SPECIAL else character
