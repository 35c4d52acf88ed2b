"""``python -m strongroom.deposit FILE… --url URL --token TOKEN [--ca FILE]``: deposit files and compare the receipt."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from strongroom.deposit.client import DepositFailed, DepositMismatch, deposit

TOKEN = "STRONGROOM_DEPOSIT_TOKEN"  # noqa: S105 (the name of a variable, not a token)


def _report(name: str, sent: int, size: int) -> None:
    print(f"  {name}: {sent * 100 // size}% of {size} bytes", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """0 when the receipt matches, 1 when it does not, 2 when the deposit was refused or cut."""
    parser = argparse.ArgumentParser(prog="strongroom deposit", description="Deposit files, with proof of arrival.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--url", required=True, help="the deposit's address, shown on its page")
    parser.add_argument("--token", default=os.environ.get(TOKEN), help=f"shown on its page (or set {TOKEN})")
    parser.add_argument("--ca", type=Path, help="certificate of the authority to trust, instead of the system's")
    options = parser.parse_args(arguments)
    if not options.token:
        parser.error(f"give --token or set {TOKEN}")
    try:
        receipt = deposit(options.url, options.token, options.files, ca=options.ca, report=_report)
    except DepositMismatch as mismatch:
        print(f"MISMATCH: {mismatch}", file=sys.stderr)
        return 1
    except DepositFailed as failure:
        print(f"Not deposited: {failure}", file=sys.stderr)
        return 2
    for file in receipt.files:
        print(f"{file.sha256}  {file.name} ({file.size} bytes)")
    print(f"digest   {receipt.digest}\nreceipt  {receipt.deposit} at {receipt.at}\nkey      {receipt.key}")
    print("The platform's hashes are the same as yours, and its receipt is signed by the key above.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
