"""Profiles: named, versioned sets of disclosure rules, read from TOML."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from strongroom.disclosure.model import ORDER, Finding, Locator
from strongroom.disclosure.words import word_set

DEFAULT: Final = "uk-sdap"
_LIMITS: Final = word_set("files depth file_bytes total_bytes rows columns cell_chars tables unpacked_bytes pixels seconds memory_bytes findings")
_THRESHOLDS: Final = frozenset({"count", "row_level_rows"})
_FIELDS: Final = frozenset({"severity", "source", "words", "mend"})


class BadProfile(ValueError):
    """A profile that lacks something or says something unknown."""


@dataclass(frozen=True)
class Rule:
    """One rule's severity, origin and plain words."""

    severity: str
    source: str
    words: str
    mend: str


@dataclass(frozen=True)
class Profile:
    """Thresholds, limits and rules that a check applies."""

    name: str
    version: str
    title: str
    thresholds: dict[str, int]
    limits: dict[str, int]
    rules: dict[str, Rule]

    @property
    def threshold(self) -> int:
        return self.thresholds["count"]

    def finding(self, rule: str, file: str, locator: Locator, what: str = "") -> Finding:
        """A finding of this profile's rule in its own words."""
        found = self.rules[rule]
        facts = {"threshold": self.threshold, "what": what}
        return Finding(rule, found.severity, found.source.format_map(facts), file, locator,
                       found.words.format_map(facts), found.mend.format_map(facts))


def names() -> list[str]:
    """Names of the profiles that come with the product."""
    folder = resources.files("strongroom.disclosure") / "profiles"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


@cache
def load(name: str = DEFAULT) -> Profile:
    """A profile that comes with the product, by name."""
    if name not in names():
        raise BadProfile(f"there is no disclosure profile {name!r}: choose one of {', '.join(names())}")
    return parse((resources.files("strongroom.disclosure") / "profiles" / f"{name}.toml").read_text("utf-8"))


def parse(text: str) -> Profile:
    """A profile from TOML text; raises BadProfile naming what is wrong."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadProfile(f"the profile is not TOML: {error}") from error
    for name in ("name", "version", "title"):
        if not isinstance(data.get(name), str) or not data[name]:
            raise BadProfile(f"the profile lacks {name} = \"…\"")
    unknown = data.keys() - {"name", "version", "title", "thresholds", "limits", "rules"}
    if unknown:
        raise BadProfile(f"the profile has unknown parts: {', '.join(sorted(unknown))}")
    return Profile(data["name"], data["version"], data["title"], _numbers(data, "thresholds", _THRESHOLDS),
                   _numbers(data, "limits", _LIMITS), _rules(data.get("rules", {})))


def _numbers(data: dict[str, Any], part: str, expected: frozenset[str]) -> dict[str, int]:
    values = data.get(part, {})
    if set(values) != expected:
        wrong = ", ".join(sorted(set(values) ^ expected))
        raise BadProfile(f"[{part}] has missing or unknown names: {wrong}")
    for name, value in values.items():
        if type(value) is not int or value < 1:
            raise BadProfile(f"[{part}] {name} is a whole number of at least 1")
    return dict(values)


@cache
def _known_rules() -> frozenset[str]:
    text = (resources.files("strongroom.disclosure") / "profiles" / f"{DEFAULT}.toml").read_text("utf-8")
    return frozenset(re.findall(r'^\[rules\."([a-z.-]+)"\]$', text, re.MULTILINE))


def _rules(data: dict[str, Any]) -> dict[str, Rule]:
    if set(data) != _known_rules():
        raise BadProfile(f"[rules] has missing or unknown rules: {', '.join(sorted(set(data) ^ _known_rules()))}")
    rules = {}
    for name, fields in data.items():
        if set(fields) != _FIELDS or fields["severity"] not in ORDER:
            raise BadProfile(f"rule {name} has severity ({', '.join(ORDER)}), source, words and mend")
        try:
            "".join(fields.values()).format_map({"threshold": 0, "what": ""})
        except (KeyError, ValueError, IndexError) as error:
            raise BadProfile(f"rule {name} uses an unknown name in braces: {error}") from error
        rules[name] = Rule(**fields)
    return rules
