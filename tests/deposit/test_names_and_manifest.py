"""Names and digests on which both ends agree."""

from __future__ import annotations

import hashlib
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.deposit import names
from strongroom.deposit.manifest import FileHash, Manifest, hash_file


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../etc/passwd", "path"), ("a/b", "path"), ("C:\\x", "path"), ("", "empty"), (".ssh", "dot"), ("..", "dot"),
        ("a\x00b", "U+0000"), ("a\nb", "U+000A"), ("\u202egpj.exe", "U+202E"), ("x" * 201, "longer"), ("a ", "space"),
        ("\ud800", "UTF-8"), ("a:b", r"U\+003A"),
    ],
)  # fmt: skip
def test_a_bad_name_says_why(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("U+", r"U\+") if "\\" not in why else why):
        names.clean(name)


@pytest.mark.parametrize("name", ["pupils 2024.csv", "Ergebnis-Ü.csv", "数据.txt", "a'b (1) [x].tar.gz"])
def test_good_names_stay(name: str) -> None:
    assert names.clean(unicodedata.normalize("NFD", name)) == unicodedata.normalize("NFC", name)


@given(st.text())
def test_what_is_accepted_is_one_component_and_stable(name: str) -> None:
    try:
        clean = names.clean(name)
    except ValueError:
        return
    assert "/" not in clean and not clean.startswith(".") and names.clean(clean) == clean


def test_the_digest_is_of_canonical_rows_in_order() -> None:
    files = [FileHash("b", 1, "bb"), FileHash("a", 2, "aa")]
    text = b'[{"name":"a","sha256":"aa","size":"2"},{"name":"b","sha256":"bb","size":"1"}]'
    assert Manifest.of(files).digest == hashlib.sha256(text).hexdigest()
    with pytest.raises(ValueError, match="same name"):
        Manifest.of([*files, files[0]])


def test_hashing_reads_in_blocks() -> None:
    content = bytes(3 << 20) + b"x"
    assert hash_file("n", io.BytesIO(content)) == FileHash("n", len(content), hashlib.sha256(content).hexdigest())
