"""The commands of ``./strongroom``."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from strongroom.layout import DEFAULT_INSTANCE, DEFAULT_PORT, Layout
from strongroom.operate.control import ControlFailed
from strongroom.operate.install import InstallFailed

INSTANCE = re.compile(r"[a-z][a-z0-9-]{0,9}")
DEMO = "strongroom.operate.demo"
Command = Callable[[argparse.Namespace, Path], int]


def instance_name(text: str) -> str:
    """An instance's name is part of user names (at most 32 characters) and of paths."""
    if not INSTANCE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r}: an instance's name is 1 to 10 small letters, digits or hyphens, starting with a letter"
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


def up(arguments: argparse.Namespace, checkout: Path) -> int:
    """Install what is missing, start everything, and print the address to open."""
    from strongroom.operate import control

    layout = Layout.current()
    print(f"Starting {layout.instance}…", flush=True)
    control.up(layout, checkout)
    print(f"Open {layout.app_url} (from outside the institution's network: {layout.outside_url})")
    print(f"The certificate of its own authority, for your browser: {layout.authority}")
    _first_people(layout, getattr(arguments, "first_manager", ""))
    return 0


def _first_people(layout: Layout, email: str) -> None:
    """Let the first System and Programme Manager in by a one-time link; the directory takes it from there."""
    from strongroom.identity import manage

    if email:
        groups = [word for group in ("system-managers", "programme-managers") for word in ("--group", group)]
        link = manage.call(layout, "enrolment-link", "--email", email, "--name", email.partition("@")[0], *groups)
        print(f"{email} chooses password and second factor here, once: {link['link']}")
    elif not manage.call(layout, "people"):
        print("Nobody has an account yet. Let the first manager in: ./strongroom up --first-manager EMAIL")


def down(arguments: argparse.Namespace, checkout: Path) -> int:
    """Stop everything; state stays, and no process, mount, container, network or table does."""
    from strongroom.operate import control

    control.down(Layout.current())
    print("Stopped. Nothing of it is running or mounted.")
    return 0


def destroy_instance(arguments: argparse.Namespace, checkout: Path) -> int:
    """Stop everything and remove it with all its data from this machine."""
    from strongroom.operate import control

    layout = Layout.current()
    if arguments.yes != layout.instance:
        print(
            f"This removes every project, dataset and record of '{layout.instance}' for good. "
            f"If that is meant, add: --yes {layout.instance}",
            file=sys.stderr,
        )
        return 2
    control.destroy(layout)
    print(f"Removed: {layout.state}, {layout.run}, {layout.code} and the users.")
    return 0


def status(arguments: argparse.Namespace, checkout: Path) -> int:
    """What runs; exit code 0 when all of it does."""
    from strongroom.operate import control

    now = control.status(Layout.current())
    if arguments.json:
        print(json.dumps(now, indent=2))
    elif not now["supervised"]:
        print(f"{now['instance']} is not running. Start it with: ./strongroom up")
    else:
        for name, row in now["processes"].items():
            print(f"{name:10} {row['phase']:10} as {row['user']:22} pid {row['pid'] or '-'}, restarts {row['restarts']}")
        print(f"{now['url']}  (outside: {now['outside_url']})")
    return 0 if now["up"] else 1


def audit(arguments: argparse.Namespace, checkout: Path) -> int:
    """Export both logs of this installation, or verify an export with nothing but the export."""
    if arguments.action == "verify":
        from strongroom.ledger import cli

        return cli.verify(arguments.path)
    from strongroom.operate import audit as exporting

    for line in exporting.export(Layout.current(), arguments.path):
        print(line)
    return 0


def doctor(arguments: argparse.Namespace, checkout: Path) -> int:
    """What this machine can and cannot do for environments; exit code 0 when Tier 2 and above can run."""
    from strongroom.operate import doctor as examining

    findings = examining.examine(Layout.current())
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        print(examining.told(findings))
    return 0 if all(finding.good or not finding.needed for finding in findings) else 1


def _handed_on(module: str) -> Command:
    """A command that is a program of its own, with the rest of the words as its arguments."""

    def run(arguments: argparse.Namespace, checkout: Path) -> int:
        checkout_option = ["--checkout", str(checkout)] if module == DEMO else []
        command = [sys.executable, "-m", module, *checkout_option, *arguments.rest]
        return subprocess.run(command, check=False).returncode

    return run


# Commands that take any further words; what they mean is the named module's business.
HANDED_ON = {
    "demo": (DEMO, "start everything and take a real project through its whole life"),
    "code": ("strongroom.operate.demo.code", "the current one-time code of a person of the demonstration: code NAME"),
    "deposit": ("strongroom.deposit", "hand a dataset to an installation: deposit --help"),
    "attest": ("strongroom.attest", "verify what a warden signed about an environment: attest verify FILE"),
    "check": ("strongroom.disclosure", "check outputs before a request for release: check --help"),
}


def instance_first(words: list[str]) -> list[str]:
    """Put ``--instance`` and ``--port`` before a command that hands on its words but runs on this installation."""
    if not {"demo", "code"} & set(words):
        return words
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("--instance")
    options.add_argument("--port")
    known, rest = options.parse_known_args(words)
    given = [word for name, value in vars(known).items() if value is not None for word in (f"--{name}", value)]
    return [*given, *rest]


def parser() -> argparse.ArgumentParser:
    """The command line, with the environment's values as defaults."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--instance", type=instance_name, default=argparse.SUPPRESS, help="name of the installation")
    common.add_argument("--port", type=first_port, default=argparse.SUPPRESS, help="first of its two ports")
    top = argparse.ArgumentParser(prog="strongroom", description="A trusted research environment.", parents=[common])
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, words) in HANDED_ON.items():
        command = commands.add_parser(name, help=words, add_help=False, prefix_chars="\0")
        command.add_argument("rest", nargs=argparse.REMAINDER)
        command.set_defaults(run=_handed_on(module))
    tests = commands.add_parser("test", help=test.__doc__, add_help=False, prefix_chars="\0")
    tests.add_argument("rest", nargs=argparse.REMAINDER)
    tests.set_defaults(run=test)
    for function in (up, down, destroy_instance, status, doctor, audit):
        name = function.__name__.replace("_", "-")
        command = commands.add_parser(name, parents=[common], help=function.__doc__, description=function.__doc__)
        command.set_defaults(run=function)
        if function in (status, doctor):
            command.add_argument("--json", action="store_true", help="for programs")
        if function is destroy_instance:
            command.add_argument("--yes", metavar="NAME", default="", help="the name of the installation, as consent")
        if function is up:
            command.add_argument("--first-manager", metavar="EMAIL", default="", help="print this person's enrolment link")
        if function is audit:
            command.add_argument("action", choices=("export", "verify"))
            command.add_argument("path", type=Path, help="folder of the export")
    return top


def main(words: list[str]) -> int:
    """Run one command and return its exit code; what an operator can mend is told in words, without a traceback."""
    checkout = Path(os.environ["STRONGROOM_DOOR"]).parent
    arguments = parser().parse_args(instance_first(words))
    os.environ["STRONGROOM_INSTANCE"] = getattr(
        arguments, "instance", os.environ.get("STRONGROOM_INSTANCE", DEFAULT_INSTANCE)
    )
    os.environ["STRONGROOM_PORT"] = str(
        getattr(arguments, "port", os.environ.get("STRONGROOM_PORT", str(DEFAULT_PORT)))
    )
    try:
        code: int = arguments.run(arguments, checkout)
    except (ControlFailed, InstallFailed) as problem:
        print(f"strongroom: {problem}", file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
