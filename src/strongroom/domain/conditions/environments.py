"""Conditions about creating, entering and ending environments."""

from __future__ import annotations

from strongroom.domain.case import OK, Case, condition
from strongroom.domain.conditions.data import data_mounted
from strongroom.domain.environment import BUILT_IN, SETTABLE, compile_plan
from strongroom.domain.project import Environment
from strongroom.domain.verdict import Allowed, Refused, Verdict
from strongroom.policy.tiers import matrix
from strongroom.policy.workflows import allows


@condition
def new_environment(case: Case) -> Verdict:
    if case.act.body["id"] in case.project.environments:
        return Refused("this environment id is taken", "Try again.")
    return OK


@condition
def work_package_ready(case: Case) -> Verdict:
    """Only a closed classification creates an environment, save the one first-assessment environment (P16, P45)."""
    package = case.project.work_packages.get(case.act.body["work_package"])
    if package is None:
        return Refused("there is no such work package", "Create the work package first.", "workpackage.create")
    if package.output_of:
        return Refused("an output that is published needs no environment", "Use the release.")
    alive = [
        item
        for item in case.project.environments.values()
        if item.work_package == package.id and item.state not in ("destroyed", "ending")
    ]
    if package.tier is None:
        if alive:
            return Refused(
                "the work package is not classified, and its first-assessment environment exists already",
                "The Investigator, the Representatives and a Referee classify it first.",
                "classification.opinion",
            )
        return Allowed("", (package.seq,))
    if any(not item.assessment and item.tier == package.tier for item in alive):
        return Refused("this work package has its environment", "One environment for each work package (P9).")
    plan = compile_plan(case.act.body["id"], package.tier, package.datasets, assessment=False)
    if isinstance(plan, Refused):
        return plan
    if not data_mounted(case.project, package.id):
        return Refused(
            "the data has not been deposited yet", "Deposit and mount it for assessment first.", "deposit.mount"
        )
    return Allowed("", package.closed_by)


@condition
def environment_exists(case: Case) -> Verdict:
    item = case.project.environments.get(case.act.body["environment"])
    if item is None or not allows("ENVIRONMENT", item.state, "environment.destroy"):
        return Refused("there is no such environment to destroy", "Look at the project's environments again.")
    return Allowed("", (item.seq,))


@condition
def environment_running(case: Case) -> Verdict:
    item = case.project.environments.get(case.act.body["environment"])
    if item is None or item.state != "running":
        return Refused("this environment is not running", "Wait until it runs.")
    return Allowed("", (item.seq,))


@condition
def environment_stands(case: Case) -> Verdict:
    """It has been made, and nobody has ended it."""
    item = case.project.environments.get(case.act.body["environment"])
    if item is None or not allows("ENVIRONMENT", item.state, "environment.rebuild"):
        return Refused("this environment is not there, or is just being made or ended", "Look at its page again.")
    return Allowed("", (item.seq,))


@condition
def tighter_value(case: Case) -> Verdict:
    """One environment may be stricter than its tier, at any time and by any of its heads; never looser (P172)."""
    name, value = case.act.body["control"], case.act.body["value"]
    item = case.project.environments[case.act.body["environment"]]
    if name not in SETTABLE:
        return Refused(f"{name!r} cannot be set for one environment", f"Choose one of: {', '.join(SETTABLE)}.")
    control = matrix()[name]
    if value not in control.scale:
        return Refused(f"{value!r} is no value of {name}", f"Choose one of: {', '.join(control.scale)}.")
    if control.strictness(value) <= control.strictness(item.controls[name]):
        return Refused(
            f"{value.replace('_', ' ')} is not stricter than {item.controls[name].replace('_', ' ')}, which counts now",
            "Choose a stricter value. A looser one is not offered.",
        )
    if name in BUILT_IN and item.state != "running":
        return Refused(f"the environment is {item.state}, and this needs it built anew", "Resume or rebuild it first.")
    return OK


@condition
def environment_suspended(case: Case) -> Verdict:
    item = case.project.environments.get(case.act.body["environment"])
    if item is None or item.state != "suspended":
        return Refused("this environment is not suspended", "Nothing needs doing.")
    return Allowed("", (item.seq,))


@condition
def environment_open(case: Case) -> Verdict:
    item = case.project.environments.get(case.act.body["environment"])
    if item is None:
        return Refused("there is no such environment in this project", "Open it from the project's page.")
    if item.state != "running":
        why = f": {item.reason}" if item.reason else ""
        return Refused(f"this environment is {item.state}{why}", "The System Manager has been told. Your work is kept.")
    return Allowed("", (item.seq,))


@condition
def analysis_allowed(case: Case) -> Verdict:
    """No analysis before classification: only the Investigator looks into a first-assessment environment (P43, P45)."""
    item = case.project.environments[case.act.body["environment"]]
    if item.assessment and case.role != "investigator":
        return Refused(
            "the work package is not classified yet, so only the Investigator may look at the data",
            "Wait for the classification; your environment follows it.",
            "classification.opinion",
        )
    return OK


PLACE_WORDS = {
    "institutional": "the institution's network",
    "restricted": "a restricted network",
    "medium": "a room of medium security",
    "high": "a room of high security",
}


@condition
def from_allowed_place(case: Case) -> Verdict:
    """The network and the room that the tier asks for (P144, P147, P148); roaming is on no restricted network (P138)."""
    item = case.project.environments[case.act.body["environment"]]
    asked = item.controls
    found = {"inbound_network": case.place.network, "physical_space": case.place.space}
    for name, where in found.items():
        control = matrix()[name]
        if control.strictness(where) < control.strictness(asked[name]):
            return Refused(
                f"{_which(item)} opens from {PLACE_WORDS[asked[name]]} alone, and your address is not in one",
                "Go there, or ask the System Manager whether your address should be listed.",
                name,
            )
    return OK


def _which(item: Environment) -> str:
    return f"Tier {item.tier}" if not item.tightened else f"This environment of Tier {item.tier}"


@condition
def environment_analyses(case: Case) -> Verdict:
    """Outputs come from a classified environment with an output volume (P124)."""
    item = case.project.environments.get(case.act.body["environment"])
    if item is None or item.state not in ("running", "suspended"):
        return Refused("there is no such environment", "Choose the environment your output was made in.")
    if item.assessment:
        return Refused(
            "nothing leaves a first-assessment environment",
            "Analyse in the classified environment.",
            "classification.opinion",
        )
    return Allowed("", (item.seq,))
