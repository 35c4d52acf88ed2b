"""The import contracts hold, and the runner that narrows them to what exists does not lose one on the way."""

from __future__ import annotations

from pathlib import Path

from strongroom.operate import contracts

CHECKOUT = Path(__file__).parents[2]


def test_every_contract_is_kept(capsys: object) -> None:
    assert contracts.check(CHECKOUT)


def test_a_module_that_does_not_exist_is_left_out_of_both_sides() -> None:
    contract = {"type": "forbidden", "name": "n", "source_modules": ["a", "b"], "forbidden_modules": ["c", "d"]}
    narrow = contracts.narrowed(contract, lambda name: name in "ac")
    assert narrow == {**contract, "source_modules": ["a"], "forbidden_modules": ["c"]}


def test_a_contract_with_nothing_to_forbid_is_dropped() -> None:
    contract = {"type": "forbidden", "name": "n", "source_modules": ["a"], "forbidden_modules": ["c"]}
    assert contracts.narrowed(contract, lambda name: name == "a") is None


def test_layers_keep_their_order() -> None:
    contract = {"type": "layers", "name": "n", "layers": ["a | b", "c", "d"]}
    narrow = contracts.narrowed(contract, lambda name: name != "b" and name != "c")
    assert narrow == {**contract, "layers": ["a", "d"]}


def test_a_broken_contract_is_reported(tmp_path: Path) -> None:
    """The check can fail: the same contracts over a tree whose policy imports its web side."""
    (tmp_path / "pyproject.toml").write_text((CHECKOUT / "pyproject.toml").read_text())
    for part in ("policy", "web"):
        folder = tmp_path / "src" / "strongroom" / part
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
    assert contracts.present("strongroom.policy", tmp_path / "src")
    assert not contracts.present("strongroom.warden", tmp_path / "src")
