"""Conditions about datasets, agreements, deposits and classification."""

from __future__ import annotations

import ipaddress
from datetime import datetime

from strongroom.domain.case import OK, Case, condition
from strongroom.domain.classification import AnswersError, tier_of
from strongroom.domain.environment import OWN_VOLUMES
from strongroom.domain.project import Deposit, Project
from strongroom.domain.verdict import Allowed, Refused, Verdict
from strongroom.policy.tiers import PolicyError, controls_for
from strongroom.policy.workflows import allows


@condition
def new_dataset(case: Case) -> Verdict:
    if case.act.body["id"] in case.project.datasets:
        return Refused("this dataset id is taken", "Choose another name.")
    if case.act.body["id"] in OWN_VOLUMES:
        return Refused("this dataset id is the name of a volume that every environment has", "Choose another name.")
    if case.act.body["personal"] and not case.act.body["lawful_basis"].strip():
        return Refused("personal data needs its lawful basis on record (P78)", "State the lawful basis.")
    return OK


@condition
def representative_appointed(case: Case) -> Verdict:
    member = case.project.members.get(("representative", case.act.body["representative"]))
    if member is None:
        return Refused(
            "the Dataset Provider's Representative is not appointed",
            "A Programme Manager appoints the Representative first.",
            "person.appoint",
        )
    return Allowed("", (member.seq,))


@condition
def dataset_known(case: Case) -> Verdict:
    if case.act.body["id"] in case.project.agreements:
        return Refused("this agreement id is taken", "Choose another id; a lodged agreement is never replaced.")
    dataset = case.project.datasets.get(case.act.body["dataset"])
    if dataset is None or dataset.withdrawn:
        return Refused("there is no such dataset in this project", "Register the dataset first.", "dataset.register")
    return Allowed("", (dataset.seq,))


@condition
def own_dataset(case: Case) -> Verdict:
    if case.act.kind == "agreement.lodge":
        agreement = case.project.agreements.get(case.act.body["agreement"])
        name = agreement.dataset if agreement else ""
    else:
        name = case.act.body["dataset"]
    dataset = case.project.datasets.get(name)
    if dataset is None or dataset.representative != case.actor.id:
        return Refused("this is not a dataset you represent", "Ask the Representative of its provider.")
    if dataset.withdrawn:
        return Refused("this dataset was withdrawn", "A new deposit needs a newly registered dataset.")
    return Allowed("", (dataset.seq,))


@condition
def agreement_drafted(case: Case) -> Verdict:
    agreement = case.project.agreements[case.act.body["agreement"]]
    if not case.act.body["certifies"]:
        return Refused(
            "the owner's permission and the lawful basis are not certified (P89)",
            "Tick the certification if it is true; otherwise do not share the data.",
        )
    return Allowed("", (agreement.seq,))


@condition
def agreement_in_place(case: Case) -> Verdict:
    """No agreement, no deposit (P91)."""
    dataset = case.project.datasets.get(case.act.body["dataset"])
    if dataset is None or dataset.withdrawn:
        return Refused("there is no such dataset in this project", "Register the dataset first.", "dataset.register")
    agreement = case.project.agreement_for(dataset.id)
    if agreement is None:
        return Refused(
            "no signed data sharing agreement is in the document volume",
            "Generate the agreement; the Representative uploads the signed copy. Then open the deposit.",
            "agreement.lodge",
        )
    return Allowed("", (dataset.seq, agreement.lodged))


@condition
def new_work_package(case: Case) -> Verdict:
    if case.act.body["id"] in case.project.work_packages:
        return Refused("this work package id is taken", "Choose another name.")
    return OK


@condition
def datasets_known(case: Case) -> Verdict:
    for name in case.act.body["datasets"]:
        if name not in case.project.datasets or case.project.datasets[name].withdrawn:
            return Refused(
                f"there is no dataset {name} in this project", "Register the dataset first.", "dataset.register"
            )
    return OK


@condition
def no_suspicion_of_tier_4(case: Case) -> Verdict:
    """Any suspicion of Tier 4 stops ingress until the question of doing the project is settled (P46)."""
    deposit = case.project.deposits.get(str(case.act.body.get("deposit")))
    dataset = deposit.dataset if deposit else case.act.body.get("dataset")
    for package in case.project.work_packages.values():
        if dataset in package.datasets and not package.output_of:
            tiers = [opinion.tier for opinion in package.opinions.values()]
            if any(controls_for(tier)["data_ingress"] == "stopped" for tier in tiers):
                return Refused(
                    "somebody puts this work at Tier 4, so nothing may come in",
                    "The Investigator and the Representative reconsider whether the project should go on.",
                )
    return OK


@condition
def first_assessment(case: Case) -> Verdict:
    """The first ingress goes to the Tier 3 assessment environment, whatever tier is expected (P45)."""
    environment = case.project.environments.get(case.act.body["environment"])
    if environment is None or environment.state != "running":
        return Refused(
            "the first-assessment environment is not running", "Create it, or wait until it runs.", "environment.create"
        )
    if not environment.assessment:
        return Refused("data first goes to a first-assessment environment", "Choose the Tier 3 assessment environment.")
    if case.act.body["dataset"] not in case.project.work_packages[environment.work_package].datasets:
        return Refused(
            "this environment is for other datasets", "Choose the environment of a work package that uses this dataset."
        )
    return Allowed("", (environment.seq,))


@condition
def new_deposit(case: Case) -> Verdict:
    if case.act.body["id"] in case.project.deposits:
        return Refused("this deposit id is taken", "Try again.")
    if case.act.body["size_mb"] > 16_384:
        return Refused("a deposit volume can have at most 16,384 MB", "Split the dataset.")
    if not case.act.body["networks"]:
        return Refused(
            "the address range of the sender is missing (P104)", "Enter at least one range, such as 192.0.2.0/24."
        )
    for network in case.act.body["networks"]:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            return Refused(f"{network!r} is not an address range", "Write a range such as 192.0.2.0/24.")
    try:
        expires = datetime.fromisoformat(case.act.body["expires"])
    except ValueError:
        return Refused("the end of the window is not a date and time", "Write it as 2026-11-25T18:00:00+00:00.")
    if expires.tzinfo is None or expires <= case.now:
        return Refused("the window ends before it begins", "Choose a later end, with its time zone.")
    return OK


def _deposit(case: Case) -> Deposit | None:
    return case.project.deposits.get(case.act.body["deposit"])


@condition
def own_deposit(case: Case) -> Verdict:
    deposit = _deposit(case)
    if deposit is None or case.project.datasets[deposit.dataset].representative != case.actor.id:
        return Refused("this is not a deposit of yours", "Ask the Representative of the dataset's provider.")
    return Allowed("", (deposit.seq,))


@condition
def deposit_awaits_files(case: Case) -> Verdict:
    deposit = _deposit(case)
    if deposit is None or not allows("DEPOSIT", deposit.state, case.act.kind):
        state = deposit.state if deposit else "unknown"
        return Refused(
            f"this deposit takes no more files: it is {state}", "Ask the Project Manager to open another deposit."
        )
    if datetime.fromisoformat(deposit.expires) <= case.now:
        return Refused("the window for this deposit has ended", "Ask the Project Manager to open another deposit.")
    return OK


@condition
def deposit_completed(case: Case) -> Verdict:
    deposit = _deposit(case)
    if deposit is None or deposit.state != "sealed":
        return Refused("this deposit has no hash to compare yet", "Complete the deposit first.", "deposit.complete")
    return OK


@condition
def deposit_confirmed(case: Case) -> Verdict:
    """The Investigator mounts only what the Representative has confirmed by their own hash (P93, P101)."""
    deposit = _deposit(case)
    if deposit is None or deposit.state != "confirmed":
        return Refused(
            "the Representative has not confirmed the hash of this deposit",
            "Wait for the Representative to compare the hashes.",
            "deposit.confirm",
        )
    environment = case.project.environments[deposit.environment]
    if environment.state != "running":
        return Refused(f"the environment is {environment.state}", "Wait until it runs.")
    if why := _other_data(case.project, deposit):
        return Refused(why, "Register the new data as another dataset, and classify it in a work package of its own.")
    return Allowed("", (deposit.seq, environment.seq))


def _other_data(project: Project, deposit: Deposit) -> str:
    """Why this deposit would put other data under a dataset that people have judged or look at; "" when it does not."""
    for package in project.work_packages.values():
        if deposit.dataset in package.datasets and package.tier is not None:
            return f"the dataset is classified at Tier {package.tier}: other data under its name would not be (P40)"
    for other in project.deposits.values():
        alive = project.environments[other.environment].state not in ("ending", "destroyed")
        if other.dataset == deposit.dataset and other.state in ("mounting", "mounted") and alive:
            return "another deposit of this dataset is mounted"
    return ""


@condition
def work_package_known(case: Case) -> Verdict:
    if case.act.body["work_package"] not in case.project.work_packages:
        return Refused("there is no such work package", "Create the work package first.", "workpackage.create")
    return OK


@condition
def work_package_open(case: Case) -> Verdict:
    package = case.project.work_packages.get(case.act.body["work_package"])
    if package is None:
        return Refused("there is no such work package", "Create the work package first.", "workpackage.create")
    if package.output_of:
        return Refused("an output is classified in its review", "Open the egress request.")
    if package.tier is not None:
        return Refused(
            f"this work package is classified at Tier {package.tier}",
            "If data or plans have changed, create a new work package and classify that (P40).",
        )
    if case.role == "representative" and case.actor.id not in case.project.representatives_of(package):
        return Refused("you do not represent a dataset of this work package", "Nothing needs doing.")
    return OK


def data_mounted(project: Project, work_package: str) -> bool:
    """Whether every dataset of the work package has been deposited and mounted for assessment."""
    package = project.work_packages[work_package]
    mounted = {item.dataset for item in project.deposits.values() if item.state == "mounted"}
    return set(package.datasets) <= mounted


@condition
def data_seen(case: Case) -> Verdict:
    """The Investigator classifies after the data is in the Tier 3 environment (P47)."""
    if case.role == "investigator" and not data_mounted(case.project, case.act.body["work_package"]):
        return Refused(
            "the data is not in the first-assessment environment yet",
            "Wait for the deposit, authorise its mount, look at the data; then classify.",
            "deposit.mount",
        )
    return OK


@condition
def answers_complete(case: Case) -> Verdict:
    if case.act.kind == "egress.review" and case.act.body["decision"] != "approve":
        return OK
    try:
        tier_of(case.act.body["question_set"], case.act.body["answers"])
    except (AnswersError, PolicyError) as error:
        return Refused(f"the answers do not reach a tier: {error}", "Answer the questions from the first to the last.")
    return OK


@condition
def opinions_disagree(case: Case) -> Verdict:
    package = case.project.work_packages.get(case.act.body["work_package"])
    if package is None or package.tier is not None or not case.project.standing_of(package).disagreement:
        return Refused(
            "there is no disagreement to settle",
            "Wait until everybody needed has answered.",
            "classification.opinion",
        )
    return Allowed("", tuple(opinion.seq for opinion in package.opinions.values()))
