"""How a town is shown: itself in a notebook, as a map of any frames, over HTTP from a service of its own.

Maps are drawn in `tiles/notebook_map.py`, the service is `api_config/notebook_service.py`'s; both are called through `above`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import geopandas as gpd

from twin_model.desk.above import RunningService, TownMap, above
from twin_model.desk.opened import OpenedTown
from twin_model.desk.plain_errors import plainly
from twin_model.desk.plot_style import use_plot_style
from twin_model.desk.shown import town_html, town_text

__all__ = ["Showing"]


class Showing(OpenedTown):
    """The part of a town that shows."""

    @plainly
    def serve(self, port: int | None = None) -> RunningService:
        """Return the town's service, started in a process of its own on 127.0.0.1, once it answers.

        `port` is free to choose; without it any free one is taken. The service ends with the `with` block, with `stop()`,
        when nobody holds the object any more, and with this Python at the latest. It takes a second or two to start.
        Raises `CalledWrongly` for a port that is taken, `ServiceFailed` with the service's last lines if it does not start.

        >>> with town.serve() as service:
        ...     len(gpd.read_file(f"OAPIF:{service.url}", layer="building"))
        2
        """
        service: RunningService = above("serve")(self, port)
        return service

    @plainly
    def map(
        self,
        layers: str | gpd.GeoDataFrame | gpd.GeoSeries | Sequence[Any] | Mapping[str, Any],
        *,
        column: str | None = None,
        palette: str | Sequence[str] | Mapping[Any, str] | None = None,
        breaks: str | Sequence[Any] = "quantile",
        legend: bool = True,
        ground: Callable[[Any, Any], Any] | float | None = None,
        flat: bool = False,
        at: str | date | None = None,
        as_known: int | str | None = None,
        lang: str | None = None,
        height: int = 520,
    ) -> TownMap:
        """Return a map of any frames and layers, in three dimensions or `flat`; it needs no network.

        `layers` is a layer (by id or title), a frame of any CRS, a list of them, or frames by their titles; a title that is
        a layer's draws the frame as that layer. Areas of a frame with a column `height` (metres) are raised.

        `column` colours what has it, by name or title: numbers and times in classes (`breaks`: "quantile", "equal" or their
        borders), texts and codes by value. `palette` is "heat", "blues", "greens", "viridis" or "diverging", colours
        "#rrggbb" from low to high, or the colour of each value. `ground` is a height or a function of x, y; the town's own
        ground if left out. `at` and `as_known` are the valid and the recorded time of layers given by name. `height` is in
        pixels. Raises `QueryRefused` for a column that nothing has and for more than 2 million corners.

        >>> town.map("建筑物", column="地上层数").to_html("buildings.html").name
        'buildings.html'
        """
        shown: TownMap = above("map")(
            self,
            layers,
            column=column,
            palette=palette,
            breaks=breaks,
            legend=legend,
            ground=ground,
            flat=flat,
            at=at,
            as_known=as_known,
            lang=lang,
            height=height,
        )
        return shown

    @plainly
    def plot_style(self) -> str:
        """Give matplotlib a Chinese font and the house's look for this session; return the language for labels.

        That is the town's, or "en" where no Chinese font is installed, which is said once. Raises `PackageMissing`
        without matplotlib.

        >>> town.catalogue["building"].title(town.plot_style()) in ("建筑物", "Buildings")
        True
        """
        return use_plot_style(self.lang)

    def __repr__(self) -> str:
        return town_text(self.settings, self.store, self.lang)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: name, CRS, newest version, what the town holds, and a small map."""
        return town_html(self.settings, self.store, self.lang, self.extent)
