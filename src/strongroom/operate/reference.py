"""The reference pages, made from the rules themselves: ``python -m strongroom.operate.reference`` writes ``docs/reference``."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from strongroom.domain import conditions as _registers  # noqa: F401  (fills the register of conditions)
from strongroom.domain.case import CONDITIONS, ROLE_WORDS
from strongroom.platforms.probes.catalogue import PROBES
from strongroom.platforms.probes.catalogue import reference as probes
from strongroom.policy.permissions import PERMISSIONS, ROLES
from strongroom.policy.questions import SETS, TIER_OF, question_set
from strongroom.policy.tiers import TIERS, matrix
from strongroom.policy.workflows import FINAL, WORKFLOWS

NOTE = "<!-- Generated from the rules by `python -m strongroom.operate.reference`; change the rules, not this page. -->\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


# Controls that nothing holds yet, and what is so instead; said here so that no reader is misled.
NOT_HELD = {
    "package_mirrors": "not built: an environment holds what its image holds, which is stricter than every value",
    "user_devices": "people's duty: devices are not registered, so nothing is observed about them",
    "software_ingress": "not built: nothing can be brought in, which is stricter than every value",
}


def controls(tests: Path) -> str:
    """Every control of every tier, who enforces it, where the rule comes from, and what shows that it holds."""
    rows = [
        [name.replace("_", " "), *(value.replace("_", " ") for value in control.values), control.enforcer, control.source]
        for name, control in matrix().items()
    ]
    head = ["control", *(f"Tier {tier}" for tier in TIERS), "enforced by", "source"]
    proof = [
        [name.replace("_", " "), ", ".join(f"`{one}`" for one in watched), "<br>".join(f"`{one}`" for one in shown)]
        for name, (watched, shown) in control_proofs(tests).items()
        if name not in NOT_HELD
    ]
    words = "Probes look at each running environment, at its creation and each hour; tests show that the control refuses.\n"
    gaps = "\n".join(f"- **{name.replace('_', ' ')}**: {why}." for name, why in NOT_HELD.items())
    return (
        f"{NOTE}\n# Controls by tier\n\n{table(head, rows)}\n## What shows that each holds\n\n{words}\n"
        f"{table(['control', 'probes', 'tests'], proof)}\n## Not held yet\n\n{gaps}\n"
    )


def control_proofs(tests: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Control → its probes, and the tests that name it."""
    found = _cited(tests)
    return {
        name: ([probe.id for probe in PROBES if probe.control == name], sorted(found.get(f"control:{name}", ())))
        for name in matrix()
    }


def permissions() -> str:
    """Who may do what, under which conditions."""
    rows = []
    for act, row in PERMISSIONS.items():
        marks = ["grave" if role in row.grave else "yes" if role in row.roles else "" for role in ROLES]
        rows.append([act, *marks, ", ".join(name.replace("_", " ") for name in row.conditions)])
    head = ["act", *(ROLE_WORDS[role] for role in ROLES), "conditions"]
    words = "A *grave* act needs a fresh login bound to that very decision. Every act is witnessed by the warden.\n"
    told = [f"- **{name.replace('_', ' ')}**: {(one.__doc__ or 'see its refusals').splitlines()[0]}" for name, one in sorted(CONDITIONS.items()) if one.__doc__]
    return f"{NOTE}\n# Who may do what\n\n{words}\n{table(head, rows)}\n## Conditions\n\n" + "\n".join(told) + "\n"


def workflows() -> str:
    """Every workflow as a state diagram."""
    parts = [NOTE, "# Workflows\n"]
    for name, rows in WORKFLOWS.items():
        lines = [f"    {'[*]' if before == '-' else before} --> {after}: {act}" for (before, act), after in rows.items()]
        lines += [f"    {state} --> [*]" for state in sorted(FINAL[name])]
        parts.append(f"## {name.capitalize()}\n\n```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + "\n```\n")
    return "\n".join(parts)


def classification() -> str:
    """The question sets."""
    parts = [NOTE, "# Classification\n"]
    for name in SETS:
        found = question_set(name)
        rows = [
            [key, question.asks, _place(question.yes), _place(question.no), question.cautious]
            for key, question in found.questions.items()
        ]
        words = "A person may also answer *not sure*: it takes the cautious branch.\n" if found.not_sure else ""
        parts.append(f"## {name}\n\n{words}\n{table(['question', 'asks', 'yes', 'no', 'cautious'], rows)}")
    return "\n".join(parts)


def _place(target: str) -> str:
    return f"**Tier {TIER_OF[target]}**" if target in TIER_OF else target


def _proofs(tests: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(tests.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "proves":
                    where = f"{path.relative_to(tests.parent)}::{node.name}"
                    yield from ((str(one.value), where) for one in mark.args if isinstance(one, ast.Constant))


def _order(number: str) -> tuple[str, tuple[int, ...]]:
    return number.split(":")[0].rstrip("0123456789"), tuple(map(int, re.findall(r"\d+", number)))


def proofs(tests: Path) -> dict[str, list[str]]:
    """Requirement number → ids of the tests that prove it, in the requirements' order."""
    found = {number: names for number, names in _cited(tests).items() if not number.startswith("control:")}
    return {number: sorted(found[number]) for number in sorted(found, key=_order)}


def _cited(tests: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for number, test in _proofs(tests):
        found.setdefault(number, set()).add(test)
    return found


def requirements(tests: Path) -> str:
    """What is proven, by what."""
    found = proofs(tests)
    papers = {f"P{number}" for number in range(1, 191)}
    missing = sorted(papers - set(found), key=_order)
    rows = [[number, "<br>".join(f"`{test}`" for test in names)] for number, names in found.items()]
    words = (
        f"{len(found)} requirements have a test that names them. P: the paper, D, F, U, L: the seed documents, satre: SATRE.\n\n"
        f"Of the paper's 190, not named by any test yet: {', '.join(missing)}.\n"
    )
    return f"{NOTE}\n# What each test proves\n\n{words}\n{table(['requirement', 'tests'], rows)}"


def pages(root: Path) -> dict[str, Callable[[], str]]:
    """File name → its maker."""
    tests = root / "tests"
    return {
        "controls.md": lambda: controls(tests),
        "permissions.md": permissions,
        "workflows.md": workflows,
        "classification.md": classification,
        "probes.md": lambda: f"{NOTE}\n{probes()}",
        "requirements.md": lambda: requirements(tests),
        "requirements.json": lambda: json.dumps(proofs(tests), indent=1) + "\n",
    }


def main() -> int:
    """Write the pages; with ``--check``, only say which are stale (exit 1)."""
    root = Path.cwd()
    stale = []
    for name, make in pages(root).items():
        path, text = root / "docs" / "reference" / name, make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    print(f"{'stale' if '--check' in sys.argv else 'written'}: {', '.join(stale) or 'none'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
