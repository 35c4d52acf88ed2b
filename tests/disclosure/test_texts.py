"""Tables and numbers within Markdown, HTML, JSON, printed output, scripts and notebooks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.disclosure.helpers import findings, places, rules, verdict
from tests.proves import proves

HTML = "<!DOCTYPE html><html><body><table><tr><th>gender<th>n</tr><tr><td>F<td>{}</tr><tr><td>M<td>40</tr></table></body></html>"


@pytest.mark.parametrize(
    ("file", "bad", "good"),
    [
        ("a.tsv", "gender\tn\nF\t3\n", "gender\tn\nF\t30\n"),
        ("a.md", "# T\n\n| gender | n |\n|---|---:|\n| F | 3 |\n", "# T\n\n| gender | n |\n|---|---:|\n| F | 30 |\n"),
        ("a.md", "gender | n\n--- | ---\nF | **3**\n", "gender | n\n--- | ---\nF | **30**\n"),
        (
            "a.md",
            "<table><tr><td>g<td>n</tr><tr><td>F<td>3</tr></table>",
            "<table><tr><td>g<td>n</tr><tr><td>F<td>30</tr></table>",
        ),
        ("a.html", HTML.format(3), HTML.format(30)),
        ("a.json", '[{"g": "F", "n": 3}]', '[{"g": "F", "n": 30}]'),
        ("a.txt", "gender n\nF 3\nM 40\n", "gender n\nF 30\nM 40\n"),
        ("a.txt", "   gender   n\n0  F        3\n1  M       40\n", "   gender   n\n0  F       30\n1  M       40\n"),
        ("a.txt", "    0  2  4\nF  30 20  3\nM  40 50 60\n", "    0  2  4\nF  30 20 33\nM  40 50 60\n"),
        (
            "a.txt",
            "gender\nF      3\nM     40\nName: count, dtype: int64\n",
            "gender\nF     30\nM     40\nName: count, dtype: int64\n",
        ),
        ("a.txt", "In one group n = 4.", "In one group n = 40."),
        ("a.md", "Only (N=7) answered.", "Only (N=70) answered; N = 1,200 were asked."),
        ("a.log", "No. Observations:    8\nDf Model:    3\n", "No. Observations:    80\nDf Model:    3\n"),
    ],
)
def test_small_counts_in_every_form(file: str, bad: str, good: str) -> None:
    assert verdict(file, bad) == "fail", rules(file, bad)
    assert verdict(file, good) in ("pass", "review"), findings(file, good)


def test_places_in_markdown_are_lines() -> None:
    assert places("a.md", "# T\n\ntext\n\n| g | n |\n|---|---|\n| F | 30 |\n| M | 3 |\n", "count.small") == {(8, 2)}


def test_small_numbers_in_words_are_for_people() -> None:
    assert "text.perhaps" in rules("a.md", "Only three pupils passed.")
    assert "text.perhaps" not in rules("a.md", "The three models agree.")


def test_html_spans() -> None:
    text = (
        "<html><table><tr><th rowspan=2>g</th><th colspan=2>n</th></tr><tr><th>F</th><th>M</th></tr>"
        "<tr><td>a</td><td>30</td><td>3</td></tr></table></html>"
    )
    assert places("a.html", text, "count.small") == {(3, 3)}
    assert "file.broken" not in rules("a.html", '<html><table><tr><td colspan="999999999">1</td></tr></table></html>')


@pytest.mark.parametrize(
    "part",
    [
        "<script>var x = [1]</script>",
        "<!-- 3 -->",
        "<p style='display: none'>x</p>",
        "<img src='data:image/png;base64,AA'>",
        "<svg></svg>",
    ],
)
def test_what_a_page_carries_is_for_people(part: str) -> None:
    assert "document.active" in rules("a.html", f"<html><body>{part}</body></html>")


def test_other_encodings_are_noted_and_read() -> None:
    assert rules("a.csv", "région,n\nx,3\n".encode("latin-1")) == {"text.encoding", "count.small"}


@proves("U24")
@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("x <- c(1.5, 2.5, 3, 4, 5, 6, 7, 8, 9, 10)", "script.literal-data"),
        ("x = [1,\n 2, 3,\n 4, 5, 6,\n 7, 8, 9,\n 10, 11]", "script.literal-data"),
        ('d <- read.table(text = "a b', "script.literal-data"),
        ('names = ["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p"]', "script.literal-data"),
        ("d = d[d.pupil_id == 123456]", "script.single-unit"),
        ("d <- subset(d, student %in% c(17, 18))", "script.single-unit"),
        ('pd.read_csv("/mnt/secure/data.csv")', "script.path"),
        ('setwd("C:/Users/me/project")', "script.path"),
        ('con = "postgresql://db.internal/x"', "script.path"),
        ('host = "10.1.2.3"', "script.path"),
        ('password = "hunter22"', "script.secret"),
        ("-----BEGIN RSA PRIVATE KEY-----", "script.secret"),
        ('x = "' + "QUJD" * 60 + '"', "script.encoded"),
    ],
)
@pytest.mark.parametrize("file", ["a.py", "a.R"])
def test_what_a_script_should_not_hold(file: str, line: str, rule: str) -> None:
    assert rule in rules(file, line)
    assert verdict(file, line) == "review"


SCRIPT = '''"""Attainment by gender and authority."""
import os
import pandas as pd
import statsmodels.formula.api as smf

data = pd.read_csv("chem97.csv")
counts = data.groupby(["lea", "gender"]).size().reset_index(name="n")
counts = counts[counts["n"] >= 10]  # threshold
counts.to_csv(os.path.join("output", "counts.csv"), index=False)
model = smf.ols("score ~ gender + gcsescore", data=data).fit()
for name in ("score", "age"):
    print(name, round(data[name].mean(), 2))
colours = ["red", "green", "blue"]
bins = [0, 2, 4, 6, 8, 10]
'''


def test_an_ordinary_script_passes() -> None:
    assert rules("analysis.py", SCRIPT) == set()


def test_an_ordinary_r_script_passes() -> None:
    text = 'library(stats)\nd <- read.csv("chem97.csv")\nt <- table(d$lea, d$score)\nt[t < 10] <- NA\nwrite.csv(t, "t.csv")\n'
    assert rules("analysis.R", text) == set()


def notebook(*cells: dict[str, Any], **meta: Any) -> str:
    return json.dumps({"cells": list(cells), "metadata": meta, "nbformat": 4, "nbformat_minor": 5})


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": [source], "outputs": list(outputs), "metadata": {}}


def shown(**data: Any) -> dict[str, Any]:
    return {"output_type": "execute_result", "data": {key.replace("_", "/"): value for key, value in data.items()}}


@pytest.mark.parametrize(
    "output",
    [
        shown(text_html=["<table><tr><th></th><th>n</th></tr>", "<tr><td>F</td><td>3</td></tr></table>"]),
        shown(text_plain="   gender   n\n0  F        3\n1  M       40"),
        {"output_type": "stream", "name": "stdout", "text": ["gender n\n", "F 3\n", "M 40\n"]},
        shown(text_markdown="| g | n |\n|---|---|\n| F | 3 |"),
    ],
)
def test_small_counts_in_notebook_outputs(output: dict[str, Any]) -> None:
    found = [item for item in findings("a.ipynb", notebook(code("1"), code("t", output))) if item.severity == "fail"]
    assert found
    assert str(found[0].locator.sheet).startswith("cell 2 output 1")


def test_a_clean_notebook_passes() -> None:
    text = notebook(code("import pandas as pd"), {"cell_type": "markdown", "source": "# Results", "metadata": {}})
    assert rules("a.ipynb", text) == set()


def test_what_a_notebook_hides() -> None:
    assert "notebook.hidden" in rules("a.ipynb", notebook(widgets={"state": {"a": 1}}))
    assert "notebook.hidden" in rules("a.ipynb", notebook({**code("1"), "attachments": {"a.png": {}}}))
    assert "notebook.output" in rules(
        "a.ipynb", notebook(code("1", {"output_type": "display_data", "data": {"application/json": {}}}))
    )
    assert "script.path" in rules("a.ipynb", notebook(code('open("/mnt/x")')))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"cells": 3}',
        '{"cells": [3]}',
        "[" * 50_000,
        '{"cells": [{"outputs": [{"data": {"image/png": "!!"}}]}]}',
    ],
)
def test_broken_notebooks_are_told(text: str) -> None:
    assert verdict("a.ipynb", text) == "fail"
    assert "file.broken" in rules("a.ipynb", text)
