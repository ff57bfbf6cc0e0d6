"""Instants of an export show the day that they have in the town."""

import geopandas as gpd
import pandas as pd

from tiles.encodings.local_times import with_local_texts, with_local_times
from twin_model.catalogue import layer_of

FIELDS = {name: {"type": kind, "zh": name, "en": name} for name, kind in (("seen", "datetime"), ("built", "date"))}
LAYER = layer_of("own", {"geometry": "Point", "fields": FIELDS})


def test_an_instant_has_the_day_of_the_town_and_its_offset() -> None:
    frame = gpd.GeoDataFrame(
        {"seen": ["2024-01-04T16:00:00.000Z", None], "built": ["2019", None]}, geometry=[None, None]
    )

    texts = with_local_texts(frame, LAYER, "Asia/Shanghai")

    assert texts["seen"].tolist() == ["2024-01-05T00:00:00.000+08:00", None]
    assert frame["seen"][0] == "2024-01-04T16:00:00.000Z", "the frame of the caller stays as it is"


def test_times_lose_their_offset_and_only_whole_days_become_dates() -> None:
    columns = {"seen": ["2024-01-05T00:00:00.000+08:00", None], "built": ["2019-05-01", None]}
    frame = gpd.GeoDataFrame(columns, geometry=[None, None])

    times = with_local_times(frame, LAYER)
    years = with_local_times(frame.assign(built=["2019-05-01", "2020"]), LAYER)

    assert times["seen"][0] == pd.Timestamp("2024-01-05") and str(times["built"][0]) == "2019-05-01"
    assert years["built"].tolist() == ["2019-05-01", "2020"]
