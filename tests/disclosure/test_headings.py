"""What headings say, on both sides of each line that is drawn."""

from __future__ import annotations

import pytest

from strongroom.disclosure import headings
from strongroom.disclosure.cells import parse
from strongroom.disclosure.headings import Says
from strongroom.disclosure.percent import candidates, gives_back
from strongroom.disclosure.records import nhs_number


@pytest.mark.parametrize(
    ("heading", "says"),
    [
        ("n", Says.COUNT),
        ("N", Says.COUNT),
        ("count", Says.COUNT),
        ("Freq", Says.COUNT),
        ("pupils", Says.COUNT),
        ("n_pupils", Says.COUNT),
        ("nPupils", Says.COUNT),
        ("N (unweighted)", Says.COUNT),
        ("number of schools", Says.COUNT),
        ("No. of pupils", Says.COUNT),
        ("nobs", Says.COUNT),
        ("sample size", Says.COUNT),
        ("Boys", Says.COUNT),
        ("count_score_2", Says.COUNT),
        ("num_people", Says.COUNT),
        ("Total", Says.TOTAL),
        ("All", Says.TOTAL),
        ("mean", Says.STATISTIC),
        ("mean n", Says.STATISTIC),
        ("mean_score", Says.STATISTIC),
        ("Std. Error", Says.STATISTIC),
        ("OR", Says.STATISTIC),
        ("p-value", Says.STATISTIC),
        ("rate per 1000 people", Says.STATISTIC),
        ("df", Says.STATISTIC),
        ("max", Says.EXTREME),
        ("percent", Says.PERCENT),
        ("% passed", Says.PERCENT),
        ("n (%)", Says.PERCENT),
        ("year", Says.ATTRIBUTE),
        ("lea", Says.ATTRIBUTE),
        ("school_code", Says.ATTRIBUTE),
        ("rank", Says.ATTRIBUTE),
        ("pupil_id", Says.IDENTIFIER),
        ("unique pupil number", Says.IDENTIFIER),
        ("candidate no", Says.IDENTIFIER),
        ("URN", Says.IDENTIFIER),
        ("score", Says.VALUE),
        ("gcsescore", Says.VALUE),
        ("total income", Says.VALUE),
        ("pupil age", Says.ATTRIBUTE),
        ("North", Says.NOTHING),
        ("F", Says.NOTHING),
        ("no", Says.NOTHING),
        ("2018", Says.NOTHING),
        ("Black or Black British", Says.NOTHING),
        ("Low", Says.NOTHING),
        ("", Says.NOTHING),
    ],
)
def test_says(heading: str, says: Says) -> None:
    assert headings.says(heading) is says


@pytest.mark.parametrize(
    ("heads", "places"),
    [
        (["grade_A", "grade_B"], {0, 1}),
        (["Year 7", "Year 8", "n"], {0, 1}),
        (["score_mean", "score_sd"], set()),
        (["mean_A", "mean_B"], set()),
        (["id_a", "id_b"], set()),
        (["grade", "lea"], set()),
    ],
)
def test_alike(heads: list[str], places: set[int]) -> None:
    assert headings.alike(heads) == places


@pytest.mark.parametrize(
    ("text", "number", "hidden"),
    [
        ("3", 3, False),
        ("1,234", 1234, False),
        ("3.0", 3, False),
        ("-2", -2, False),
        ("\u22122", -2, False),
        ("1e3", 1000, False),
        ("3*", 3, False),
        ("(3)", 3, False),
        ("three", 3, False),
        ("3 (1.2%)", 3, False),
        ("", None, False),
        ("F", None, False),
        ("<10", None, True),
        ("[c]", None, True),
        ("NA", None, True),
        ("1-9", None, True),
        ("12-14", None, False),
        ("2019-01-02", None, False),
        ("9" * 400, None, False),
        ("9" * 18, None, False),
    ],
)
def test_cells(text: str, number: float | None, hidden: bool) -> None:
    cell = parse(text)
    assert (cell.number, cell.hidden) == (number, hidden)


@pytest.mark.parametrize(
    ("percent", "decimals", "of", "back"),
    [
        (4, 0, 100, True),
        (96, 0, 100, True),
        (50, 0, 100, False),
        (1, 0, 1000, None),
        (0, 0, 100, False),
        (0.4, 1, 350, False),
        (2.0, 1, 350, True),
        (9.4, 1, 100, False),
        (10, 0, 100, False),
        (33.3, 1, 12, True),
    ],
)
def test_percentages_give_back_counts(percent: float, decimals: int, of: float, back: bool | None) -> None:
    assert gives_back(percent, decimals, of, 10) is back


def test_candidates() -> None:
    assert list(candidates(1, 0, 1000)) == list(range(5, 16))


def test_nhs_numbers() -> None:
    assert nhs_number("943 476 5919")
    assert not nhs_number("943 476 5918")
    assert not nhs_number("000 000 0000")
