"""One file: what it is, its findings and, if asked for, its preview."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any, Final

from strongroom.disclosure import kinds, pictures, preview, scripts, tables, textual, workbook
from strongroom.disclosure.context import NOWHERE, Broken, Context, Grid, OutOfTime, TooMuch
from strongroom.disclosure.model import FileResult, Finding, worst
from strongroom.disclosure.profile import Profile

_PDF_HIDDEN: Final = re.compile(rb"/(EmbeddedFiles?|JavaScript|JS|Launch|XFA|RichMedia|OCG)\b")


@dataclass
class Contents:
    """What was read from a file."""

    grids: list[Grid] = field(default_factory=list)
    pictures: list[tuple[str, str, bytes]] = field(default_factory=list)
    text: str | None = None


def examine(
    profile: Profile, file: str, data: bytes, *, previewed: bool = False
) -> tuple[FileResult, list[Finding], dict[str, Any] | None]:
    """Check the bytes of one file; never raises for what the file holds."""
    context = Context(profile, file)
    kind = kinds.sniff(file, data)
    contents = Contents()
    try:
        if kind.mismatch:
            context.add("kind.mismatch", what=kind.what)
        _read(context, kind, data, contents)
        sizes = textual.sizes(contents.text) if contents.text else ()
        for grid in contents.grids:
            tables.check_grid(context, grid, sizes)
    except OutOfTime:
        context.add("file.limit", what=f"{profile.limits['seconds']} seconds for a file")
    except TooMuch as error:
        context.add("file.limit", what=str(error))
    except Broken as error:
        context.add("file.broken", what=str(error))
    except MemoryError:
        contents = Contents()
        context.add("file.limit", what=f"{profile.limits['memory_bytes']} bytes of memory for a file")
    except Exception as error:  # whatever a file provokes is a finding about that file
        context.add("file.broken", what=f"{kind.name}, {type(error).__name__}")
    findings = context.finished()
    verdict = worst([finding.severity for finding in findings])
    result = FileResult(file, kind.name, len(data), hashlib.sha256(data).hexdigest(), verdict)
    if not previewed:
        return result, findings, None
    return result, findings, preview.of_file(context, kind.name, contents.grids, contents.pictures, contents.text, findings)


def _read(context: Context, kind: kinds.Kind, data: bytes, into: Contents) -> None:
    if kind.name == "data":
        context.add("kind.data", what=kind.what)
    elif kind.name == "unknown":
        context.add("kind.unknown", what=kind.what)
        if kind.what.startswith("text"):
            into.text = textual.decode(context, data)
            _prose(context, into)
    elif kind.name in ("png", "jpeg"):
        into.pictures.append(("", kind.name, data))
        pictures.check(context, data, kind.name, NOWHERE)
    elif kind.name == "pdf":
        context.add("vector.look")
        if _PDF_HIDDEN.search(data):
            context.add("document.hidden", what="embedded files, scripts, forms or layers")
    elif kind.name == "xlsx":
        into.grids = workbook.read(context, data)
    elif kind.name == "office":
        context.add("kind.unknown", what=kind.what)
        _office(context, data)
    elif kind.name in kinds.TEXT_KINDS:
        into.text = textual.decode(context, data)
        _textual(context, kind.name, into, into.text)


def _textual(context: Context, kind: str, into: Contents, text: str) -> None:
    if kind in ("csv", "tsv"):
        into.grids = textual.delimited(context, text, "\t" if kind == "tsv" else None)
    elif kind == "markdown":
        into.grids = textual.markdown(context, text)
        textual.check_prose(context, text)
        context.add("text.look")
    elif kind == "html":
        into.grids = textual.html(context, text)
        textual.check_prose(context, re.sub(r"<[^>]{0,500}>", " ", text))
        context.add("text.look")
    elif kind == "script":
        scripts.check(context, text)
    elif kind == "notebook":
        found = scripts.notebook(context, text)
        into.grids, into.pictures, into.text = found.grids, found.pictures, "\n\n".join(found.code)
    elif kind == "svg":
        context.add("vector.look")
        textual.check_prose(context, re.sub(r"<[^>]{0,500}>", " ", text))
    elif kind == "json":
        context.add("kind.unknown", what="JSON")
        into.grids = textual.records(context, text)
    else:
        _prose(context, into)


def _prose(context: Context, into: Contents) -> None:
    text = into.text or ""
    into.grids = [*textual.markdown(context, text), *textual.printed(context, text)]
    textual.check_prose(context, text)
    context.add("text.look")


def _office(context: Context, data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        names = package.namelist()[:5000]
    for pattern, what in ((r"embeddings/", "embedded files"), (r"vbaProject", "macros"), (r"comments", "comments"),
                          (r"notesSlides/", "speaker notes"), (r"charts/", "the values behind a chart")):
        if any(re.search(pattern, name) for name in names):
            context.add("document.hidden", what=what)
