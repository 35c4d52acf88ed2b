"""What a file is by its content, never by its name."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import Final

from strongroom.disclosure.words import word_set

#: Kinds that the rules read; every other text or binary is unknown.
TEXT_KINDS: Final = frozenset({"csv", "tsv", "markdown", "html", "notebook", "script", "text", "json", "svg"})

_ENDINGS: Final = {
    "csv": "csv", "tsv": "tsv", "tab": "tsv", "md": "markdown", "markdown": "markdown", "html": "html", "htm": "html",
    "ipynb": "notebook", "py": "script", "r": "script", "txt": "text", "log": "text", "json": "json", "svg": "svg",
    "png": "png", "jpg": "jpeg", "jpeg": "jpeg", "pdf": "pdf", "xlsx": "xlsx", "docx": "office", "pptx": "office",
    "tex": "text", "do": "script", "sql": "script", "sps": "script", "sas": "script", "rmd": "script", "qmd": "script",
    "yaml": "text", "yml": "text", "toml": "text", "rst": "text",
}
_DATA_ENDINGS: Final = word_set(
    "parquet pq feather arrow rds rdata rda pkl pickle joblib npy npz sqlite sqlite3 db duckdb dta sav zsav por sas7bdat "
    "xpt spv gph ster h5 hdf5 mat zip tar gz tgz bz2 xz 7z rar zst dcm vcf bam onnx pt pth xls xlsb xlsm mdb accdb jsonl ndjson"
)
_MAGIC: Final = (
    (b"PAR1", "data", "Parquet"), (b"ARROW1", "data", "Arrow"), (b"FEA1", "data", "Feather"),
    (b"SQLite format 3\x00", "data", "SQLite"), (b"\x89HDF\r\n\x1a\n", "data", "HDF5"), (b"\x93NUMPY", "data", "NumPy"),
    (b"<stata_dta>", "data", "Stata"), (b"$FL2", "data", "SPSS"), (b"$FL3", "data", "SPSS"), (b"RDX", "data", "R"),
    (b"RDA", "data", "R"), (b"MATLAB 5.0 MAT-file", "data", "MATLAB"), (b"HEADER RECORD*******LIBRARY HEADER", "data", "SAS"),
    (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc2\xea\x81\x60", "data", "SAS"),
    (b"\x1f\x8b", "data", "gzip or R"), (b"BZh", "data", "bzip2 or R"), (b"\xfd7zXZ\x00", "data", "xz or R"),
    (b"7z\xbc\xaf\x27\x1c", "data", "7z"), (b"Rar!\x1a\x07", "data", "RAR"), (b"\x28\xb5\x2f\xfd", "data", "zstd"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "data", "old Office, SPSS or protected file"),
    (b"\x89PNG\r\n\x1a\n", "png", "PNG"), (b"\xff\xd8\xff", "jpeg", "JPEG"), (b"%PDF-", "pdf", "PDF"),
    (b"\x7fELF", "unknown", "program"), (b"MZ", "unknown", "program"), (b"GIF8", "unknown", "GIF"),
    (b"II*\x00", "unknown", "TIFF"), (b"MM\x00*", "unknown", "TIFF"), (b"%!PS", "unknown", "PostScript"),
    (b"X\n\x00\x00\x00", "data", "R"), (b"A\n2\n", "data", "R"), (b"A\n3\n", "data", "R"),
)
_PICKLE: Final = re.compile(rb"\x80[\x02-\x05]")
_OLD_PICKLE: Final = re.compile(rb"\(?(?:[ld]p\d|c[\w.]+\n[\w.]+\n)")


@dataclass(frozen=True)
class Kind:
    """``name`` of the kind, what it is called, and whether the file's name claims another kind."""

    name: str
    what: str
    mismatch: bool = False


def ending(file: str) -> str:
    """A file name's ending in lower case, without the dot."""
    name = file.rsplit("/", 1)[-1]
    return name.rpartition(".")[2].casefold() if "." in name.strip(".") else ""


def sniff(file: str, data: bytes) -> Kind:
    """What this file is."""
    end = ending(file)
    claimed = "data" if end in _DATA_ENDINGS else _ENDINGS.get(end, "unknown")
    found = _binary(data)
    if found is None:
        return _text(end, claimed, data)
    name, what = found
    return Kind(name, what, claimed not in (name, "unknown"))


def _binary(data: bytes) -> tuple[str, str] | None:
    for magic, name, what in _MAGIC:
        if data.startswith(magic):
            return name, what
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _package(data)
    if _PICKLE.match(data) and data.rstrip(b"\n").endswith(b".") or _OLD_PICKLE.match(data):
        return "data", "pickle"
    if data[257:262] == b"ustar":
        return "data", "tar"
    if data[128:132] == b"DICM":
        return "data", "DICOM"
    if data[:1] in b"qrsuvw" and data[1:2] in (b"\x01", b"\x02") and data[2:4] == b"\x01\x00":
        return "data", "Stata"
    if data[:2] in (b"\x78\x01", b"\x78\x9c", b"\x78\xda") and _inflates(data):
        return "data", "zlib"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data:
        return "unknown", "binary, or text that is not UTF-8"
    return None


def _inflates(data: bytes) -> bool:
    try:
        return bool(zlib.decompressobj().decompress(data[:65536], 1024))
    except zlib.error:
        return False


def _package(data: bytes) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = set(package.namelist()[:20_000])
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, RuntimeError):
        return "data", "zip, broken"
    if "[Content_Types].xml" in names:
        if "xl/workbook.xml" in names:
            return "xlsx", "Excel workbook"
        if "word/document.xml" in names or "ppt/presentation.xml" in names:
            return "office", "Office document"
    return "data", "zip"


def _text(end: str, claimed: str, data: bytes) -> Kind:
    start = data[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    looks = ""
    if start.startswith((b"<!doctype html", b"<html")):
        looks = "html"
    elif b"<svg" in start and start.startswith((b"<?xml", b"<svg", b"<!--", b"<!doctype svg")):
        looks = "svg"
    if claimed in ("png", "jpeg", "pdf", "xlsx", "office"):
        return Kind(looks or "text", looks or "text", True)
    if claimed == "data":
        return Kind("data", f".{end}")
    if looks and looks != claimed:
        return Kind(looks, looks, claimed not in ("unknown", "text"))
    if claimed == "unknown":
        return Kind("unknown", f"text, .{end}" if end else "text without an ending")
    return Kind(claimed, claimed)
