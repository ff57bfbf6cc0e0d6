"""The railway at the station: viaduct, piers, tracks, platforms and their canopies."""

from data_samples.plan.rail import PLATFORM_LENGTH, PLATFORM_OFFSETS, PLATFORM_WIDTH, TRACK_OFFSETS
from data_samples.plan.solids import Extrusion, Tube, post, slab
from data_samples.plan.station_frame import STOREYS, UPPER, Part, family

DECK = STOREYS["站台层"] - 0.8
PANELS = 10
HALF = PLATFORM_LENGTH / 2
PLATFORMS = tuple(zip("南北", PLATFORM_OFFSETS, strict=True))
# across and up: the slab and two rails of a track
TRACK = (
    (-1.4, 0.0),
    (1.4, 0.0),
    (1.4, 0.3),
    (0.82, 0.3),
    (0.82, 0.5),
    (0.72, 0.5),
    (0.72, 0.3),
    (-0.72, 0.3),
    (-0.72, 0.5),
    (-0.82, 0.5),
    (-0.82, 0.3),
    (-1.4, 0.3),
)
WING = ((-6.6, 1.3), (0.0, 0.0), (6.6, 1.3), (6.6, 1.55), (0.0, 0.3), (-6.6, 1.55))


def track_parts() -> list[Part]:
    """Return viaduct, tracks, platforms and canopies."""
    return [*_decks(), *_piers(), *_tracks(), *_canopies()]


def _decks() -> list[Part]:
    deck = family("IfcSlab", "FLOOR", "Viaduct deck")
    platform = family("IfcSlab", "FLOOR", "Platform", "paving")
    length, found = PLATFORM_LENGTH / PANELS, []
    for k in range(PANELS):
        s = -HALF + length * (k + 0.5)
        shape = slab(length, 43.6, 1.2)
        found.append(deck(f"deck {k}", f"站场桥面板-{k + 1:02d}", "站台层", shape, (s, 0.0, DECK - 1.2)))
        for side, t in PLATFORMS:
            shape = slab(length, PLATFORM_WIDTH, UPPER - DECK)
            found.append(platform(f"platform {side} {k}", f"{side}站台-{k + 1:02d}", "站台层", shape, (s, t, DECK)))
    return found


def _piers() -> list[Part]:
    pier = family("IfcColumn", "COLUMN", "Pier")
    found = []
    for k in range(PANELS + 1):
        s = min(max(-HALF + PLATFORM_LENGTH / PANELS * k, -HALF + 1.2), HALF - 1.2)
        for j, t in enumerate((-19.0, -6.5, 6.5, 19.0)):
            name = f"桥墩-{k + 1}{'ABCD'[j]}"
            found.append(pier(f"pier {k} {j}", name, "1F", post(2.2, 1.6, DECK - 1.2), (s, t, 0.0)))
    return found


def _tracks() -> list[Part]:
    track = family("IfcBuildingElementProxy", "ELEMENT", "Slab track", "steel")
    shape = Extrusion(TRACK, PLATFORM_LENGTH, "upright")
    return [
        track(f"track {j}", f"{j + 1}道无砟轨道", "站台层", shape, (-HALF, t, DECK), 90.0)
        for j, t in enumerate(TRACK_OFFSETS)
    ]


def _canopies() -> list[Part]:
    column = family("IfcColumn", "COLUMN", "Canopy column", "steel")
    canopy = family("IfcSlab", "ROOF", "Platform canopy", "roof")
    length, found = PLATFORM_LENGTH / 20, []
    shape = Extrusion(WING, length, "upright")
    for side, t in PLATFORMS:
        for k in range(20):
            s = -HALF + length * (k + 0.5)
            number = f"{k + 1:02d}"
            foot, top = (s, t, UPPER), (s - length / 2, t, UPPER + 5.2)
            name = f"{side}雨棚柱-{number}"
            found.append(column(f"canopy column {side} {k}", name, "站台层", Tube(0.3, 5.2, lying=False), foot))
            found.append(canopy(f"canopy {side} {k}", f"{side}雨棚-{number}", "站台层", shape, top, 90.0))
    return found
