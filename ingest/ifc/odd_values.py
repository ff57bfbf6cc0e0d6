"""Attributes that hold what their schema forbids, found in the text of a file and unset before it is opened.

A value of another type, a reference to nothing or to an entity of another class, `*` for "unset", too few attributes,
a number that is none. The geometry kernel, written in C++, takes a value for what the schema says it is and ends the
process where it is something else; the parser gives the whole file up at 1.E400. All values are compared with the
schema by kinds (class, attribute, what it holds), of which there are few however many instances there are.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import ifcopenshell
import numpy as np
from numpy.typing import NDArray

from ingest.ifc.syntax import Numbers, numbers_at, text_for_numbers

__all__ = ["OddValue", "odd_values", "with_odd_values_unset"]

Fault = Literal["star", "reference", "value", "count", "number"]

_CLASS = re.compile(rb"=(\w*)\(")
_NO_NUMBER = re.compile(
    rb"(?:NAN|INF|nan|inf|NaN|Inf|#IND|#QNAN|#INF|[eE]\+?0*(?:30[89]|3[1-9][0-9]|[4-9][0-9]{2}|[1-9][0-9]{3,}))[,)]"
)
_STATEMENT = re.compile(rb"#(\d+)\s*=\s*(\w+)\s*\(((?:[^';]|'[^']*')*)\)\s*;")
_TOKEN = re.compile(rb"'[^']*'|[(),]|[^'(),]+")
_CHUNK = 1 << 24
_MOST_ATTRIBUTES = 128
_HASH, _STAR, _COMMA, _OPEN, _CLOSE = b"#*,()"
_UNSET = 0
_KINDS = ("", "reference", "text", "number", "word", "unset", "list", "typed", "bits")
"""What a value begins with says what it is; "" is none of them."""


def _kind_of_letter() -> NDArray[np.int64]:
    kinds = np.zeros(256, np.int64)
    for kind, letters in (
        ("reference", b"#"), ("text", b"'"), ("number", b"+-0123456789"), ("word", b"."), ("unset", b"$*"), ("list", b"("),
        ("typed", b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), ("bits", b'"'),
    ):  # fmt: skip
        kinds[list(letters)] = _KINDS.index(kind)
    return kinds


_KIND_OF_LETTER = _kind_of_letter()


@dataclass(frozen=True)
class OddValue:
    """An attribute (by position) of an instance that holds what it may not; `target` is the number it refers to.

    For "count" `attribute` is how many attributes the class has.
    """

    number: int
    attribute: int
    fault: Fault
    target: int = 0


def odd_values(data: bytes, defined: Numbers, schema: str) -> list[OddValue]:
    """Return the odd values of a data section without strings, comments and blanks.

    `defined` are the numbers of its instances as they come.
    """
    classes = _CLASS.findall(data)
    if len(classes) != len(defined):
        return []
    names = {name: at for at, name in enumerate(dict.fromkeys(classes), start=1)}
    held = np.fromiter((names[name] for name in classes), np.int64, len(classes))
    order = np.argsort(defined, kind="stable")
    table = _Table(defined[order], held[order], ["", *(name.decode() for name in names)], schema)
    return [odd for chunk in _chunks(data) for odd in table.odd_values(chunk)]


def _chunks(data: bytes) -> Iterator[bytes]:
    """Yield the data in pieces of whole instances, each ending with its semicolon."""
    start = 0
    while start < len(data):
        end = data.find(b";", start + _CHUNK) + 1 or len(data)
        yield data[start:end]
        start = end


@dataclass(frozen=True)
class _Values:
    """Values of a chunk: owner's number, position in it, and what is held (a class or a kind) as a number."""

    owners: Numbers
    attributes: Numbers
    held: Numbers


@dataclass(frozen=True)
class _Table:
    """Instance numbers (sorted), the class of each as a number, and the names of these."""

    numbers: Numbers
    classes: Numbers
    names: list[str]
    schema: str

    def class_of(self, numbers: Numbers) -> Numbers:
        """Return the class of instances, 0 for one that is not in the file."""
        at = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[at] == numbers, self.classes[at], _UNSET)

    def odd_values(self, chunk: bytes) -> Iterator[OddValue]:
        text = text_for_numbers(chunk)
        opens, commas = text == _OPEN, text == _COMMA
        depth = np.cumsum(opens.astype(np.int32) - (text == _CLOSE), dtype=np.int32)
        outer = np.flatnonzero((text == _HASH) & (depth == 0))
        if not len(outer) or not len(self.numbers):
            return
        commas &= depth == 1
        counted = np.cumsum(commas, dtype=np.int32)
        instances, _ = numbers_at(text, outer + 1)

        def values(at: NDArray[Any], held: Numbers) -> _Values:
            owner = np.searchsorted(outer, at) - 1
            return _Values(instances[owner], (counted[at] - counted[outer[owner]]).astype(np.int64), held)

        starts = np.flatnonzero(commas | (opens & (depth == 1))) + 1
        starts = starts[starts > outer[0]]
        held = _KIND_OF_LETTER[text[starts]]
        yield from self._odd(values(starts - 1, held), "value", self._may_hold)
        ends = np.append(outer[1:], len(text) - 1)
        counts = (counted[ends] - counted[outer]).astype(np.int64) + 1
        yield from self._odd(_Values(instances, np.zeros_like(counts), counts), "count", self._has_attributes)
        at = np.flatnonzero((text == _HASH) & (depth > 0))
        targets, _ = numbers_at(text, at + 1)
        yield from self._odd(values(at, self.class_of(targets)), "reference", self._may_refer, targets)
        at = np.flatnonzero((text == _STAR) & (depth > 0))
        yield from self._odd(values(at, np.zeros(len(at), np.int64)), "star", self._is_derived)
        at = np.array([match.start() for match in _NO_NUMBER.finditer(chunk)], dtype=np.int64)
        yield from self._odd(values(at, np.zeros(len(at), np.int64)), "number", lambda *_: False)

    def _odd(self, values: _Values, fault: Fault, fits: Any, targets: Numbers | None = None) -> Iterator[OddValue]:
        """Yield those values that do not fit; each kind is asked for once."""
        size = max(len(self.names), int(values.held.max(initial=0))) + 1
        owners = self.class_of(values.owners)
        keys = (owners * _MOST_ATTRIBUTES + np.minimum(values.attributes, _MOST_ATTRIBUTES - 1)) * size + values.held
        unique, inverse = np.unique(keys, return_inverse=True)
        wrong = np.zeros(len(unique), dtype=bool)
        for n, key in enumerate(unique.tolist()):
            rest, held = divmod(key, size)
            owner, attribute = divmod(rest, _MOST_ATTRIBUTES)
            entity = _entity(self.schema, self.names[owner]) if owner != _UNSET else None
            wrong[n] = entity is not None and not fits(entity, attribute, held)
        for n in np.flatnonzero(wrong[inverse.ravel()]).tolist():
            attribute = int(values.attributes[n])
            if fault == "count":
                attribute = _attribute_count(self.schema, self.names[int(owners[n])])
            yield OddValue(int(values.owners[n]), attribute, fault, 0 if targets is None else int(targets[n]))

    def _may_hold(self, entity: Any, attribute: int, held: int) -> bool:
        declared = entity.all_attributes()
        kind = _KINDS[held]
        return (
            attribute >= len(declared) or kind == "unset" or kind in _kinds_of(declared[attribute].type_of_attribute())
        )

    def _has_attributes(self, entity: Any, _: int, count: int) -> bool:
        return bool(entity.attribute_count() == count)

    def _is_derived(self, entity: Any, attribute: int, _: int) -> bool:
        derived = entity.derived()
        return attribute < len(derived) and bool(derived[attribute])

    def _may_refer(self, entity: Any, attribute: int, held: int) -> bool:
        """Return whether the schema lets an attribute hold an entity of a class, by itself or in a list."""
        target = _entity(self.schema, self.names[held]) if held != _UNSET else None
        if target is None:
            return False
        declared = entity.all_attributes()
        return attribute < len(declared) and _accepts(declared[attribute].type_of_attribute(), target)


@cache
def _entity(schema: str, name: str) -> Any | None:
    """Return the declaration of an entity, None where the schema has none of that name."""
    declared: Any = ifcopenshell.schema_by_name(schema)
    try:
        return declared.declaration_by_name(name).as_entity()
    except RuntimeError:
        return None


def _attribute_count(schema: str, name: str) -> int:
    entity = _entity(schema, name)
    return 0 if entity is None else int(entity.attribute_count())


_SIMPLE = {
    "string": "text", "real": "number", "integer": "number", "number": "number", "boolean": "word", "logical": "word", "binary": "bits",
}  # fmt: skip


def _kinds_of(kind: Any) -> set[str]:
    """Return what a declared type may be written as; a select takes a measure without its type as well."""
    if kind.as_aggregation_type():
        return {"list"}
    if kind.as_simple_type():
        return {_SIMPLE[kind.as_simple_type().declared_type()]}
    return _kinds_of_declared(kind.as_named_type().declared_type())


def _kinds_of_declared(declared: Any) -> set[str]:
    if declared.as_entity():
        return {"reference"}
    if declared.as_enumeration_type():
        return {"word"}
    if declared.as_select_type():
        kinds = set().union(*(_kinds_of_declared(each) for each in declared.as_select_type().select_list()))
        return kinds | ({"typed"} if kinds - {"reference"} else set())
    return _kinds_of(declared.as_type_declaration().declared_type())


def _accepts(kind: Any, target: Any) -> bool:
    """Return whether a declared type is, or holds, or selects the class of an entity."""
    if kind.as_aggregation_type():
        return _accepts(kind.as_aggregation_type().type_of_element(), target)
    return bool(kind.as_named_type()) and _accepts_declared(kind.as_named_type().declared_type(), target)


def _accepts_declared(declared: Any, target: Any) -> bool:
    if declared.as_entity():
        return bool(target._is(declared.name()))
    if declared.as_select_type():
        return any(_accepts_declared(each, target) for each in declared.as_select_type().select_list())
    return bool(declared.as_type_declaration()) and _accepts(declared.as_type_declaration().declared_type(), target)


def with_odd_values_unset(content: bytes, values: Collection[OddValue]) -> tuple[bytes, dict[OddValue, str]]:
    """Return a file in which odd values are unset, and the instances that hold them as the file writes them.

    A wrong member of a list is taken out of it, any other odd value becomes `$`; attributes too few are added as `$`.
    """
    of_instance: dict[bytes, list[OddValue]] = {}
    for odd in values:
        of_instance.setdefault(str(odd.number).encode(), []).append(odd)
    words: dict[OddValue, str] = {}

    def mended(statement: "re.Match[bytes]") -> bytes:
        odd_ones = of_instance.get(statement[1].lstrip(b"0"))
        if odd_ones is None:
            return statement[0]
        words.update(dict.fromkeys(odd_ones, b" ".join(statement[0].rstrip(b";").split()).decode("ascii", "replace")))
        return b"#%s=%s(%s);" % (statement[1], statement[2], b",".join(_mended(_split(statement[3]), odd_ones)))

    return _STATEMENT.sub(mended, content), words


def _split(inner: bytes) -> list[bytes]:
    """Return the attributes of an instance as they are written."""
    parts, depth = [b""], 0
    for token in _TOKEN.findall(inner):
        depth += {b"(": 1, b")": -1}.get(token, 0)
        if token == b"," and not depth:
            parts.append(b"")
        else:
            parts[-1] += token
    return [part.strip() for part in parts]


def _mended(parts: list[bytes], values: list[OddValue]) -> list[bytes]:
    for odd in values:
        if odd.fault == "count":
            parts = [*parts, *[b"$"] * (odd.attribute - len(parts))][: odd.attribute]
        elif odd.attribute < len(parts):
            held = parts[odd.attribute]
            parts[odd.attribute] = _without(held, odd.target) if odd.target and held.startswith(b"(") else b"$"
    return parts


def _without(held: bytes, number: int) -> bytes:
    """Return a list without the references to a number."""
    members = [member.strip() for member in held[1:-1].split(b",")]
    return b"(" + b",".join(member for member in members if member != b"#%d" % number) + b")"
