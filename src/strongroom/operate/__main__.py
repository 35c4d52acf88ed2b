"""The commands of ``./strongroom``."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from strongroom.layout import DEFAULT_INSTANCE, DEFAULT_PORT

INSTANCE = re.compile(r"[a-z][a-z0-9-]{0,11}")


def instance_name(text: str) -> str:
    """An instance's name is part of user names (at most 32 characters) and of paths."""
    if not INSTANCE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r}: an instance's name is 1 to 12 small letters, digits or hyphens, starting with a letter"
        )
    return text


def first_port(text: str) -> int:
    """The inside listener's port; the outside listener takes the next one."""
    if not text.isdecimal() or not 1024 <= int(text) <= 65534:
        raise argparse.ArgumentTypeError(f"{text!r}: a port is a number from 1024 to 65534 (the next one is taken too)")
    return int(text)


def test(arguments: argparse.Namespace, checkout: Path) -> int:
    """All tests: style, types, import contracts, fast tests, tests with real components."""
    from strongroom.operate import checks

    return checks.run(checkout, tuple(arguments.rest))


def parser() -> argparse.ArgumentParser:
    """The command line, with the environment's values as defaults."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--instance", type=instance_name, default=argparse.SUPPRESS, help="name of the installation")
    common.add_argument("--port", type=first_port, default=argparse.SUPPRESS, help="first of its two ports")
    top = argparse.ArgumentParser(prog="strongroom", description="A trusted research environment.", parents=[common])
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    tests = commands.add_parser("test", parents=[common], help=test.__doc__)
    tests.set_defaults(run=test)
    return top


def main(words: list[str]) -> int:
    """Run one command and return its exit code."""
    checkout = Path(os.environ["STRONGROOM_DOOR"]).parent
    arguments, rest = parser().parse_known_args(words)
    if rest and arguments.command != "test":
        parser().error(f"unrecognised arguments: {' '.join(rest)}")
    arguments.rest = rest
    os.environ["STRONGROOM_INSTANCE"] = getattr(
        arguments, "instance", os.environ.get("STRONGROOM_INSTANCE", DEFAULT_INSTANCE)
    )
    os.environ["STRONGROOM_PORT"] = str(
        getattr(arguments, "port", os.environ.get("STRONGROOM_PORT", str(DEFAULT_PORT)))
    )
    code: int = arguments.run(arguments, checkout)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
