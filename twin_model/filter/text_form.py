"""CQL2 text -> CQL2 JSON, by the Rust package `cql2` inside a fence.

What the fence is for (all measured on `cql2` 0.6):

- deep nesting ends the process, so brackets and chains of operators are counted before the parser sees them;
- a mistake inside n nested brackets costs 2^n steps, so every bracket (a group, the arguments of a call, the
  list of IN, a geometry) is parsed alone, with a placeholder for each bracket inside it; only WKT keeps its
  inner brackets, and no more of them than its kind of geometry has;
- numbers become doubles, so whole numbers beyond 2^53 are refused instead of silently rounded;
- exponents in WKT, names that begin with `_` or `:` and the `\\'` escape are CQL2, but not read: they are
  rewritten.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple, NoReturn

import cql2

from twin_model.filter.errors import (
    FilterSyntaxError,
    FilterTooDeep,
    FilterTooLong,
    GeometryTooDeep,
    InvalidLiteral,
    shown,
)

__all__ = ["LARGEST_WHOLE_NUMBER", "MAX_TERMS", "json_from_text"]

LARGEST_WHOLE_NUMBER = 2**53
# The parser recurses over `a OR b OR c ...`: 50,000 terms end the process, 5,000 do not. Of JSON each value in a list of
# IN is a term too: PostgreSQL takes some ten thousands of parameters.
MAX_TERMS = 4_000
_TOKEN = r"""
  (?P<space>\s+)
| (?P<string>'(?>{quote}''|[^'])*+')
| (?P<name>"(?>""|[^"])*+")
| (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
| (?P<word>(?:[^\W\d]|:)[\w.:]*)
| (?P<operator><>|<=|>=|!=|[-+*/%^=<>])
| (?P<open>\()
| (?P<close>\))
| (?P<comma>,)
| (?P<other>.)
"""
PLAIN = re.compile(_TOKEN.format(quote=""), re.VERBOSE | re.DOTALL)
# The standard reads both '' and \' as a quote inside a text.
ESCAPED = re.compile(_TOKEN.format(quote=r"\\'|"), re.VERBOSE | re.DOTALL)
QUOTE = re.compile(r"\\'|''")
OPERATOR_WORDS = frozenset({"NOT", "LIKE", "IN", "IS", "BETWEEN", "DIV"})
KEYWORDS = OPERATOR_WORDS | {"AND", "OR", "NULL", "TRUE", "FALSE"}
# How deep brackets nest in the text of a geometry; MULTIPOINT((1 2), (3 4)) has two. A collection holds the
# other kinds, and the grammar of CQL2 has no collection in a collection.
WKT_LEVELS = {
    "POINT": 1,
    "LINESTRING": 1,
    "POLYGON": 2,
    "MULTIPOINT": 2,
    "MULTILINESTRING": 2,
    "MULTIPOLYGON": 3,
    "GEOMETRYCOLLECTION": 4,
}
WKT_SUFFIXES = ("Z", "M", "ZM")
WKT_WORDS = {f"{kind}{suffix}": kind for kind in WKT_LEVELS for suffix in ("", *WKT_SUFFIXES)}
# A placeholder is a quoted name that no text can hold, because control characters are refused.
PLACEHOLDER, LIST_PLACEHOLDER = "\x01", "\x02"
PLACE = re.compile(r"-->\s*(\d+):(\d+)")
EXPECTED = {
    "==": "= to compare",
    "ILIKE": "CASEI(name) LIKE CASEI('a%') to ignore case",
    "'": "a text in single quotes, with '' for a quote inside it",
    '"': "a property name in double quotes, closed",
    "；": "no semicolon",
    ";": "no semicolon",
    **dict.fromkeys("＝（），＞＜“”‘’", "ASCII punctuation"),
}


Kind = Literal["group", "call", "list", "wkt"]


class Token(NamedTuple):
    kind: str
    text: str
    start: int

    @property
    def keyword(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


@dataclass
class Bracket:
    """An open bracket and the pieces of text that are parsed when it closes.

    `pieces` of a call and of a geometry begin with their name; a bracket inside a geometry shares the pieces of
    the geometry. `start` is where the pieces begin in the source, `levels` how many more brackets may open.
    """

    kind: Kind
    start: int
    pieces: list[tuple[str, int]]
    has_comma: bool = False
    levels: int = 0
    is_inner: bool = False

    @property
    def is_array(self) -> bool:
        return self.has_comma and self.kind in ("group", "list")


@dataclass
class Nesting:
    """How deep the tree can be here: open brackets plus the operators chained at each of them."""

    source: str
    limit: int
    terms: int = 0
    chains: list[int] = field(default_factory=lambda: [0])
    betweens: list[int] = field(default_factory=lambda: [0])
    depth: int = 0

    def meet(self, token: Token) -> None:
        """Take `token` into account; raise when the tree may become too deep or too wide."""
        word = token.keyword
        if token.kind == "open":
            self._open()
        elif token.kind == "close":
            self._close(token)
        elif word in ("AND", "OR") or token.kind == "comma":
            self._join(word)
        elif token.kind == "operator" or word in OPERATOR_WORDS:
            self.chains[-1] += 1
            self.depth += 1
            self.betweens[-1] += word == "BETWEEN"
        if self.depth > self.limit:
            raise FilterTooDeep(limit=self.limit, position=token.start + 1)

    def _open(self) -> None:
        self.chains.append(0)
        self.betweens.append(0)
        self.depth += 1

    def _close(self, token: Token) -> None:
        if len(self.chains) == 1:
            fail(self.source, token.start, "an opening bracket before this closing one")
        self.betweens.pop()
        self.depth -= self.chains.pop() + 1

    def _join(self, word: str) -> None:
        if word == "AND" and self.betweens[-1]:
            self.betweens[-1] -= 1  # the AND of BETWEEN continues the chain
            return
        self.terms += word != ""
        if self.terms >= MAX_TERMS:
            raise FilterTooLong(length=self.terms + 1, limit=MAX_TERMS, unit="terms")
        self.depth -= self.chains[-1]
        self.chains[-1] = self.betweens[-1] = 0


def json_from_text(source: str, *, max_depth: int) -> Any:
    """Return the CQL2 JSON of a CQL2 text whose brackets and operator chains nest at most `max_depth` deep.

    Raises `FilterSyntaxError` with the position in `source`, `FilterTooDeep` or `FilterTooLong`.
    """
    try:
        return _Groups(source, max_depth).read(PLAIN)
    except FilterSyntaxError:
        if "\\'" not in source:
            raise
        # Only where a plain backslash gives no filter is \' the standard's other way to write a quote.
        return _Groups(source, max_depth).read(ESCAPED)


class _Groups:
    """One reading of a text: the stack of open brackets and the groups parsed so far."""

    def __init__(self, source: str, max_depth: int) -> None:
        self.source = source
        self.nesting = Nesting(source, max_depth)
        self.parsed: list[Any] = []
        self.stack = [Bracket("group", 0, [])]
        self.previous: list[Token] = [Token("", "", 0), Token("", "", 0)]

    def read(self, pattern: re.Pattern[str]) -> Any:
        for token in _tokens(self.source, pattern):
            self.nesting.meet(token)
            self._take(token)
            if token.kind != "space":
                self.previous = [self.previous[1], token]
        if len(self.stack) > 1:
            fail(self.source, len(self.source), "a closing bracket")
        return self._parse(self.stack[0])

    def _take(self, token: Token) -> None:
        if token.kind == "open":
            self._open(token)
        elif token.kind == "close":
            self._close(token)
        else:
            bracket = self.stack[-1]
            bracket.has_comma |= token.kind == "comma"
            bracket.pieces.append((_rewritten(token, bracket.kind, self.source), token.start))

    def _open(self, token: Token) -> None:
        kind, outer = self._bracket_kind(), self.stack[-1]
        if kind in ("group", "list"):
            self.stack.append(Bracket(kind, token.start, []))
            return
        if outer.kind == "wkt":
            bracket = Bracket(kind, token.start, outer.pieces, levels=outer.levels - 1, is_inner=True)
        else:
            pieces, levels = self._name(), self._levels()
            bracket = Bracket(kind, pieces[0][1], pieces, levels=levels)
        if kind == "wkt" and bracket.levels < 0:
            name = WKT_WORDS[bracket.pieces[0][0].upper()]
            raise GeometryTooDeep(kind=name, limit=WKT_LEVELS[name], position=token.start + 1)
        bracket.pieces.append(("(", token.start))
        self.stack.append(bracket)

    def _bracket_kind(self) -> Kind:
        last = self.previous[-1]
        if self.stack[-1].kind == "wkt" or self._geometry_word():
            return "wkt"
        if last.keyword == "IN":
            return "list"
        is_call = last.kind == "name" or (last.kind == "word" and last.keyword not in KEYWORDS)
        return "call" if is_call else "group"

    def _geometry_word(self) -> str:
        """Return the kind of the geometry whose first bracket opens here; empty for other brackets."""
        before, last = self.previous
        word = before.keyword if last.keyword in WKT_SUFFIXES else last.keyword
        return WKT_WORDS.get(word, "")

    def _levels(self) -> int:
        """Return how many brackets may open inside the one that opens here."""
        return WKT_LEVELS.get(self._geometry_word(), 1) - 1

    def _name(self) -> list[tuple[str, int]]:
        """Take the name of the call or geometry that opens here, with the spaces after it, from the text around it."""
        before, last = self.previous
        has_suffix = last.keyword in WKT_SUFFIXES and before.keyword in WKT_WORDS
        start, pieces = (before if has_suffix else last).start, self.stack[-1].pieces
        first = next(index for index in range(len(pieces) - 1, -1, -1) if pieces[index][1] == start)
        name, pieces[first:] = pieces[first:], []
        return name

    def _close(self, token: Token) -> None:
        bracket = self.stack.pop()
        if bracket.kind in ("call", "wkt"):
            bracket.pieces.append((")", token.start))
        if bracket.is_inner:
            return
        tree = self._parse(bracket, end=token.start)
        if bracket.kind != "list":
            self._put(tree, f' "{PLACEHOLDER}{len(self.parsed)}" ', bracket.start)
        else:
            elements = tree if bracket.is_array else [tree]
            self._put(elements, f' ("{LIST_PLACEHOLDER}{len(self.parsed)}") ', bracket.start)

    def _put(self, tree: Any, placeholder: str, start: int) -> None:
        """Keep what a bracket means, with a placeholder for it in the text around it."""
        self.parsed.append(tree)
        self.stack[-1].pieces.append((placeholder, start))

    def _parse(self, bracket: Bracket, end: int | None = None) -> Any:
        text = "".join(piece for piece, _ in bracket.pieces)
        end = len(self.source) if end is None else end
        try:
            tree = cql2.parse_text(f"({text})" if bracket.is_array else text).to_json()
        except BaseException as error:
            # A Rust panic arrives as a BaseException of its own; Ctrl-C and the like must pass.
            if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
                raise
            self._explain(bracket, end, error)
        return self._filled(tree)

    def _filled(self, tree: Any) -> Any:
        """Return `tree` with what was parsed in place of the placeholders."""
        match tree:
            case {"property": str(name)} if name.startswith(PLACEHOLDER):
                return self.parsed[int(name.removeprefix(PLACEHOLDER))]
            case [{"property": str(name)}] if name.startswith(LIST_PLACEHOLDER):
                return self.parsed[int(name.removeprefix(LIST_PLACEHOLDER))]
            case dict():
                return {key: self._filled(value) for key, value in tree.items()}
            case list():
                return [self._filled(value) for value in tree]
        return tree

    def _explain(self, bracket: Bracket, end: int, error: BaseException) -> NoReturn:
        place = PLACE.search(str(error))
        if place is None:
            expected = shown(error, limit=120) if type(error) is cql2.ParseError else "a filter that can be read"
            fail(self.source, bracket.start, expected, cause=error)
        line, column = int(place[1]), int(place[2])
        text = "".join(piece for piece, _ in bracket.pieces)
        offset = sum(len(row) for row in text.split("\n")[: line - 1]) + line - 1 + column - 1 - bracket.is_array
        fail(self.source, _source_position(bracket, offset, end), cause=error)


def _tokens(source: str, pattern: re.Pattern[str]) -> Iterator[Token]:
    for match in pattern.finditer(source):
        kind, text = match.lastgroup or "other", match[0]
        if kind == "string" and pattern is ESCAPED:
            text = "'" + QUOTE.sub("''", text[1:-1]) + "'"
        yield Token(kind, text, match.start())


def _rewritten(token: Token, kind: str, source: str) -> str:
    """Return the token as the parser reads it."""
    if token.kind == "number":
        return _number(token, is_coordinate=kind == "wkt")
    if token.kind == "word" and token.text[0] in "_:":
        return f'"{token.text}"'
    if token.kind in ("name", "other") and (token.text in "'\"" or _has_control(token.text)):
        fail(source, token.start, EXPECTED.get(token.text, "text without control characters"))
    return token.text


def _number(token: Token, *, is_coordinate: bool) -> str:
    text = token.text
    digits = text.lstrip("0")
    if text.isdecimal() and (len(digits) > 16 or int(digits or "0") > LARGEST_WHOLE_NUMBER):
        expected = f"a whole number up to {LARGEST_WHOLE_NUMBER}; CQL2 JSON carries larger ones"
        raise InvalidLiteral(kind="number", text=shown(text), expected=expected)
    if is_coordinate and "e" in text.lower():
        try:
            number = Decimal(text)
        except ArithmeticError:  # an exponent of so many digits that even Decimal has no such number
            number = Decimal("Infinity")
        if not number.is_finite() or (number and not -30 <= number.adjusted() <= 30):
            raise InvalidLiteral(kind="number", text=shown(text), expected="a coordinate")
        return format(number, "f")
    return text


def _has_control(text: str) -> bool:
    return any(ord(letter) < 32 or ord(letter) == 127 for letter in text)


def _source_position(bracket: Bracket, offset: int, end: int) -> int:
    """Return where in the source the `offset`-th character of a group's rewritten text comes from."""
    for piece, start in bracket.pieces:
        if offset < len(piece):
            return start + (offset if piece.strip() else 0)
        offset -= len(piece)
    return end


def fail(source: str, position: int, expected: str = "", *, cause: BaseException | None = None) -> NoReturn:
    """Raise `FilterSyntaxError` for a `position` (from 0) in `source`."""
    near = source[position : position + 24].strip() or "the end of the filter"
    known = next((words for start, words in EXPECTED.items() if near.upper().startswith(start)), "")
    if source[max(position - 1, 0) : position + 1] == "==":
        known = EXPECTED["=="]
    expected = expected or known or "a comparison such as storeys > 10, joined by AND, OR and NOT"
    raise FilterSyntaxError(position=position + 1, near=near, expected=expected) from cause
