"""What a column's heading says that it holds: counts of units, a percentage, a statistic, an attribute, or nothing known."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from strongroom.disclosure.cells import visible
from strongroom.disclosure.words import word_set


class Says(Enum):
    """What a heading says."""

    COUNT = "count"
    TOTAL = "total"
    PERCENT = "percent"
    STATISTIC = "statistic"
    EXTREME = "extreme"
    ATTRIBUTE = "attribute"
    IDENTIFIER = "identifier"
    VALUE = "value"
    NOTHING = "nothing"


_STRONG: Final = word_set("n count counts cnt freq freqs frequency frequencies nobs obs observations tally")
_UNITS: Final = word_set(
    "pupils people persons individuals patients cases students children respondents participants candidates learners "
    "staff teachers members males females men women boys girls households families deaths events entries admissions "
    "episodes records births offenders claimants workers employees residents voters subjects units missing "
    "unweighted size population base denominator numerator sample cohort headcount enrolled enrolments schools "
    "hospitals firms businesses establishments"
)
_TOTAL: Final = word_set("total totals all sum overall margin grand both persons")
_PERCENT: Final = word_set("percent percentage percentages pct perc pc proportion proportions prop share shares fraction")
_STATISTIC: Final = word_set(
    "mean means avg average median sd se std stdev stderr deviation error variance var ci lower upper coef coefs "
    "coefficient coefficients estimate estimates beta odds ratio rr hr hazard pvalue p t z chi chi2 statistic stat "
    "rate rates r2 rsquared aic bic loglik skew kurtosis gini iqr quantile percentile q1 q3 p25 p50 p75 effect "
    "interval conf residual slope intercept correlation corr rho df dof index per weight weighted cv diff "
    "difference change"
)
_EXTREME: Final = word_set("min max minimum maximum range lowest highest")
_IDENTIFIER: Final = word_set(
    "id ids urn upn uln uid uuid guid nhs nino nhsno dob birthdate surname forename firstname lastname email phone "
    "telephone postcode address candno identifier"
)
_ATTRIBUTE: Final = word_set(
    "year years yr date month day week quarter time lea la laestab authority school gender sex ethnicity region age grade "
    "subject class term phase type category group band level stage code codes status variable name label district "
    "ward country decile quintile quartile rank key stratum area lad lsoa msoa icd site hospital trust model outcome "
    "predictor covariate characteristic measure step bin wave period cluster number ref row line fsm sen eal"
)
_VALUE: Final = word_set(
    "score scores points gcse gcsescore income wage wages salary height bmi cost costs price value values amount "
    "mark marks attainment hours minutes seconds days months turnover expenditure"
)
_WORDS: Final = re.compile(r"[^\W_]+|%")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def words(heading: str) -> list[str]:
    """The words of a heading in lower case: ``nPupils``, ``n_pupils`` and ``N (pupils)`` are alike."""
    text = visible(heading)[:200]
    return [word.casefold() for word in _WORDS.findall(_CAMEL.sub(" ", text))]


def says(heading: str) -> Says:
    """What a heading says that its column holds."""
    found = words(heading)
    some = set(found)
    if not found:
        return Says.NOTHING
    if "%" in some or some & _PERCENT:
        return Says.PERCENT
    if some & _IDENTIFIER or found[-1] in ("number", "no") and len(found) > 1 and not some & _STRONG:
        return Says.IDENTIFIER
    counted = some & _STRONG or {"number", "of"} <= some or {"no", "of"} <= some or found[0] == "num"
    statistic = some & _STATISTIC - ({"weighted"} if "n" in some else set())
    if found == ["or"] or statistic and not (found[0] == "n" or some & {"nobs", "obs", "observations"}):
        return Says.STATISTIC
    if some & _EXTREME:
        return Says.EXTREME
    if counted or found == ["number"]:
        return Says.COUNT
    if some & _UNITS and not some & (_VALUE | _ATTRIBUTE):
        return Says.COUNT
    if some & _TOTAL and not some & (_VALUE | _ATTRIBUTE):
        return Says.TOTAL
    if some & _VALUE:
        return Says.VALUE
    return Says.ATTRIBUTE if some & _ATTRIBUTE else Says.NOTHING


def total(label: str) -> bool:
    """Whether a row or column label names a total."""
    return bool(set(words(label)) & _TOTAL) and len(words(label)) <= 4


def counting_label(label: str) -> bool:
    """Whether a row's label says that the row counts units (``N``, ``count``, ``No. Observations``)."""
    found = words(label)
    some = set(found)
    return len(found) <= 4 and bool(some & _STRONG or {"number", "of"} <= some or found in (["base"], ["unweighted", "base"]))


def extreme_label(label: str) -> bool:
    """Whether a row's label names a minimum or maximum."""
    return len(words(label)) <= 3 and bool(set(words(label)) & _EXTREME - {"range"})


def alike(headings: list[str]) -> set[int]:
    """Places of headings that are one word with different endings (``grade_A``, ``grade_B``): values of one variable."""
    stems: dict[tuple[str, ...], list[int]] = {}
    for place, heading in enumerate(headings):
        found = words(heading)
        if len(found) > 1:
            stems.setdefault(tuple(found[:-1]), []).append(place)
    return {place for stem, places in stems.items() if len(places) > 1
            and not set(stem) & (_STATISTIC | _PERCENT | _EXTREME | _IDENTIFIER | _VALUE - {"score", "points", "mark"})
            and all(says(headings[place]) not in (Says.PERCENT, Says.STATISTIC, Says.EXTREME, Says.IDENTIFIER)
                    for place in places) for place in places}
