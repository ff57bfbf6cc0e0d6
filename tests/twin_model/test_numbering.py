"""A number means the feature that has it, unless it lies elsewhere: then the place decides, and numbers given anew mean nothing."""

import numpy as np
from surveyed_networks import Office, street

from twin_model.numbering import Matches, believed_numbers
from twin_model.store.base import FeatureQuery, Store


def doubted(fids: list[int], numbers: list[int], gaps: list[float], *, official: bool) -> Matches:
    count = len(fids)
    return Matches(
        np.array(fids), np.zeros(count, dtype=bool), np.array(numbers), np.full(count, official), np.array(gaps)
    )


def test_what_is_left_of_the_doubted_numbers_counts_where_the_others_can_be_relied_on() -> None:
    nobody = np.empty(0, dtype=np.int64)
    cases = {
        "a point moved by 300 m in a delivery whose other numbers are right": ([1, 2, 0], [0, 0, 3], True, [1, 2, 3]),
        "the same without a project, under another name": ([1, 2, 0], [0, 0, 3], False, [1, 2, 0]),
        "numbers given anew": ([2, 1, 0], [1, 2, 3], True, [2, 1, 0]),
    }

    for case, (fids, numbers, official, expected) in cases.items():
        matches = doubted(fids, numbers, [0.0, 0.0, 300.0], official=official)
        believed_numbers(matches, nobody, ())
        assert matches.fids.tolist() == expected, case


def test_the_number_of_another_street_is_another_thing_and_gets_an_id_of_its_own(store: Store) -> None:
    office = Office(store)
    office.deliver("first street.csv", street(4, project=None))
    far = {name: frame.translate(0, 900) for name, frame in street(4, project=None).items()}
    frames = {name: frame.set_geometry(far[name], crs=frame.crs) for name, frame in street(4, project=None).items()}

    version = office.deliver("second street.csv", frames)
    again = office.deliver("second street.csv", frames)

    assert (version.touched["pipe_point"].inserted, version.touched["pipe_point"].updated) == (4, 0)
    assert not again.made
    points = store.features(FeatureQuery("pipe_point"))
    assert len(points) == 8 and points["survey_no"].value_counts().tolist() == [2, 2, 2, 2]
