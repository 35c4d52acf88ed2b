"""One cell's text: is it a number, a percentage, a hidden count, a count with its percentage?"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from strongroom.disclosure.words import word_set

_NUMBER: Final = re.compile(r"[-+]?(?:\d{1,3}(?:[, \u00a0\u2009\u202f]\d{3})+|\d{1,18})(?:\.(\d{1,30}))?(?:[eE][-+]?\d{1,3})?")
_TRAIL: Final = re.compile(r"\s*(?:[*\u2020\u2021\u00a7]+|\[[a-z0-9 ]{1,8}\])$")
_WITH_PERCENT: Final = re.compile(r"([\d,]{1,15})\s*[(\[]\s*(\d{1,3}(?:\.\d{1,10})?)\s*%\s*[)\]]")
_BELOW: Final = re.compile(r"(?:<|less than|fewer than|under|below)\s*(\d{1,9})", re.IGNORECASE)
_AT_MOST: Final = re.compile(r"(?:<=|\u2264|at most|up to)\s*(\d{1,9})", re.IGNORECASE)
_RANGE: Final = re.compile(r"(\d{1,9})\s*(?:-|\u2013|to)\s*(\d{1,9})", re.IGNORECASE)
_SPELLED: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9
}
_HIDDEN: Final = word_set("* ** - -- \u2013 \u2014 . .. ... : x c z s [c] [x] [z] [s] na n/a nan none null suppressed redacted withheld ~ u")
_INVISIBLE: Final = re.compile(r"[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


@dataclass(frozen=True)
class Cell:
    """What a cell's text says. ``number`` is None for text; ``decimals`` are those printed."""

    text: str
    number: float | None = None
    decimals: int = 0
    percent: float | None = None
    percent_decimals: int = 0
    hidden: bool = False
    below: int | None = None

    @property
    def whole(self) -> bool:
        """A whole number of zero or more."""
        return self.number is not None and self.number >= 0 and self.number == int(self.number)

    @property
    def empty(self) -> bool:
        return not self.text


def visible(text: str) -> str:
    """The text as it is seen: no invisible characters, compatibility forms (full-width digits) made plain."""
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).strip()


def invisible(text: str) -> bool:
    """Whether the text holds characters that cannot be seen."""
    return bool(_INVISIBLE.search(text.removeprefix("\ufeff")))


def parse(raw: str) -> Cell:
    """What the text of a cell says."""
    if len(raw) > 200:
        return Cell(raw)
    text = visible(raw)
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    bare = text
    if text.startswith("'") or (text.startswith("(") and text.endswith(")")):
        bare = text.strip("'()").strip()
    low = bare.casefold()
    if low in _HIDDEN:
        return Cell(text, hidden=True)
    if low in _SPELLED:
        return Cell(text, float(_SPELLED[low]))
    bare = bare.replace("\u2212", "-")
    mask = _mask(low)
    if mask is not None:
        return Cell(text, hidden=True, below=mask)
    both = _WITH_PERCENT.fullmatch(bare)
    if both:
        percent = both[2]
        return Cell(text, float(both[1].replace(",", "") or "0"), 0, float(percent), len(percent.partition(".")[2]))
    if bare.endswith("%"):
        found = _number(bare[:-1].strip())
        return Cell(text) if found is None else Cell(text, None, 0, *found)
    found = _number(bare) or _number(_TRAIL.sub("", bare))
    return Cell(text) if found is None else Cell(text, *found)


def _number(text: str) -> tuple[float, int] | None:
    match = _NUMBER.fullmatch(text)
    if not match:
        return None
    value = float(re.sub(r"[, \u00a0\u2009\u202f]", "", text))
    return (value, len(match[1] or "")) if abs(value) < 1e15 else None


def _mask(text: str) -> int | None:
    """The count is said to be below this number."""
    if match := _BELOW.fullmatch(text):
        return int(match[1])
    if match := _AT_MOST.fullmatch(text):
        return int(match[1]) + 1
    if (match := _RANGE.fullmatch(text)) and int(match[1]) <= 1 < int(match[2]):
        return int(match[2]) + 1
    return None
