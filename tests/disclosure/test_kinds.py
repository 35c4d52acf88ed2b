"""What a file is: by its bytes, against its name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest

from strongroom.disclosure import kinds
from tests.disclosure.helpers import rules, verdict
from tests.proves import proves


def zipped(names: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, data in names.items():
            package.writestr(name, data)
    return out.getvalue()


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as package:
        package.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return out.getvalue()


def database(folder: Path) -> bytes:
    path = folder / "x.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    connection.close()
    return path.read_bytes()


DATA = {
    "pickle": pickle.dumps({"a": [1, 2, 3]}),
    "old pickle": pickle.dumps([1, 2], protocol=0),
    "gzip": gzip.compress(b"a"),
    "rds": gzip.compress(b"X\n\x00\x00\x00\x03"),
    "bzip2": bz2.compress(b"a"),
    "xz": lzma.compress(b"a"),
    "tar": tarred(),
    "zip": zipped({"a.csv": b"1"}),
    "parquet": b"PAR1\x15\x04PAR1",
    "feather": b"ARROW1\x00\x00",
    "numpy": b"\x93NUMPY\x01\x00",
    "stata": b"<stata_dta><header>",
    "old stata": b"\x72\x02\x01\x00aa",
    "spss": b"$FL2@(#) SPSS DATA FILE",
    "hdf5": b"\x89HDF\r\n\x1a\n",
    "ascii rds": b"A\n3\n262144\n",
    "xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
}


@proves("U23", "satre:3.3.07")
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("file", ["out.csv", "out.bin", "out.png"])
def test_data_files_fail_under_any_name(name: str, file: str) -> None:
    assert "kind.data" in rules(file, DATA[name])
    assert verdict(file, DATA[name]) == "fail"


def test_a_database_fails(tmp_path: Path) -> None:
    assert "kind.data" in rules("t.csv", database(tmp_path))


@pytest.mark.parametrize("file", ["a.rds", "a.dta", "a.sav", "a.parquet", "a.zip", "a.jsonl", "a.PKL"])
def test_data_endings_fail_whatever_they_hold(file: str) -> None:
    assert "kind.data" in rules(file, "hello")


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a.csv", b"%PDF-1.7 x"),
        ("a.png", b"a,b\n1,2\n"),
        ("a.xlsx", b"a,b\n1,2\n"),
        ("a.pdf", b"hello"),
        ("a.csv", b"<html><body>x"),
        ("a.png", b"\xff\xd8\xff\xe0"),
        ("a.csv", zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""})),
        ("a.py", b"<svg></svg>"),
    ],
)
def test_a_name_that_lies_fails(file: str, data: bytes) -> None:
    assert "kind.mismatch" in rules(file, data)


@pytest.mark.parametrize(
    ("file", "data", "kind"),
    [
        ("a.csv", b"a,b\n", "csv"),
        ("a.TSV", b"a\tb\n", "tsv"),
        ("a.md", b"# A", "markdown"),
        ("a.R", b"x <- 1", "script"),
        ("a.html", b"<!DOCTYPE html><html>", "html"),
        ("a.svg", b"<?xml version='1.0'?><svg>", "svg"),
        ("a.txt", b"<html>", "html"),
        ("dir.csv/plain", b"a", "unknown"),
        (".hidden", b"a", "unknown"),
        ("a.xyz", b"a", "unknown"),
        ("a", b"\x7fELF", "unknown"),
        ("a.csv", b"", "csv"),
        ("a.dat", b"\x00\x01", "unknown"),
    ],
)
def test_kinds_without_a_lie(file: str, data: bytes, kind: str) -> None:
    found = kinds.sniff(file, data)
    assert (found.name, found.mismatch) == (kind, False)


@proves("satre:3.3.07")
@pytest.mark.parametrize(
    ("file", "data"), [("a.xyz", b"hello"), ("a", b"hello"), ("a.bin", b"\x00\x01\x02"), ("a.exe", b"MZ\x90")]
)
def test_unknown_kinds_are_for_people(file: str, data: bytes) -> None:
    assert "kind.unknown" in rules(file, data)
    assert verdict(file, data) == "review"


def test_unknown_text_is_still_read() -> None:
    assert verdict("a.out", "Group  n\nF      3\nM      40\n") == "fail"


@pytest.mark.parametrize(("file", "data"), [("a.svg", b"<svg></svg>"), ("a.pdf", b"%PDF-1.4\n%%EOF")])
def test_vector_drawings_are_for_people(file: str, data: bytes) -> None:
    assert rules(file, data) == {"vector.look"}


@proves("U23")
def test_what_a_pdf_hides_fails() -> None:
    assert "document.hidden" in rules("a.pdf", b"%PDF-1.4\n<< /EmbeddedFiles 3 0 R >>")


@proves("U23")
def test_what_an_office_document_hides_fails() -> None:
    plain = {"[Content_Types].xml": b"", "word/document.xml": b""}
    assert verdict("a.docx", zipped(plain)) == "review"
    assert verdict("a.docx", zipped({**plain, "word/embeddings/book.xlsx": b""})) == "fail"
