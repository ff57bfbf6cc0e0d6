"""What stands delivered is the same whether all parts are read or, after many versions, each feature is looked up."""

from typing import Any

import numpy as np
import pytest
from store_contract import deliver, houses

from twin_model.history import revert
from twin_model.store.base import Store
from twin_model.versioning import commit


def test_a_long_history_is_read_feature_by_feature_with_the_same_result(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred houses are packed in PostGIS; some are delivered again, one ends, one delivery is undone."""
    monkeypatch.setattr("twin_model.store.postgis.write.BULK", 50)
    deliver(store, "building", houses(100))
    deliver(store, "building", houses(100, name=["甲"] * 5 + ["乙"] * 95), "2024-02-01")
    deliver(store, "building", houses(99, name=["丙"] * 5 + ["乙"] * 94), "2024-03-01")
    commit(store, revert(store, 3, author="tester"))
    deliver(store, "building", houses(98, name=["丁"] * 98), "2024-04-01")

    read = state_of(store)
    monkeypatch.setattr("twin_model.store.geopackage.store._FEW_PARTS", -1_000)
    monkeypatch.setattr("twin_model.store.postgis.parts._MANY", "SELECT true FROM twin_layer WHERE layer = %s")
    looked_up = state_of(store)

    assert looked_up == read
    assert len(read["fids"]) == 98 and np.array(read["contents"]).all()


def state_of(store: Store) -> dict[str, Any]:
    state, provenance = store.delivered_state("building"), store.provenance("building")
    origins = sorted(zip(provenance.fids.tolist(), provenance.scopes.tolist(), provenance.series.tolist(), strict=True))
    return {"fids": state.fids.tolist(), "contents": state.contents.tolist(), "origins": origins}
