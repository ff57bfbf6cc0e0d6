"""CQL2 text -> CQL2 JSON, by the Rust package `cql2` inside a fence.

What the fence is for (all measured on `cql2` 0.6):

- deep nesting ends the process, so brackets and chains of operators are counted before the parser sees them;
- a mistake inside n nested brackets costs 2^n steps, so every bracketed group is parsed alone, with a
  placeholder for each group inside it;
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

from twin_model.filter.errors import FilterSyntaxError, FilterTooDeep, FilterTooLong, InvalidLiteral, shown
from twin_model.filter.spatial import GEOMETRY_TYPES

__all__ = ["LARGEST_WHOLE_NUMBER", "MAX_TERMS", "json_from_text"]

LARGEST_WHOLE_NUMBER = 2**53
# The parser recurses over `a OR b OR c ...`: 50,000 terms end the process, 5,000 do not.
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
WKT_WORDS = frozenset(f"{kind.upper()}{suffix}" for kind in GEOMETRY_TYPES for suffix in ("", "Z", "M", "ZM"))
PLACEHOLDER = "\x01"
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


class Token(NamedTuple):
    kind: str
    text: str
    start: int

    @property
    def keyword(self) -> str:
        return self.text.upper() if self.kind == "word" else ""


@dataclass
class Bracket:
    """An open bracket: a group to be parsed alone, or part of the text around it (calls, lists, WKT)."""

    kind: Literal["group", "inline", "wkt"]
    start: int
    pieces: list[tuple[str, int]]
    is_array: bool = False


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
            bracket.is_array |= token.kind == "comma"
            bracket.pieces.append((_rewritten(token, bracket.kind, self.source), token.start))

    def _open(self, token: Token) -> None:
        kind = self._bracket_kind()
        if kind == "group":
            self.stack.append(Bracket(kind, token.start, []))
            return
        pieces = self.stack[-1].pieces
        pieces.append(("(", token.start))
        self.stack.append(Bracket(kind, token.start, pieces))

    def _bracket_kind(self) -> Literal["group", "inline", "wkt"]:
        before, last = self.previous
        if self.stack[-1].kind == "wkt" or last.keyword in WKT_WORDS:
            return "wkt"
        if last.keyword in ("Z", "M", "ZM") and before.keyword in WKT_WORDS:
            return "wkt"
        is_call = last.kind == "name" or (last.kind == "word" and last.keyword not in KEYWORDS)
        return "inline" if is_call or last.keyword == "IN" else "group"

    def _close(self, token: Token) -> None:
        bracket = self.stack.pop()
        if bracket.kind != "group":
            bracket.pieces.append((")", token.start))
            return
        self.parsed.append(self._parse(bracket, end=token.start))
        self.stack[-1].pieces.append((f' "{PLACEHOLDER}{len(self.parsed) - 1}" ', bracket.start))

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
        """Return `tree` with the groups in place of their placeholders."""
        match tree:
            case {"property": str(name)} if name.startswith(PLACEHOLDER):
                return self.parsed[int(name.removeprefix(PLACEHOLDER))]
            case dict():
                return {key: self._filled(value) for key, value in tree.items()}
            case list():
                return [self._filled(value) for value in tree]
        return tree

    def _explain(self, bracket: Bracket, end: int, error: BaseException) -> NoReturn:
        place = PLACE.search(str(error))
        if place is None:
            expected = (
                shown(error, limit=120) if type(error) is cql2.ParseError else "a filter that can be read"
            )
            fail(self.source, bracket.start, expected, cause=error)
        line, column = int(place[1]), int(place[2])
        text = "".join(piece for piece, _ in bracket.pieces)
        offset = (
            sum(len(one) for one in text.split("\n")[: line - 1]) + line - 1 + column - 1 - bracket.is_array
        )
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
    if text.isdecimal() and (len(text) > 16 + text.count("0") or int(text) > LARGEST_WHOLE_NUMBER):
        expected = f"a whole number up to {LARGEST_WHOLE_NUMBER}; CQL2 JSON carries larger ones"
        raise InvalidLiteral(kind="number", text=shown(text), expected=expected)
    if is_coordinate and "e" in text.lower():
        number = Decimal(text)
        if number and not -30 <= number.adjusted() <= 30:
            raise InvalidLiteral(kind="number", text=shown(text), expected="a coordinate")
        return format(number, "f")
    return text


def _has_control(text: str) -> bool:
    return any(ord(one) < 32 or ord(one) == 127 for one in text)


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
