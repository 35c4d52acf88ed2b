"""Scripts and notebooks: values, paths, secrets and encoded text that do not belong into code."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from strongroom.disclosure import pictures, textual
from strongroom.disclosure.context import Broken, Context, Grid
from strongroom.disclosure.model import Locator

_NUMBER_RUN: Final = re.compile(r"(?:-?\d[\d_.]{0,20}\s{0,4}[,;]\s{0,4}){9}-?\d")
_TEXT_RUN: Final = re.compile(r"(?:(?:\"[^\"\n]{0,80}\"|'[^'\n]{0,80}')\s{0,4},\s{0,4}){14}[\"']")
_INLINE: Final = re.compile(
    r"(read\.(table|csv)\s*\(\s*text\s*=|tribble\s*\(|StringIO\s*\(\s*[\"']|datalines|^\s*cards\s*;|fread\s*\(\s*text\s*=|"
    r"structure\s*\(\s*list\s*\(|dput\s*\(|^\s*input\s+\w+\s+\w+)", re.IGNORECASE,
)
_SINGLE: Final = re.compile(
    r"\b(\w*_?id|upn|urn|student|pupil|patient|person|nhs\w*|case_?no)\b[\"'\])]{0,3}\s*(==|!=|%in%|\bin\b|\.isin\()\s*[\[(c]{0,2}\s*[\"']?\w*\d",
    re.IGNORECASE,
)
_PATH: Final = re.compile(
    r"([\"'](/(?:mnt|home|data|srv|opt|var|net|media|Users|root|etc)\b|~/|[A-Za-z]:[\\/])|\\\\\\\\?\w[\w.-]+\\|"
    r"\b(?:https?|ftp|ssh|smb|jdbc|postgres(?:ql)?|mysql)://|\b(?:\d{1,3}\.){3}\d{1,3}\b)"
)
_SECRET: Final = re.compile(
    r"(\b(?:pass(?:word|wd|phrase)?|pwd|secret|token|api_?key|access_?key|credential)s?\b[\"']?\s*(?:=|<-|:)\s*[\"'][^\"']{4,}|"
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.)",
    re.IGNORECASE,
)
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/=_-]{160,}|(?:\\x[0-9a-f]{2}){40,}", re.IGNORECASE)
_RULES: Final = (
    ("script.literal-data", _NUMBER_RUN), ("script.literal-data", _TEXT_RUN), ("script.literal-data", _INLINE),
    ("script.single-unit", _SINGLE), ("script.path", _PATH), ("script.secret", _SECRET), ("script.encoded", _ENCODED),
)


def check(context: Context, text: str, sheet: str | None = None) -> None:
    """Look at every line of a script, and at runs of values over several lines."""
    window = ""
    for number, line in enumerate(text.split("\n"), 1):
        if number % 200 == 0:
            context.tick()
        if len(line) > context.profile.limits["cell_chars"]:
            context.add("script.encoded", Locator(sheet, number))
            line = line[:4000]
        for rule, pattern in _RULES:
            if pattern.search(line):
                context.add(rule, Locator(sheet, number))
        # A vector of values laid out one or a few to a line is still data.
        stripped = line.split("#", 1)[0].strip()
        window = f"{window} {stripped}"[-3000:] if re.fullmatch(r"[\d.,;\s\-\"'()\[\]{}]{1,300}", stripped) else ""
        if window and _NUMBER_RUN.search(window):
            context.add("script.literal-data", Locator(sheet, number))
            window = ""
    textual.check_prose(context, "\n".join(_comments(text)), sheet)


def _comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.split("\n")]


@dataclass
class Notebook:
    """What a notebook holds."""

    grids: list[Grid] = field(default_factory=list)
    pictures: list[tuple[str, str, bytes]] = field(default_factory=list)
    code: list[str] = field(default_factory=list)


def notebook(context: Context, text: str) -> Notebook:
    """Check a Jupyter notebook's cells and stored outputs; grids are returned for the table rules."""
    try:
        data = json.loads(text)
        cells = data["cells"]
        if not isinstance(cells, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Broken("notebook") from error
    found = Notebook()
    if isinstance(data.get("metadata"), dict) and data["metadata"].get("widgets"):
        context.add("notebook.hidden", what="the state of widgets")
    for number, cell in enumerate(cells, 1):
        context.tick()
        if not isinstance(cell, dict):
            raise Broken("notebook")
        _cell(context, found, cell, f"cell {number}")
    return found


def _cell(context: Context, found: Notebook, cell: dict[str, Any], name: str) -> None:
    if cell.get("attachments"):
        context.add("notebook.hidden", Locator(name), "attachments")
    meta = cell.get("metadata")
    if isinstance(meta, dict) and len(json.dumps(meta)) > 2000:
        context.add("notebook.hidden", Locator(name), "much metadata")
    source = _joined(cell.get("source"))
    found.code.append(source)
    if cell.get("cell_type") == "code":
        check(context, source, name)
    else:
        textual.check_prose(context, source, name)
        found.grids += [_renamed(grid, name) for grid in textual.markdown(context, source)]
    outputs = cell.get("outputs", [])
    for number, output in enumerate(outputs if isinstance(outputs, list) else [], 1):
        if isinstance(output, dict):
            _output(context, found, output, f"{name} output {number}")


def _output(context: Context, found: Notebook, output: dict[str, Any], name: str) -> None:
    if output.get("output_type") in ("stream", "error"):
        text = _joined(output.get("text", output.get("traceback")))
        _printed(context, found, text, name)
        return
    bundle = output.get("data")
    if not isinstance(bundle, dict):
        return
    html = _joined(bundle.get("text/html"))
    if html:
        found.grids += [_renamed(grid, name) for grid in textual.html(context, html, "part ")]
        if re.search(r"<(script|svg|iframe|object|embed)\b", html, re.IGNORECASE):
            context.add("document.active", Locator(name), "scripts or drawings")
    # A rich output repeats itself as text: one of them is enough, pictures and unknown ones come with none.
    elif "text/plain" in bundle:
        _printed(context, found, _joined(bundle["text/plain"]), name)
    for mime, value in bundle.items():
        if mime in ("image/png", "image/jpeg"):
            kind = mime.removeprefix("image/")
            try:
                picture = base64.b64decode("".join(_joined(value).split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise Broken("picture in a notebook") from error
            pictures.check(context, picture, kind, Locator(name))
            found.pictures.append((name, kind, picture))
        elif mime == "text/markdown":
            found.grids += [_renamed(grid, name) for grid in textual.markdown(context, _joined(value))]
        elif mime not in ("text/html", "text/plain"):
            context.add("notebook.output", Locator(name))


def _printed(context: Context, found: Notebook, text: str, name: str) -> None:
    textual.check_prose(context, text, name)
    found.grids += textual.printed(context, text, name)
    if text.strip():
        context.add("text.look", Locator(name))


def _renamed(grid: Grid, name: str) -> Grid:
    return Grid(grid.rows, f"{name} {grid.sheet or ''}".strip(), grid.first_row, grid.first_column, grid.numbers)


def _joined(value: object) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
