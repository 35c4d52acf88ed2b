"""``./strongroom demo``: start everything, then take a real project through its whole life, printing each step."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from strongroom import ledger
from strongroom.layout import Layout
from strongroom.ledger import cli as ledger_cli
from strongroom.operate import audit, control, doctor
from strongroom.operate.demo.cast import cast
from strongroom.operate.demo.data import NoData, pupils
from strongroom.operate.demo.stage import Stage, StoryFailed, say
from strongroom.operate.demo.story import Story
from strongroom.orders.client import Warden
from strongroom.platforms.podman import images

IMAGE_PROGRESS = "image-progress.json"
SUMMARY = "How did attainment in A-level chemistry differ by gender and authority in 1997?"


def main(words: list[str]) -> int:
    """Run the demonstration; 0 when every step was done."""
    parser = argparse.ArgumentParser(prog="strongroom demo", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was done and proved")
    parser.add_argument("--checkout", type=Path, default=Path.cwd(), help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    layout = Layout.current()
    began = time.monotonic()
    try:
        stage = _set_up(layout, arguments.checkout)
        report = _play(stage)
    except (StoryFailed, NoData, control.ControlFailed, images.ImageError) as error:
        print(f"\nThe demonstration stopped: {error}\nRun it again: it carries on.", file=sys.stderr)
        return 1
    report["seconds"] = round(time.monotonic() - began, 1)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    say(f"\nDone in {report['seconds']:.0f} s. Open {layout.app_url}/demo to sign in as anybody of the cast.")
    return 0


def _set_up(layout: Layout, checkout: Path) -> Stage:
    say(doctor.told(doctor.examine(layout)))
    control.up(layout, checkout)
    say(f"\nOpen {layout.app_url}/demo  (not for real data; certificate authority: {layout.authority})\n")
    people = cast(layout)
    image = images.find_image() or _build(layout)
    folder = layout.state_of("warden") / "demo"
    return Stage(layout, people, folder, image.id)


def _build(layout: Layout) -> images.ImageRef:
    """Build the environment image with a bar on the terminal and on the page."""
    bar, shown = images.Bar(), layout.run / IMAGE_PROGRESS

    def progress(words: str, share: float) -> None:
        bar(words, share)
        fresh = shown.with_suffix(".new")
        fresh.write_text(json.dumps({"words": words, "percent": round(100 * share)}), encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(shown)

    try:
        return images.ensure_image(progress)
    finally:
        shown.unlink(missing_ok=True)


def _play(stage: Stage) -> dict[str, Any]:
    file = pupils(stage.folder, stage.image)
    for key in stage.people:
        stage.step("signs in with password and one-time code", key, partial(stage.people[key].open, "/projects"))
    say("\nProject A: its whole life")
    first = Story(stage, "chemistry-1997", "Chemistry 1997", SUMMARY)
    if first.state.state != "destroyed":
        _life(first, file)
        if first.state.state == "open":
            kept = Warden(stage.layout.warden_socket).checkpoint()
            (stage.folder / "checkpoint.note").write_text(kept, encoding="utf-8")
        first.close()
    say("\nProject B: alive, so that everybody has something waiting")
    second = Story(stage, "chemistry-again", "Chemistry again", SUMMARY)
    _begin(second, file)
    if not second.state.requests:
        second.analyse()
    second.waiting()
    second.disagreement()
    return _report(stage, (first, second))


def _begin(story: Story, file: Path) -> None:
    story.begin()
    story.assess()
    story.agree()
    story.deposit(file)
    story.classify()
    story.laboratory()


def _life(story: Story, file: Path) -> None:
    if story.state.state in ("-", "open"):
        _begin(story, file)
        if not story.state.requests:
            story.analyse()
        story.outputs()


def _report(stage: Stage, stories: tuple[Story, ...]) -> dict[str, Any]:
    life = stories[0].state
    released = next(one for one in life.requests.values() if one.state == "released")
    environments = [
        {"id": one.id, "tier": one.tier, "state": one.state, "seconds": one.ready_seconds, "probes": dict(one.probes)}
        for story in stories
        for one in story.state.environments.values()
    ]
    return {
        **stage.report(),
        "environments": environments,
        "release": {
            "files": [{"name": one["name"], "sha256": one["sha256"]} for one in released.frozen],
            "record": released.record,
        },
        "certificate": life.certificate,
        "ledger": _ledger(stage),
        "people": [{"name": one.name, "role": one.role, "address": one.email} for one in stage.people.values()],
    }


def _ledger(stage: Stage) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="strongroom-audit-"))
    for line in audit.export(stage.layout, folder):
        say(f"  {line}")
    verified = ledger_cli.verify(folder) == 0
    if not verified:
        raise StoryFailed(f"the ledger does not verify: see {folder}")
    counts = {name: ledger.verify_export(folder / f"{name}.jsonl").entries for name in ("warden", "app")}
    keys = {name: (folder / f"{name}.key").read_text().strip() for name in counts}
    return {"entries": counts, "verified": verified, "export": str(folder), "keys": keys}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
