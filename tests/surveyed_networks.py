"""Networks of pipes as offices survey and deliver them: numbers, rows and classes of their own, 3 cm of noise, and edits."""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from ingest.draft import Draft
from twin_model.changeset import Source, Version
from twin_model.plan import LayerPlan
from twin_model.store.base import Store
from twin_model.temporal import parse_instant
from twin_model.versioning import commit, plan_changeset

CRS = "EPSG:4548"
CLASSES = (("JS", None), ("PS", "YS"), ("PS", "WS"), ("RQ", "TR"))
Frames = dict[str, gpd.GeoDataFrame]


@dataclass
class Network:
    """Points by number with class and place; lines by their two numbers with size in mm, in the order surveyed."""

    points: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    lines: list[tuple[str, str, float, str]] = field(default_factory=list)
    project: str | None = "P1"

    def copy(self) -> "Network":
        return replace(self, points=dict(self.points), lines=list(self.lines))


def network(random: np.random.Generator, size: int = 4, east: float = 0.0) -> Network:
    """Return networks of several classes side by side, 3 m apart: in each, chains of points 20 to 30 m apart."""
    made = Network()
    for number in range(len(CLASSES)):
        x = 500_000.0 + east + np.cumsum(random.uniform(20.0, 30.0, size))
        names = [f"{CLASSES[number][1] or CLASSES[number][0]}{n}" for n in range(size)]
        y = 3_886_000.0 + 3.0 * number + random.uniform(-0.5, 0.5, size)
        made.points |= dict(zip(names, zip([number] * size, x.tolist(), y.tolist(), strict=True), strict=True))
        sizes = random.choice([100.0, 200.0, 300.0], size - 1).tolist()
        made.lines += [(a, b, mm, "0") for (a, b), mm in zip(itertools.pairwise(names), sizes, strict=True)]
    return made


def frames(
    net: Network,
    random: np.random.Generator,
    *,
    renumbered: bool = False,
    classes: str = "whole",
    noise: float = 0.0,
    lacking: tuple[str, ...] = (),
) -> Frames:
    """Return a network as an office delivers it: rows in any order, numbers of its own, classes as fine as it knows."""
    names = list(net.points)
    new = [names[n] for n in random.permutation(len(names))] if renumbered else names
    number = dict(zip(names, new, strict=True))
    place = {name: np.array([x, y]) + random.uniform(-noise, noise, 2) for name, (_, x, y) in net.points.items()}

    def classed(index: int) -> tuple[str | None, str | None]:
        major, sub = CLASSES[index]
        return {"whole": (major, sub), "parent": (major, None), "unknown": (None, None)}[classes]

    def frame(rows: list[dict[str, Any]], shapes: list[Any]) -> gpd.GeoDataFrame:
        made = gpd.GeoDataFrame(rows, geometry=shapes, crs=CRS)
        order = random.permutation(len(made))
        return made.iloc[order].drop(columns=[name for name in lacking if name in made])

    points = [
        {"survey_no": number[name], "project": net.project, "class": classed(index)[0], "subclass": classed(index)[1],
         "feature": "直线点", "road_name": "一路", "built": "2010-01-01"}
        for name, (index, _, _) in net.points.items()
    ]  # fmt: skip
    lines = [
        {"segment_key": "~".join(sorted((number[a], number[b]))), "project": net.project, "class": classed(net.points[a][0])[0],
         "subclass": classed(net.points[a][0])[1], "start_no": number[a], "end_no": number[b], "width_mm": mm, "height_mm": mm,
         "status": status, "material": "钢", "road_name": "一路", "built": "2010-01-01"}
        for a, b, mm, status in net.lines
    ]  # fmt: skip
    raised = {name: shapely.Point(*xy, 60.0) for name, xy in place.items()}
    axes = [shapely.LineString([(*place[a], 58.0), (*place[b], 58.0)]) for a, b, _, _ in net.lines]
    return {"pipe_point": frame(points, list(raised.values())), "pipe_line": frame(lines, axes)}


class Office:
    """Delivers frames into a store, as of later and later days."""

    def __init__(self, store: Store) -> None:
        self.store, self.day = store, 0

    def _changeset(self, name: str, delivered: Frames, **scope: Any) -> Any:
        self.day += 1
        day = parse_instant(f"20{10 + self.day // 300:02d}-{1 + self.day // 25 % 12:02d}-{1 + self.day % 25:02d}")[0]
        source = Source(name, f"{name} {self.day}")
        draft = Draft(source, self.store.catalogue, storage_crs=CRS, effective=day)
        for layer, frame in delivered.items():
            draft.add(layer, frame)
        return draft, draft.to_changeset(author="office", reason=name, accept_removals=True, **scope)

    def deliver(self, name: str, delivered: Frames, **scope: Any) -> Version:
        draft, changeset = self._changeset(name, delivered, **scope)
        with draft:
            return commit(self.store, changeset)

    def plan(self, name: str, delivered: Frames, **scope: Any) -> dict[str, LayerPlan]:
        draft, changeset = self._changeset(name, delivered, **scope)
        with draft:
            return plan_changeset(self.store, changeset)


def street(count: int, **columns: Any) -> Frames:
    """Return a straight gas main with a point every 20 m, numbered from 0."""
    names, x = [f"RQ{n}" for n in range(count)], 500_000.0 + 20.0 * np.arange(count)
    common = {"class": "RQ", "project": "P1"} | columns
    points = gpd.GeoDataFrame({"survey_no": names} | common, geometry=shapely.points(x, 3_886_000.0), crs=CRS)
    axes = [shapely.LineString([(a, 3_886_000.0), (b, 3_886_000.0)]) for a, b in itertools.pairwise(x)]
    keys = [f"{a}~{b}" for a, b in itertools.pairwise(names)]
    lines = gpd.GeoDataFrame({"segment_key": keys, "width_mm": 200.0} | common, geometry=axes, crs=CRS)
    return {"pipe_point": points, "pipe_line": lines}


def merged(frames: Frames) -> Frames:
    """Return a street of which the second and third line are one."""
    lines = frames["pipe_line"]
    axis = shapely.LineString([lines.geometry[1].coords[0], lines.geometry[2].coords[-1]])
    whole = lines.iloc[[1]].assign(segment_key="RQ1~RQ3").set_geometry([axis], crs=CRS)
    return {
        "pipe_point": frames["pipe_point"].drop(index=2),
        "pipe_line": gpd.pd.concat([lines.drop(index=[1, 2]), whole], ignore_index=True),
    }


def laid_anew(frames: Frames) -> Frames:
    """Return a street whose pipes lie in the same trench and end elsewhere."""
    x = [500_000.0, 500_050.0, 500_096.0, 500_140.0]
    axes = [shapely.LineString([(a, 3_886_000.0), (b, 3_886_000.0)]) for a, b in itertools.pairwise(x)]
    lines = frames["pipe_line"].iloc[:3].assign(segment_key=["N0~N1", "N1~N2", "N2~N3"]).set_geometry(axes, crs=CRS)
    points = frames["pipe_point"].iloc[:4].assign(survey_no=["N0", "N1", "N2", "N3"])
    return {"pipe_point": points.set_geometry(shapely.points(x, 3_886_000.0), crs=CRS), "pipe_line": lines}


def edited(net: Network, random: np.random.Generator) -> tuple[Network, dict[str, int]]:
    """Return a network with a line moved, one split, one removed, one new and one abandoned, and the kinds of its lines."""
    after = net.copy()
    moved, split, gone, abandoned = (after.lines[n] for n in random.permutation(4 * (len(net.lines) // 4))[:4])
    for name in moved[:2]:
        index, x, y = after.points[name]
        after.points[name] = (index, x, y + 1.0)
    neighbours = sum(bool({a, b} & set(moved[:2])) and (a, b) not in (gone[:2], split[:2]) for a, b, _, _ in net.lines)
    after.lines = [line for line in after.lines if line not in (split, gone)]
    index, x, y = after.points[split[0]]
    _, x2, y2 = after.points[split[1]]
    after.points["MID"] = (index, (x + x2) / 2, (y + y2) / 2)
    after.lines += [(split[0], "MID", *split[2:]), ("MID", split[1], *split[2:])]
    after.lines = [(*line[:3], "1") if line[:2] == abandoned[:2] else line for line in after.lines]
    after.points |= {"N1": (0, x, 3_885_900.0), "N2": (0, x + 25.0, 3_885_900.0)}
    after.lines.append(("N1", "N2", 100.0, "0"))
    return after, {"moved": neighbours, "split": 1, "abandoned": 1, "new": 1}
