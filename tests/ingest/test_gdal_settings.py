"""While a source is open, GDAL is offline and speaks our words; afterwards it is as the caller had it."""

from pathlib import Path

import pyogrio
import pytest
from pyogrio.errors import DataSourceError

from ingest.vector.gdal_settings import in_our_words
from twin_model.errors import SourceRefused

PROXY = "GDAL_HTTP_PROXY"


def test_what_gdal_says_is_a_refusal_without_the_folder_of_the_source(tmp_path: Path) -> None:
    path = tmp_path / "plan.gpkg"

    with pytest.raises(SourceRefused) as refused, in_our_words(path, "plan.gpkg"):
        raise DataSourceError(f"cannot open\n {path}.")

    assert refused.value.rule_id == "source.unreadable"
    assert refused.value.values == {"source": "plan.gpkg", "kind": "gpkg", "cause": "cannot open plan.gpkg"}


def test_gdal_is_offline_only_inside_and_an_option_of_the_caller_comes_back(tmp_path: Path) -> None:
    pyogrio.set_gdal_config_options({PROXY: "http://own"})

    try:
        with in_our_words(tmp_path / "a.shp", "a.shp", restores_index=True):
            inside = [pyogrio.get_gdal_config_option(name) for name in (PROXY, "SHAPE_RESTORE_SHX")]
        after = [pyogrio.get_gdal_config_option(name) for name in (PROXY, "SHAPE_RESTORE_SHX")]
    finally:
        pyogrio.set_gdal_config_options({PROXY: None})

    assert inside == ["none://source", "YES"]
    assert after == ["http://own", None]
