"""What state follows from which act or fact: one row per line, ``from act to``. ``-`` is the beginning."""

from __future__ import annotations

PROJECT = """
-          project.create        open
open       project.close         closing
closing    project.destroyed     destroyed
"""

DEPOSIT = """
-          deposit.open          preparing
preparing  deposit.opened        waiting
waiting    deposit.token         waiting
waiting    deposit.complete      sealing
waiting    deposit.expired       expired
preparing  deposit.withdrawn     withdrawn
waiting    deposit.withdrawn     withdrawn
sealing    deposit.withdrawn     withdrawn
sealing    deposit.sealed        sealed
sealed     deposit.confirm       confirmed
sealed     deposit.mismatched    mismatched
sealed     deposit.withdrawn     withdrawn
mismatched deposit.withdrawn     withdrawn
confirmed  deposit.withdrawn     withdrawn
confirmed  deposit.mount         mounting
mounting   deposit.mounted       mounted
mounting   deposit.mismatched    mismatched
mounting   deposit.withdrawn     withdrawn
mounted    deposit.withdrawn     withdrawn
mismatched deposit.expired       expired
"""

ENVIRONMENT = """
-          environment.create    preparing
preparing  environment.ready     running
preparing  environment.failed    failed
failed     environment.ready     running
running    environment.suspend   suspended
running    environment.broken    suspended
suspended  environment.resume    running
running    environment.rebuild   rebuilding
suspended  environment.rebuild   rebuilding
failed     environment.rebuild   rebuilding
rebuilding environment.ready     running
rebuilding environment.failed    failed
rebuilding environment.destroy   ending
rebuilding environment.destroyed destroyed
preparing  environment.destroy   ending
running    environment.destroy   ending
suspended  environment.destroy   ending
failed     environment.destroy   ending
ending     environment.destroyed destroyed
preparing  environment.destroyed destroyed
running    environment.destroyed destroyed
suspended  environment.destroyed destroyed
failed     environment.destroyed destroyed
"""

EGRESS = """
-          egress.submit         freezing
freezing   egress.frozen         checking
freezing   egress.refused        refused
checking   egress.checked        review
review     egress.returned       returned
review     egress.approved       approved
approved   egress.release        releasing
releasing  egress.released       released
freezing   egress.withdrawn      withdrawn
checking   egress.withdrawn      withdrawn
review     egress.withdrawn      withdrawn
approved   egress.withdrawn      withdrawn
releasing  egress.withdrawn      withdrawn
"""

FINAL = {
    "PROJECT": {"destroyed"},
    "DEPOSIT": {"mounted", "expired", "withdrawn"},
    "ENVIRONMENT": {"destroyed"},
    "EGRESS": {"returned", "released", "refused", "withdrawn"},
}


class WorkflowError(ValueError):
    """The step is not in the workflow."""


def _parse(text: str) -> dict[tuple[str, str], str]:
    rows: dict[tuple[str, str], str] = {}
    for line in text.strip().splitlines():
        before, act, after = line.split()
        if (before, act) in rows:
            raise WorkflowError(f"two rows say what {act} does to {before}")
        rows[before, act] = after
    return rows


WORKFLOWS = {
    name: _parse(text)
    for name, text in {"PROJECT": PROJECT, "DEPOSIT": DEPOSIT, "ENVIRONMENT": ENVIRONMENT, "EGRESS": EGRESS}.items()
}


def advance(workflow: str, state: str, act: str) -> str:
    """State after an act or fact; WorkflowError when the workflow has no such row."""
    try:
        return WORKFLOWS[workflow][state, act]
    except KeyError:
        raise WorkflowError(f"{act} is not possible while it is {state}") from None


def allows(workflow: str, state: str, act: str) -> bool:
    """Whether the workflow has a row for this step."""
    return (state, act) in WORKFLOWS[workflow]
