"""The whole town in one value: everything the offices draw, survey or plan."""

from collections.abc import Callable
from dataclasses import dataclass

from shapely import Polygon, union_all

from data_samples.plan.blocks import Block, build_blocks
from data_samples.plan.buildings import Building, build_buildings
from data_samples.plan.frame import Sheet, sheets
from data_samples.plan.gravity import survey_sewer, survey_storm
from data_samples.plan.greenery import (
    CarPark,
    Green,
    Lamp,
    Tree,
    build_car_parks,
    build_greens,
    build_lamps,
    build_trees,
)
from data_samples.plan.pipes import Survey
from data_samples.plan.pressure import survey_power, survey_water
from data_samples.plan.rail import Station, build_station
from data_samples.plan.streets import Street, bridges, build_streets
from data_samples.plan.water import Waters, build_waters

VERSION = "2026-11"


@dataclass(frozen=True)
class Town:
    """The plan; frozen, and the same on every run."""

    sheets: list[Sheet]
    waters: Waters
    station: Station
    streets: list[Street]
    bridges: list[tuple[Street, Polygon]]
    blocks: list[Block]
    buildings: list[Building]
    trees: list[Tree]
    lamps: list[Lamp]
    greens: list[Green]
    car_parks: list[CarPark]
    surveys: dict[str, Survey]


def build_town(tell: Callable[[str], None] = lambda _: None) -> Town:
    """Return the plan; `tell` hears the name of each part before it is made."""
    tell("water, rail and streets")
    waters, station, streets = build_waters(), build_station(), build_streets()
    tell("blocks and buildings")
    blocks = build_blocks(streets, waters, station)
    buildings = build_buildings(blocks, waters)
    tell("trees, lamps and greens")
    wet = union_all([polygon for _, _, polygon in waters.areas])
    lamps = build_lamps(streets, wet)
    trees = build_trees(streets, blocks, buildings, waters)
    car_parks = build_car_parks(blocks, buildings)
    greens = build_greens(blocks, buildings, waters, [park.area for park in car_parks])
    tell("pipes")
    return Town(
        sheets(),
        waters,
        station,
        streets,
        bridges(streets, waters),
        blocks,
        buildings,
        trees,
        lamps,
        greens,
        car_parks,
        build_surveys(streets),
    )


def build_surveys(streets: list[Street]) -> dict[str, Survey]:
    """Return the four surveys; the drains come first, because the others keep clear of them."""
    storm, gullies = survey_storm(streets)
    water = survey_water(streets, gullies)
    return {"JS": water, "YS": storm, "WS": survey_sewer(streets, storm), "DL": survey_power(streets)}
