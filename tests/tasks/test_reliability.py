import numpy as np
import pytest
from moonhand.tasks.nano_eval.reliability import Scored, bins_of, calibration_error, draw_reliability


def answers_of(chances: list[float], each: int = 100) -> list[Scored]:
    """For each confidence so many answers, of which exactly that share is right, evenly in between."""
    return [
        (chance, int(chance * (at + 1) + 1e-9) > int(chance * at + 1e-9)) for chance in chances for at in range(each)
    ]


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_confidence_that_is_the_share_of_right_answers_has_no_error(binning: str) -> None:
    assert calibration_error(answers_of([0.1, 0.5, 0.9]), binning=binning) == pytest.approx(0)  # type: ignore[arg-type]


def test_the_error_is_the_gap_weighted_by_the_answers() -> None:
    always = [(0.9, False)] * 30 + [(0.1, False)] * 10
    assert calibration_error(always, binning="width") == pytest.approx(0.9 * 0.75 + 0.1 * 0.25)
    assert calibration_error([], binning="width") == 0


def test_bins_of_equal_mass_split_a_crowded_end() -> None:
    crowded = [(0.95 + at / 10_000, at % 2 == 0) for at in range(300)]
    assert [each.count for each in bins_of(crowded, binning="mass")] == [20] * 15
    assert [each.count for each in bins_of(crowded, binning="width")] == [300]


def test_fewer_answers_than_bins_are_no_error() -> None:
    assert sum(each.count for each in bins_of([(1.0, True), (0.0, False)])) == 2


def test_the_picture_has_a_diagram_for_every_set() -> None:
    one = draw_reliability({"a": answers_of([0.2, 0.8])})
    two = draw_reliability({"a": answers_of([0.2, 0.8]), "b": answers_of([0.5])})
    assert two.height == one.height
    assert two.width > 1.7 * one.width
    assert len(np.unique(np.asarray(two).reshape(-1, 3), axis=0)) > 20
    with pytest.raises(ValueError, match="needs answers"):
        draw_reliability({})
