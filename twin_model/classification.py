"""What a layer is classed as (密级) and under which number its map was approved (审图号): the marking of all that leaves.

`town.toml` and the catalogue say it, `town.marking(layer)` gives it; files, names of files, pages and pictures carry it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from twin_model.layer import Layer, Text

__all__ = ["ALL_LAYERS", "CLASSES", "UNMARKED", "Marking", "class_of", "class_of_layer", "combined"]

ALL_LAYERS = "*"
"""The name under which `town.toml` says what holds for every layer that nothing else is said of."""

CLASSES: Mapping[str, Text] = {
    name: Text(name, english)
    for name, english in (("公开", "public"), ("内部", "internal"), ("秘密", "confidential"), ("机密", "secret"))
}
"""The classes from the lowest to the highest, by their Chinese name."""

_OPEN_UNTIL = "内部"
"""What is classed above this leaves only where somebody says that it may."""


@dataclass(frozen=True)
class Marking:
    """The class of a layer and its map approval number; "" where nobody has said one."""

    classification: str = ""
    approval: str = ""

    @property
    def is_restricted(self) -> bool:
        """Whether what leaves needs somebody's word that it may: it is classed above 内部."""
        return self.rank > list(CLASSES).index(_OPEN_UNTIL)

    @property
    def rank(self) -> int:
        """How high the class is: 0 for 公开 and upwards, -1 where none was said."""
        return list(CLASSES).index(self.classification) if self.classification else -1

    @property
    def facts(self) -> dict[str, str]:
        """What files say of it in their metadata, by name; empty where nothing is to be said."""
        named = {"密级": self.classification, "classification": self.class_in("en"), "审图号": self.approval}
        return {name: text for name, text in named.items() if text}

    def class_in(self, lang: str) -> str:
        """Return the class in a language ("zh" or "en"), "" where none was said."""
        return CLASSES[self.classification](lang) if self.classification else ""

    def text(self, lang: str) -> str:
        """Return the marking as one line, "" where there is none: "密级：内部　审图号：GS(2024)1号"."""
        titles = ("密级：{}", "审图号：{}") if lang == "zh" else ("Classification: {}", "Map approval number: {}")
        values = (self.class_in(lang), self.approval)
        lines = [title.format(value) for title, value in zip(titles, values, strict=True) if value]
        return ("　" if lang == "zh" else "; ").join(lines)


UNMARKED = Marking()


def combined(markings: Iterable[Marking]) -> Marking:
    """Return the marking of several layers together: the highest class, every map approval number."""
    each = list(markings)
    highest = max((marking.classification for marking in each), key=lambda name: Marking(name).rank, default="")
    return Marking(highest, ", ".join(dict.fromkeys(marking.approval for marking in each if marking.approval)))


def class_of(word: str) -> str:
    """Return the class that a word of either language names, by its Chinese name; ValueError for any other word."""
    for name, words in CLASSES.items():
        if word.strip().casefold() in (words.zh, words.en):
            return name
    raise ValueError(word)


def class_of_layer(layer: Layer, layers: Iterable[Layer], classes: Mapping[str, str]) -> str:
    """Return the class of a layer, "" where none was said: its own of `classes`, its catalogue's, that of all layers.

    `classes` are those of `town.toml`. Findings quote what they are about: they are classed as the highest of `layers`
    unless something is said of themselves.
    """
    own = classes.get(layer.id) or layer.classification
    if own:
        return own
    common = classes.get(ALL_LAYERS, "")
    if layer.id != "finding":
        return common
    all_classes = {common, *(classes.get(each.id) or each.classification for each in layers)}
    return max(all_classes, key=lambda name: Marking(name).rank)
