"""The place a person gives a model: refused with the likely cause, as a source with such coordinates is."""

import pytest

from ingest.model_place import ensure_in_town
from ingest.place import TownPlace
from twin_model.errors import CalledWrongly

EMPTY = TownPlace("EPSG:4548", is_real=True)
SETTLED = TownPlace("EPSG:4548", (118.2, 35.0, 118.4, 35.2), is_real=True)


@pytest.mark.parametrize("town", [EMPTY, SETTLED], ids=["empty", "settled"])
@pytest.mark.parametrize(
    ("at", "crs", "rule", "remedy"),
    [
        ((3_886_000, 618_500), None, "place.axes_swapped", "618500,3886000 --crs EPSG:4548"),
        ((35.1, 118.3), "EPSG:4490", "place.axes_swapped", "118.3,35.1 --crs EPSG:4490"),
        ((39_618_500, 3_886_000, 60), None, "place.other_system", "--crs EPSG:4527"),
        ((118.3, 35.1), None, "place.other_system", "--crs EPSG:4490"),
        ((618_500_000, 3_886_000_000), None, "place.wrong_unit", "618500,3886000 --crs EPSG:4548"),
        ((1000, 2000), None, "place.outside", "--anywhere"),
        ((500_000, 9_000_000), None, "place.outside", "--anywhere"),
    ],
)
def test_a_place_outside_the_town_is_refused_with_its_cause_and_the_numbers_to_give(
    town: TownPlace, at: tuple[float, ...], crs: str | None, rule: str, remedy: str
) -> None:
    with pytest.raises(CalledWrongly) as refused:
        ensure_in_town([(618_500, 3_886_000), at] if crs is None else [at], crs, town)

    assert refused.value.rule_id == rule
    assert remedy in refused.value.text("en") and remedy in refused.value.text("zh")


def test_a_place_in_the_town_is_taken_in_any_system() -> None:
    for town in (EMPTY, SETTLED):
        ensure_in_town([(618_500, 3_886_000, 60)], None, town)
        ensure_in_town([(118.3, 35.1)], "EPSG:4326", town)
        ensure_in_town([], None, town)
