"""A layer of a vector file knows its columns by our spelling and by GDAL's; rows know where they stand."""

import numpy as np

from ingest.vector.source_layer import Batch, SourceLayer
from twin_model.rows.packed_wkb import PackedWkb


def layer(**fields: str) -> SourceLayer:
    return SourceLayer("road", "Point", 3, None, fields, "road.shp")


def batch(name: str = "") -> Batch:
    wkb = np.array([b"a", None, b"c"], dtype=object)
    unread = {"width": np.array([False, True, False])}
    return Batch(np.array([4, 7, 9]), PackedWkb.of(wkb), {"width": np.array([1.0, 2.0, 3.0])}, unread, name)


def test_columns_of_one_name_for_gdal_are_noticed() -> None:
    assert not layer(宽="KUAN", 长="CHANG").has_repeated_names
    assert layer(宽="KUAN").names == {"KUAN": "宽"}
    assert layer(宽="KUAN", 宽_2="KUAN").has_repeated_names


def test_a_row_is_named_by_its_feature_id_and_by_its_layer_where_there_are_several() -> None:
    assert [batch(name).place(1) for name in ("", "road")] == ["fid 7", "road fid 7"]


def test_rows_taken_keep_their_ids_values_and_what_could_not_be_read() -> None:
    rows = batch("road").take(np.array([2, 1]))

    assert (rows.fids.tolist(), rows.columns["width"].tolist(), rows.layer) == ([9, 7], [3.0, 2.0], "road")
    assert rows.unread["width"].tolist() == [False, True]
    assert rows.wkb.objects(np.arange(2)).tolist() == [b"c", None]
