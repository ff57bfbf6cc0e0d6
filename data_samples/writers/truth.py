"""`town_plan.json`: what the plan holds, for tests to compare a delivery, a store or a scene with."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from data_samples.plan.control import control_lines, planning_area, projects
from data_samples.plan.frame import EPSG, TOWN_EN, TOWN_ZH, Sheet, extent
from data_samples.plan.pipes import Survey
from data_samples.plan.relief import contours, covered, spot_heights
from data_samples.plan.station_parts import station_parts
from data_samples.plan.streets import road_areas
from data_samples.plan.town import VERSION, Town
from data_samples.writers.ifc_station import global_id
from data_samples.writers.sheet_frame import SURVEYED
from data_samples.writers.topo_sheets import LOWER_CASE_SHEET, WELLS, traffic_signals

Facts = dict[str, object]


def write_truth(town: Town, path: Path) -> None:
    """Write the facts as JSON with Chinese characters as themselves."""
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(facts(town), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def facts(town: Town) -> Facts:
    """Return everything the tests may rely on."""
    return {
        "plan_version": VERSION,
        "name": {"zh": TOWN_ZH, "en": TOWN_EN},
        "epsg": EPSG,
        "extent": list(extent().bounds),
        "heights": "1985 national height datum",
        "topo": _topo(town),
        "shapefiles": {
            "道路面": len(road_areas(town.streets)),
            "水域面": len(town.waters.areas),
            "绿地面": len(town.greens),
            "路灯": len(town.lamps),
            "停车场": len(town.car_parks),
        },
        "planning": _planning(town),
        "survey": {service: _survey(survey) for service, survey in town.surveys.items()},
        "ifc": _ifc(town),
        "probes": _probes(town),
    }


def _topo(town: Town) -> Facts:
    trim = covered(town.buildings, town.waters)
    middles = shapely.points([b.footprint.representative_point().coords[0] for b in town.buildings])
    sheets = [_sheet(town, sheet, middles, trim) for sheet in town.sheets]
    keys = ("buildings", "courtyards", "contours", "spot_heights")
    return {
        "sheets": sheets,
        "totals": {key: sum(int(str(s[key])) for s in sheets) for key in keys},
        "buildings": _buildings(town),
        "street_lamps": len(town.lamps),
        "traffic_signals": len(traffic_signals(town.streets)),
        "surface_marks": dict(sorted(_marks(town).items())),
        "lower_case_sheet": f"{LOWER_CASE_SHEET[0]}/{LOWER_CASE_SHEET[1]}",
    }


def _sheet(town: Town, sheet: Sheet, middles: np.ndarray, trim: BaseGeometry) -> Facts:
    inside = [town.buildings[i] for i in np.flatnonzero(shapely.contains(sheet.neatline, middles))]
    curves = contours(sheet, trim)
    return {
        "file": f"topo/{sheet.scale}/{sheet.number}.dxf",
        "number": sheet.number,
        "scale": sheet.scale,
        "neatline": list(sheet.neatline.bounds),
        "survey_date": SURVEYED[sheet.scale].isoformat(),
        "buildings": len(inside),
        "courtyards": sum(len(b.footprint.interiors) for b in inside),
        "contours": len(curves),
        "contour_heights": sorted({c.height for c in curves}),
        "spot_heights": len(spot_heights(sheet, trim)),
    }


def _buildings(town: Town) -> Facts:
    return {
        "total": len(town.buildings),
        "by_label": dict(Counter(b.label for b in town.buildings)),
        "by_structure": dict(Counter(b.structure for b in town.buildings)),
        "with_text": sum(b.label != "none" for b in town.buildings),
        "without_text": sum(b.label == "none" for b in town.buildings),
        "with_basement": sum(b.basements > 0 for b in town.buildings),
        "towers_on_podium": sum(bool(b.stands_on) for b in town.buildings),
        "footprint_area_m2": round(sum(b.footprint.area for b in town.buildings if not b.stands_on), 1),
        "highest_storeys": max(b.storeys for b in town.buildings),
    }


def _marks(town: Town) -> Counter[str]:
    return Counter(
        WELLS[service, p.appurtenance]
        for service, survey in town.surveys.items()
        for p in survey.points
        if (service, p.appurtenance) in WELLS
    )


def _planning(town: Town) -> Facts:
    lines = control_lines(town.streets, town.waters, town.blocks, town.station)
    area = planning_area()
    return {
        "planning_area": 1,
        "planning_area_m2": round(area.area, 1),
        "surveyed_share_percent": round(100 * area.intersection(extent()).area / area.area, 2),
        "land_use": len(town.blocks),
        "land_use_by_code": dict(sorted(Counter(b.use for b in town.blocks).items())),
        "control_line": len(lines),
        "control_line_by_kind": dict(Counter(c.kind for c in lines)),
        "project": len(projects(town.blocks, town.station)),
    }


def _survey(survey: Survey) -> Facts:
    where = {p.number: (p.east, p.north) for p in survey.points}
    ends = np.array([[*where[k.start], *where[k.end]] for k in survey.lines])
    depths = [d for k in survey.lines for d in (k.start_depth, k.end_depth)]
    return {
        "points": len(survey.points),
        "lines": len(survey.lines),
        "length_m": round(float(np.hypot(ends[:, 0] - ends[:, 2], ends[:, 1] - ends[:, 3]).sum()), 2),
        "by_feature": dict(Counter(p.feature for p in survey.points if p.feature)),
        "by_appurtenance": dict(Counter(p.appurtenance for p in survey.points if p.appurtenance)),
        "by_size": dict(Counter(k.size for k in survey.lines)),
        "depth_range": [min(depths), max(depths)],
        "depth_reference": "top" if survey.service in ("JS", "DL") else "invert",
    }


def _ifc(town: Town) -> Facts:
    parts = station_parts()
    station = town.station
    return {
        "file": "ifc/hsr_station.ifc",
        "products_by_class": dict(sorted(Counter(p.ifc_class for p in parts).items())),
        "storeys": 5,
        "map_conversion": {
            "eastings": round(station.east, 3),
            "northings": round(station.north, 3),
            "orthogonal_height": station.ground,
            "rotation_deg": station.angle_deg,
        },
        "footprint": [[round(x, 3), round(y, 3)] for x, y in station.hall.exterior.coords],
        "drawn_in_topo": False,
    }


def _probes(town: Town) -> Facts:
    tower = next(b for b in town.buildings if b.name == "琅琊金融中心西塔")
    sewer = town.surveys["WS"]
    deep = max(sewer.lines, key=lambda k: (k.end_depth, k.start))
    where = {p.number: p for p in sewer.points}
    hall = next(p for p in station_parts() if p.ifc_class == "IfcSpace" and p.name == "候车大厅")
    middle = tower.footprint.centroid
    return {
        "tower": {
            "plan_number": tower.number,
            "name": tower.name,
            "text": tower.text,
            "storeys": tower.storeys,
            "basements": tower.basements,
            "height": tower.height,
            "ground": tower.ground,
            "east": round(middle.x, 3),
            "north": round(middle.y, 3),
            "podium": tower.stands_on,
        },
        "building_without_text": [
            {
                "plan_number": b.number,
                "east": round(b.footprint.centroid.x, 3),
                "north": round(b.footprint.centroid.y, 3),
            }
            for b in town.buildings
            if b.label == "none"
        ][:3],
        "pipe": {
            "service": "WS",
            "start": deep.start,
            "end": deep.end,
            "size": deep.size,
            "start_depth": deep.start_depth,
            "end_depth": deep.end_depth,
            "start_ground": where[deep.start].ground,
            "end_ground": where[deep.end].ground,
        },
        "ifc_element": {
            "global_id": global_id(hall.key),
            "class": hall.ifc_class,
            "name": hall.name,
            "storey": hall.storey,
        },
    }
