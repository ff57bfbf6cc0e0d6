"""A town that is open: its folder, settings and store, its catalogue as the files are at this moment, and how one looks at it.

`Town` adds what is asked (`asking`), measured (`measuring`), shown (`showing`) and written (`writing`).
"""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np

from twin_model.catalogue import Catalogue
from twin_model.changeset import Box
from twin_model.classification import ALL_LAYERS, Marking, class_of_layer
from twin_model.crs import (
    CRS84,
    placed_bounds,
)
from twin_model.desk.names import layer_named
from twin_model.desk.notices import notice
from twin_model.desk.plain_errors import plainly
from twin_model.desk.question import Time, time_words
from twin_model.errors import CatalogueError
from twin_model.layer import Layer
from twin_model.messages import render
from twin_model.query_area import seen_extent
from twin_model.store.base import Store
from twin_model.temporal import parse_instant, parse_when
from twin_model.town_catalogue import (
    CatalogueReading,
    CatalogueWatch,
    FollowedCatalogue,
)
from twin_model.town_settings import TownSettings
from twin_model.view import OPEN, Policy, View

__all__ = ["OpenedTown", "now_called"]

_NUMBER = re.compile("[0-9]{1,9}")


class OpenedTown:
    """What every part of a town stands on. Closes its store when left as a context."""

    def __init__(
        self,
        path: Path,
        settings: TownSettings,
        catalogue: Catalogue,
        store: Store,
        left_out: Mapping[str, CatalogueError] = {},
        watch: CatalogueWatch | None = None,
    ) -> None:
        self.path, self.settings, self.store = path, settings, store
        reading = CatalogueReading(catalogue, dict(left_out))
        self._followed = FollowedCatalogue(path, settings, store, reading, watch or CatalogueWatch(path / "catalogue"))

    @property
    def catalogue(self) -> Catalogue:
        """Every layer that the town describes, as the files in `catalogue/` are at this moment."""
        self.follow()
        return self._followed.catalogue

    @property
    def left_out(self) -> Mapping[str, CatalogueError]:
        """The results whose tables are no layers, with what is wrong in each."""
        return self._followed.left_out

    def follow(self) -> None:
        """Take over what others have put into `catalogue/` since; every method begins so. Costs one look at a folder.

        A table that cannot be used is named by one warning, and the town goes on with what it had.
        """
        self._followed.follow()

    def _named(self, layer: str) -> Layer:
        """Return a layer of the store by id or title, as the catalogue is at this moment."""
        self.follow()
        return layer_named(self.store.catalogue, layer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def remarks(self, lang: str) -> list[str]:
        """Return a sentence for each layer that was left out when the town was opened."""
        return [render("catalogue.left_out", lang, {"cause": error.text(lang)}) for error in self.left_out.values()]

    @property
    def lang(self) -> str:
        """The language in which the town shows itself: the first of `languages` in town.toml."""
        return self.settings.languages[0] if self.settings.languages else "zh"

    @property
    def cache(self) -> Path:
        """The folder that may be deleted at any time."""
        return self.path / "cache"

    def marking(self, layer: Layer) -> Marking:
        """Return the class (密级) of a layer and its map approval number (审图号), as town.toml and the catalogue say."""
        classes, numbers = self.settings.classification, self.settings.map_approval
        number = numbers.get(layer.id) or layer.map_approval or numbers.get(ALL_LAYERS, "")
        return Marking(class_of_layer(layer, self.store.catalogue, classes), number)

    @plainly
    def view(
        self,
        at: Time | None = None,
        as_known: Time | int | None = None,
        policy: Policy = OPEN,
        *,
        datetime: Time | None = None,
        recorded: Time | int | None = None,
    ) -> View:
        """Return the view for a valid time and a recorded state; both default to now.

        `at` is a day, an instant or an interval ("a/b", "a/..", or a pair), as text or anything of `datetime`, numpy or
        pandas; `as_known` is the number of a version, or a day or an instant: the newest version of then. Days are the
        town's. `datetime` and `recorded` are the former names of both. Raises `QueryRefused` for what is no time, and
        for a version that is not there.
        """
        at, as_known = (
            now_called("at", at, "datetime", datetime),
            now_called("as_known", as_known, "recorded", recorded),
        )
        self.follow()
        zone = self.settings.timezone
        version = int(as_known) if isinstance(as_known, int | np.integer) else None
        if version is None and as_known is not None:
            text = time_words(as_known) or ""
            version = int(text) if _NUMBER.fullmatch(text) else self.store.recorded_at(parse_instant(text, zone)[0])
        if version is not None:
            self.store.ensure_version(version)
        return View(parse_when(time_words(at), zone), version, policy)

    def look(
        self, datetime: str | date | None = None, recorded: int | str | None = None, policy: Policy = OPEN
    ) -> View:
        """Return the same as `view`, which is its name now."""
        notice("desk.renamed", category=DeprecationWarning, before="Town.look", now="Town.view")
        return self.view(datetime, recorded, policy)

    @plainly
    def extent(self, crs: str = CRS84, policy: Policy = OPEN) -> Box | None:
        """Return the box of everything a looker may see of the town, None where that is nothing.

        A layer some of which has no place on the globe is left out: it would draw the town out to nowhere.
        """
        layers = [layer.id for layer in self.store.catalogue if policy.admits(layer.id)]
        extents = [seen_extent(self.store, layer, policy) for layer in layers]
        boxes = [extent for extent in extents if extent and placed_bounds(extent, self.store.crs, CRS84)]
        if not boxes:
            return None
        west, south = (min(box[axis] for box in boxes) for axis in (0, 1))
        east, north = (max(box[axis] for box in boxes) for axis in (2, 3))
        return placed_bounds((west, south, east, north), self.store.crs, crs)


def now_called(name: str, value: Any, former: str, former_value: Any) -> Any:
    """Return a value, or that of the parameter's former name with a warning."""
    if former_value is None:
        return value
    notice("desk.renamed", category=DeprecationWarning, before=f"{former}=", now=f"{name}=")
    return former_value
