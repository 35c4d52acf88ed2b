"""A whole folder: limits, links, hostile files, previews and the command."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.disclosure import BadProfile, Profile, check, check_and_render, examine, load, names, render
from strongroom.disclosure.profile import parse
from tests.proves import proves

ROOT = Path(__file__).parents[2]
GOOD = "gender,n\nF,30\nM,40\n"
BAD = "gender,n\nF,3\nM,40\n"


def limited(**limits: int) -> Profile:
    profile = load()
    return dataclasses.replace(profile, limits={**profile.limits, **limits})


def rules_of(folder: Path, profile: Profile | None = None) -> set[str]:
    return {item.rule for item in check(folder, profile).findings}


@proves("satre:3.3.04")
def test_the_strictest_verdict_counts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    assert check(tmp_path).verdict == "pass"
    (tmp_path / "b.md").write_text("# Results\n")
    assert check(tmp_path).verdict == "review"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.csv").write_text(BAD)
    result = check(tmp_path)
    assert result.verdict == "fail"
    assert [(item.file, item.verdict) for item in result.files] == [
        ("a.csv", "pass"),
        ("b.md", "review"),
        ("sub/c.csv", "fail"),
    ]
    assert [item.file for item in result.findings if item.severity == "fail"] == ["sub/c.csv"]


@proves("satre:3.3.09")
def test_the_record_is_plain_json_with_the_profile(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BAD)
    told = json.loads(json.dumps(check(tmp_path).to_json()))
    assert (told["profile"], told["profile_version"], told["verdict"]) == ("uk-sdap", "1", "fail")
    finding = told["findings"][0]
    assert finding["locator"] == {"sheet": None, "row": 2, "column": 2}
    assert set(finding) == {"rule", "severity", "source", "file", "locator", "words", "mend"}


def test_special_files_fail_and_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    (tmp_path / "folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe.csv")
    result = check(tmp_path)
    assert [(item.rule, item.file) for item in result.findings] == [
        ("file.special", "folder"),
        ("file.special", "link.csv"),
        ("file.special", "pipe.csv"),
    ]


def test_limits_are_findings(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.csv").write_text(GOOD)
    assert rules_of(tmp_path, limited(files=4)) == {"file.limit"}
    assert rules_of(tmp_path, limited(file_bytes=10)) == {"file.limit"}
    assert rules_of(tmp_path, limited(total_bytes=50)) == {"file.limit"}
    assert rules_of(tmp_path, limited(rows=2)) == {"file.limit"}
    assert rules_of(tmp_path) == set()


def test_deep_folders_fail(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefghijkl")
    deep.mkdir(parents=True)
    (deep / "a.csv").write_text(GOOD)
    assert rules_of(tmp_path) == {"file.special"}


def test_names_and_empty_folders_are_for_people(tmp_path: Path) -> None:
    assert check(tmp_path).verdict == "review"
    (tmp_path / ".hidden.csv").write_text(GOOD)
    (tmp_path / "a\u202eb.csv").write_text(GOOD)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")).write_text(GOOD)
    result = check(tmp_path)
    assert [item.rule for item in result.findings] == ["file.name"] * 3
    json.dumps(result.to_json()).encode()


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a.csv", b'a,"' + b"x" * 3_000_000),
        ("a.csv", b"," * 2_000_000),
        ("a.csv", b"a\n" * 2_000_000),
        ("a.md", b"|" * 1_000_000),
        ("a.md", (b"|a|b|\n|--|--|\n|1|2|\n\n") * 20_000),
        ("a.md", b"| -" * 300_000),
        ("a.html", b"<html>" + b"<div>" * 200_000),
        ("a.html", b"<html><table>" * 20_000),
        ("a.json", b"[" * 1_000_000),
        ("a.txt", b"1 2 3\n" * 200_000),
        ("a.txt", b"n = " * 300_000),
        ("a.py", b"1, " * 500_000),
        ("a.py", b"a" * 3_000_000),
        ("a.py", b"'a', " * 400_000),
        ("a.R", b"\\x41" * 400_000),
        ("a.csv", b"n,percent\n" + b"100000000000000,50\n" * 3000),
        ("a.svg", b"<svg>" + b"<" * 1_000_000),
    ],
)
def test_hostile_files_end_in_time(tmp_path: Path, file: str, data: bytes) -> None:
    (tmp_path / file).write_bytes(data)
    start = time.monotonic()
    result = check(tmp_path, limited(seconds=3))
    assert time.monotonic() - start < 14
    assert result.files[0].file == file


def test_too_little_memory_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n" + "x,y\n" * 4_000_000)
    assert check(tmp_path, limited(memory_bytes=20_000_000, rows=4_000_000)).verdict == "fail"


@settings(max_examples=60, deadline=None)
@given(
    file=st.sampled_from(
        ["a.csv", "a.md", "a.html", "a.json", "a.ipynb", "a.py", "a.txt", "a.png", "a.jpg", "a.xlsx", "a.svg", "a"]
    ),
    data=st.binary(max_size=300)
    | st.text(alphabet="|,-<>=[]{}\"'n 0123456789.%\n\ttable:", max_size=300).map(str.encode),
)
def test_no_bytes_crash_the_check(file: str, data: bytes) -> None:
    result, found, shown = examine(load(), file, data, previewed=True)
    assert shown is not None
    assert result.verdict in ("pass", "review", "fail")
    assert not [item for item in found if "Error" in item.words and not file.endswith("xlsx")]


def test_previews_show_cells_with_their_flags(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BAD)
    (tmp_path / "b.py").write_text("x = 1\npassword = 'hunter22'\n")
    first, second = render(tmp_path)
    assert first["tables"][0]["rows"][1] == {
        "row": 2,
        "cells": ["F", "3"],
        "flags": [{"column": 2, "severity": "fail", "rule": "count.small"}],
    }
    assert second["text"].startswith("x = 1")
    assert second["text_flags"] == [[2, "review", "script.secret"]]


def test_previews_are_bounded_but_show_late_flags(tmp_path: Path) -> None:
    lines = ["g,n", *[f"{'long' * 100},40"] * 1000, "last,3"]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    result, (shown,) = check_and_render(tmp_path)
    table = shown["tables"][0]
    assert (len(table["rows"]), table["total_rows"], table["cut"]) == (201, 1002, True)
    assert table["rows"][-1]["row"] == 1002
    assert len(table["rows"][1]["cells"][0]) == 200
    assert result.verdict == "fail"


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(BAD)
    call = [sys.executable, "-m", "strongroom.disclosure"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    plain = subprocess.run([*call, str(tmp_path)], capture_output=True, text=True, env=env)
    assert plain.returncode == 1
    assert "a.csv (row 2, column 2): This cell counts fewer than 10 units." in plain.stdout
    told = subprocess.run([*call, str(tmp_path), "--json", "--previews"], capture_output=True, text=True, env=env)
    assert set(json.loads(told.stdout)) == {"result", "previews"}
    wrong = subprocess.run([*call, str(tmp_path / "none")], capture_output=True, text=True, env=env)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "name the folder" in wrong.stderr


def test_a_missing_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = import_module("openpyxl").Workbook()
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "b.html").write_text("<html><table><tr><td>n</td></tr><tr><td>3</td></tr></table></html>")
    for name in ("openpyxl", "lxml.etree"):
        monkeypatch.setitem(sys.modules, name, None)
    found = [item for item in check(tmp_path).findings if item.rule == "file.unchecked"]
    assert [(item.file, item.severity) for item in found] == [("a.xlsx", "fail"), ("b.html", "fail")]
    assert "openpyxl" in found[0].words


def test_profiles() -> None:
    assert names() == ["uk-sdap"]
    assert load().threshold == 10
    with pytest.raises(BadProfile, match="choose one of uk-sdap"):
        load("none")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('version = "1"', "", "lacks version"),
        ("count = 10", 'count = "ten"', "whole number"),
        ("count = 10", "cuont = 10", "unknown names"),
        ('severity = "review"', 'severity = "maybe"', "has severity"),
        ('[rules."count.small"]', '[rules."count.tiny"]', "unknown rules"),
        ("{threshold}", "{nothing}", "unknown name in braces"),
        ("name =", "name", "not TOML"),
        ("[limits]", "[limts]", "unknown parts"),
    ],
)
def test_bad_profiles_say_what_is_wrong(old: str, new: str, words: str) -> None:
    text = (ROOT / "src/strongroom/disclosure/profiles/uk-sdap.toml").read_text()
    assert old in text
    with pytest.raises(BadProfile, match=words):
        parse(text.replace(old, new))
