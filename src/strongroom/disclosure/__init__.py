"""Statistical disclosure control: first checks of outputs, from their bytes alone."""

from __future__ import annotations

from strongroom.disclosure.check import check, check_and_render, render
from strongroom.disclosure.examine import examine
from strongroom.disclosure.model import FileResult, Finding, Locator, Result
from strongroom.disclosure.profile import BadProfile, Profile, Rule, load, names

__all__ = [
    "BadProfile", "FileResult", "Finding", "Locator", "Profile", "Result", "Rule", "check", "check_and_render",
    "examine", "load", "names", "render",
]
