"""Tags and filters for templates; loaded everywhere without ``{% load %}``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField

from strongroom.domain.case import ROLE_WORDS
from strongroom.records import reading
from strongroom.web.forms import shape_of

register = template.Library()

COLOURS = {
    "green": "running mounted released approved open confirmed",
    "blue": "waiting review sealed checking freezing closing releasing",
    "yellow": "preparing sealing mounting ending returned",
    "red": "failed suspended mismatched refused broken",
    "grey": "destroyed expired withdrawn",
}


@register.filter
def role(value: str) -> str:
    """A role as people read it."""
    return ROLE_WORDS.get(value, value)


@register.filter
def person(sub: str) -> str:
    """Name of a person; their subject when nobody of that subject has signed in."""
    found = reading.person(sub)
    return found.name if found else sub


@register.filter
def when(value: str) -> str:
    """A moment of the record as people read it, in UTC."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return str(value or "")
    return f"{at.day} {at:%B %Y, %H:%M}"


@register.filter
def colour(state: str) -> str:
    """Class of the tag that shows a state."""
    return next(
        (f"govuk-tag--{name}" for name, states in COLOURS.items() if state in states.split()), "govuk-tag--grey"
    )


@register.filter
def item(mapping: Mapping[str, Any], key: str) -> Any:
    """A value out of a mapping."""
    return mapping.get(key, "")


@register.filter
def shape(field: BoundField) -> str:
    """Which part of the field template draws a field."""
    return shape_of(field.field.widget)


@register.filter
def size(value: int) -> str:
    """Bytes as people read them."""
    number = float(value or 0)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return ""
