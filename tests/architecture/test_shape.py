"""Modules and functions stay small enough to read; those that do not are named here with a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
LONGEST_MODULE, LONGEST_FUNCTION = 400, 50

# Name -> why it is as long as it is.
LONG_MODULES = {
    "operate/demo/story.py": "the demonstration, told step by step in the order in which it happens",
    "domain/project.py": "one fold over every kind of entry of a project's life, read top to bottom",
}
LONG_FUNCTIONS = {
    "warden/works/environments.py:prepare": "everything that is made before an environment starts, in its order",
}


def modules() -> list[Path]:
    return [path for path in sorted(SRC.rglob("*.py")) if "migrations" not in path.parts]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Qualified name and length in lines of each function, docstring and decorators left out."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}{child.name}"
                if not isinstance(child, ast.ClassDef):
                    body = child.body[1:] if ast.get_docstring(child) and len(child.body) > 1 else child.body
                    yield name, (child.end_lineno or 0) - body[0].lineno + 1
                yield from walk(child, f"{name}.")
            else:
                yield from walk(child, prefix)

    yield from walk(ast.parse(path.read_text()), "")


def name_of(path: Path) -> str:
    return str(path.relative_to(SRC / "strongroom"))


def test_modules_are_short_or_named() -> None:
    long = {
        name_of(path): count for path in modules() if (count := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert set(long) <= set(LONG_MODULES), long
    assert all((SRC / "strongroom" / name).is_file() for name in LONG_MODULES)


def test_functions_are_short_or_named() -> None:
    long = {
        f"{name_of(path)}:{name}": length
        for path in modules()
        for name, length in functions(path)
        if length > LONGEST_FUNCTION
    }
    assert set(long) <= set(LONG_FUNCTIONS), long


def test_every_module_says_what_it_is() -> None:
    silent = [
        name_of(path)
        for path in modules()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


@pytest.mark.parametrize("count,found", [(49, []), (52, [("f", 52)])])
def test_the_measure_counts_lines_of_code(tmp_path: Path, count: int, found: list[tuple[str, int]]) -> None:
    path = tmp_path / "x.py"
    path.write_text('def f():\n    """What."""\n' + "    x = 1\n" * count)
    assert [each for each in functions(path) if each[1] > LONGEST_FUNCTION] == found
