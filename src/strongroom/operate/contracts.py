"""Check the import contracts of pyproject.toml for the packages that exist, so that a contract holds from its
package's first day without the whole list failing before it."""

from __future__ import annotations

import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = "strongroom"
INI = """[importlinter]
root_packages =
    {root}
include_external_packages = True
"""


def present(name: str, src: Path) -> bool:
    """Whether a module of ours has code in the source tree; modules of others always count as present."""
    if name.split(".")[0] != ROOT:
        return True
    path = src.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def narrowed(contract: dict[str, Any], exists: Callable[[str], bool]) -> dict[str, Any] | None:
    """The contract without modules that do not exist; None when nothing is left for it to forbid."""
    if contract["type"] == "layers":
        rows = [[name.strip() for name in row.split("|") if exists(name.strip())] for row in contract["layers"]]
        layers = [" | ".join(row) for row in rows if row]
        return {**contract, "layers": layers} if layers else None
    sources = [name for name in contract["source_modules"] if exists(name)]
    forbidden = [name for name in contract["forbidden_modules"] if exists(name)]
    return {**contract, "source_modules": sources, "forbidden_modules": forbidden} if sources and forbidden else None


def configuration(contracts: list[dict[str, Any]]) -> str:
    """The contracts in import-linter's own file format."""
    lines = [INI.format(root=ROOT)]
    for number, contract in enumerate(contracts):
        lines.append(f"[importlinter:contract:{number}]")
        for key, value in contract.items():
            text = "".join(f"\n    {item}" for item in value) if isinstance(value, list) else value
            lines.append(f"{key} = {text}")
        lines.append("")
    return "\n".join(lines)


def check(checkout: Path) -> bool:
    """Run import-linter over the contracts that apply; prints its report and says whether all are kept."""
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    src = checkout / "src"
    declared = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    narrow = [narrowed(contract, lambda name: present(name, src)) for contract in declared]
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(configuration([contract for contract in narrow if contract]))
        file.flush()
        return bool(lint_imports(config_filename=file.name, no_cache=True) == EXIT_STATUS_SUCCESS)


if __name__ == "__main__":
    sys.exit(0 if check(Path.cwd()) else 1)
