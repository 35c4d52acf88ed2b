"""``./strongroom code NAME``: the current one-time code of a person of the demonstration."""

from __future__ import annotations

import sys
import time

from strongroom.identity.totp import code_of_step, step_of
from strongroom.layout import Layout
from strongroom.operate.demo.cast import CAST_FILE, cast


def main(words: list[str]) -> int:
    """Print the code; 1 when nobody has that name."""
    layout = Layout.current()
    if not (layout.state_of("web") / CAST_FILE).exists():
        print("There is no demonstration here. Start one: ./strongroom demo", file=sys.stderr)
        return 1
    people = cast(layout)
    wanted = " ".join(words).lower()
    found = [one for key, one in people.items() if wanted and (wanted in one.name.lower() or wanted == key)]
    if len(found) != 1:
        names = ", ".join(one.name for one in people.values())
        print(f"Say whose code: ./strongroom code NAME, with one of {names}", file=sys.stderr)
        return 1
    print(code_of_step(found[0].totp_secret, step_of(time.time())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
