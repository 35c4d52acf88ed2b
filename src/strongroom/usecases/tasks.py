"""What waits for a person, role by role: a table of rules over the states of projects. Pure, save for ``Task.url``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from strongroom.domain.acts import Actor
from strongroom.domain.conditions.data import data_mounted
from strongroom.domain.conditions.people import training_missing
from strongroom.domain.evidence import roles_of
from strongroom.domain.project import Project, Request, WorkPackage
from strongroom.policy.permissions import TERMS_VERSION
from strongroom.policy.tiers import controls_for


@dataclass(frozen=True)
class Task:
    """Something that waits for one person: ``page`` and ``args`` name the page where it is done."""

    title: str
    page: str
    args: tuple[str, ...]
    project: str
    since: str
    why: str
    project_name: str = ""

    @property
    def url(self) -> str:
        """Address of the page where it is done."""
        from django.urls import reverse

        return reverse(self.page, args=self.args)

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same task as before."""
        return self.title, "/".join((self.page, *self.args))


Rule = Callable[[Project, Actor], Iterator[Task]]
OPEN_DEPOSITS = ("preparing", "waiting", "sealing", "sealed", "mismatched", "confirmed", "mounting", "mounted")
GONE = ("destroyed", "ending")


def task(state: Project, title: str, page: str, args: Iterable[str], seq: int, why: str) -> Task:
    """A task of one project; it has waited since the entry with this number."""
    since = next((entry.at for entry in state.history if entry.seq == seq), state.created)
    return Task(title, page, (state.id, *args), state.id, since, why, state.name)


def _packages(state: Project) -> list[WorkPackage]:
    return [package for package in state.work_packages.values() if not package.output_of]


def _newest(state: Project) -> int:
    return state.history[-1].seq if state.history else 0


# Programme Manager ------------------------------------------------------------------------------------------------


def appoint_heads(state: Project, me: Actor) -> Iterator[Task]:
    wanted = {
        "investigator": ("Appoint the Investigator", "A project has one accountable Investigator."),
        "project_manager": ("Appoint a Project Manager", "The Project Manager opens deposits and environments."),
        "representative": ("Appoint a Dataset Provider Representative", "No dataset without its Representative."),
    }
    for role, (title, why) in wanted.items():
        if not state.holders(role):
            yield task(state, title, "person_appoint", (), 0, why)


def settle_mismatch(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.deposits.values():
        if item.state == "mismatched":
            why = "The Representative sees another hash than the receipt; nothing is mounted."
            yield task(state, f"Settle the mismatch of deposit {item.id}", "deposit", (item.id,), item.seq, why)


def close_project(state: Project, me: Actor) -> Iterator[Task]:
    states = {item.state for item in state.requests.values()}
    if "released" in states and not states & {"freezing", "checking", "review", "approved", "releasing"}:
        why = "Outputs are released and no request is open. Closing destroys the volumes and certifies it."
        yield task(state, "Close the project when its work is done", "closing", (), _newest(state), why)


def follow_disagreement(state: Project, me: Actor) -> Iterator[Task]:
    for package in _packages(state):
        if package.tier is None and state.standing_of(package).disagreement:
            seq = max(opinion.seq for opinion in package.opinions.values())
            why = "Its opinions lead to different tiers, and nothing goes on before it is settled. See who is needed."
            title = f"Follow the disagreement about {package.name}"
            yield task(state, title, "classification", (package.id,), seq, why)


# Project Manager --------------------------------------------------------------------------------------------------


def register_data(state: Project, me: Actor) -> Iterator[Task]:
    if state.holders("representative") and not state.datasets:
        why = "The dataset's provider, Representative and lawful basis go on record first."
        yield task(state, "Register the dataset", "dataset_new", (), 0, why)
    drafted = {item.dataset for item in state.agreements.values()}
    for item in state.datasets.values():
        if item.id not in drafted and not item.withdrawn:
            why = "No agreement, no deposit."
            yield task(state, f"Draft the agreement on {item.name}", "agreement_new", (item.id,), item.seq, why)
    if state.datasets and not _packages(state):
        why = "Datasets, analysis and outputs planned: what will be classified."
        yield task(state, "Describe the work package", "work_package_new", (), 0, why)


def open_deposit(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.environments.values():
        if not item.assessment or item.state != "running":
            continue
        for name in state.work_packages[item.work_package].datasets:
            busy = any(d.dataset == name and d.state in OPEN_DEPOSITS for d in state.deposits.values())
            if state.agreement_for(name) and not busy and not state.datasets[name].withdrawn:
                why = "The agreement is lodged and the first-assessment environment runs."
                title = f"Open the deposit of {state.datasets[name].name}"
                yield task(state, title, "deposit_new", (), item.seq, why)


def create_environment(state: Project, me: Actor) -> Iterator[Task]:
    for package in _packages(state):
        alive = [e for e in state.environments.values() if e.work_package == package.id and e.state not in GONE]
        if package.tier is None and not alive and all(state.agreement_for(name) for name in package.datasets):
            why = "Data is first looked at in a Tier 3 environment, whatever tier is expected."
            title = f"Create the first-assessment environment of {package.name}"
            yield task(state, title, "environment_new", (), package.seq, why)
        settled = package.tier is not None and not any(not e.assessment and e.tier == package.tier for e in alive)
        if settled and data_mounted(state, package.id):
            why = f"The classification is closed at Tier {package.tier}."
            title = f"Create the Tier {package.tier} environment of {package.name}"
            yield task(state, title, "environment_new", (), max(package.closed_by, default=0), why)


def find_referee(state: Project, me: Actor) -> Iterator[Task]:
    if state.holders("referee"):
        return
    if any("referee" in state.standing_of(p).awaited for p in _packages(state) if p.tier is None) or any(
        request.state == "review" for request in state.requests.values()
    ):
        yield task(
            state, "Appoint a Referee", "person_appoint", (), _newest(state), "An independent opinion is awaited."
        )


def release_output(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.requests.values():
        if item.state == "approved" and item.tier is not None and controls_for(item.tier)["publishing"] == "allowed":
            why = f"Everybody needed has approved it at Tier {item.tier}."
            yield task(state, f"Release the output {item.id}", "request", (item.id,), item.seq, why)


# Representative ---------------------------------------------------------------------------------------------------


def lodge_agreement(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.agreements.values():
        dataset = state.datasets[item.dataset]
        if dataset.representative == me.id and not dataset.withdrawn and not state.agreement_for(dataset.id):
            why = "Nothing can be deposited before the signed copy is in the document volume."
            title = f"Lodge the signed agreement on {dataset.name}"
            yield task(state, title, "agreement", (item.id,), item.seq, why)


def hand_over(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.deposits.values():
        if state.datasets[item.dataset].representative != me.id:
            continue
        name = state.datasets[item.dataset].name
        if item.state == "waiting":
            why = f"The window closes at {item.expires}."
            yield task(state, f"Upload the deposit of {name}", "deposit", (item.id,), item.seq, why)
        elif item.state == "sealed":
            why = "Only your own hash proves that what arrived is what you sent."
            yield task(state, f"Compare the hash of {name}", "deposit", (item.id,), item.seq, why)


def agree_form(state: Project, me: Actor) -> Iterator[Task]:
    for package in _packages(state):
        if ("representative", me.id) in package.opinions and me.id not in package.forms:
            seq = package.opinions["representative", me.id].seq
            why = "Agreed beforehand, the form of outputs makes their review quick."
            title = f"Agree the form of outputs of {package.name}"
            yield task(state, title, "classification", (package.id,), seq, why)


def counter_approve(state: Project, me: Actor) -> Iterator[Task]:
    mine = [p for p in _packages(state) if p.tier is not None and me.id in state.representatives_of(p)]
    strict = [p for p in mine if p.tier is not None and controls_for(p.tier)["member_approval"] != "project_manager"]
    if not strict:
        return
    for (role, person), member in state.members.items():
        if role in ("researcher", "referee") and me.id not in member.counter_approved:
            why = f"At Tier {strict[0].tier} you approve each Researcher and Referee too."
            yield task(state, f"Approve {member.name} as a member", "person", (role, person), member.seq, why)


# Investigator, Referee, Researcher --------------------------------------------------------------------------------


def authorise_mount(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.deposits.values():
        if item.state == "confirmed":
            why = "The Representative has confirmed the hash."
            name = state.datasets[item.dataset].name
            yield task(state, f"Authorise the mount of {name}", "deposit", (item.id,), item.seq, why)


def _opinion(state: Project, me: Actor, role: str) -> Iterator[Task]:
    for package in _packages(state):
        if package.tier is not None or not data_mounted(state, package.id):
            continue
        where = state.standing_of(package)
        awaited = {"representative": f"representative {me.id}"}.get(role, role)
        if awaited in where.awaited:
            why = "The tier follows from the opinions of everybody needed; each answers without seeing the others'."
            yield task(state, f"Classify {package.name}", "opinion", (package.id,), package.seq, why)
        elif where.disagreement and (role, me.id) in package.opinions:
            seq = max(opinion.seq for opinion in package.opinions.values())
            why = "The opinions lead to different tiers."
            title = f"Settle the disagreement about {package.name}"
            yield task(state, title, "classification", (package.id,), seq, why)


def _may_review(state: Project, me: Actor, role: str, item: Request) -> bool:
    if item.state != "review" or item.author == me.id:
        return False
    if role == "representative" and me.id not in state.representatives_of(state.work_packages[item.work_package]):
        return False
    if role == "referee" and any(held == "referee" for held, _ in item.opinions) and not item.disagreement:
        return False
    return item.disagreement or all(review.person != me.id for review in item.reviews)


def _review(state: Project, me: Actor, role: str) -> Iterator[Task]:
    for item in state.requests.values():
        if _may_review(state, me, role, item):
            title = (
                f"Review again: opinions on {item.id} differ" if item.disagreement else f"Review the output {item.id}"
            )
            why = f"{item.author_name} asks to take it out; it leaves only with everybody's approval."
            yield task(state, title, "request", (item.id,), item.seq, why)


def get_ready(state: Project, me: Actor) -> Iterator[Task]:
    if training_missing(state, me.id):
        why = "Nobody sees data before the training on data handling."
        yield Task("Certify your training", "training", (), state.id, state.created, why, state.name)
    for (role, person), member in state.members.items():
        if person == me.id and role in ("investigator", "researcher", "referee") and member.terms_version != TERMS_VERSION:
            why = "Nobody sees data before accepting the project's terms."
            yield task(state, "Accept the project's terms", "terms", (), member.seq, why)
            return


def open_environment(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.environments.values():
        investigator = ("investigator", me.id) in state.members
        looking = (
            item.assessment
            and investigator
            and any(d.environment == item.id and d.state == "mounted" for d in state.deposits.values())
        )
        if item.state != "running" or not (looking or not item.assessment):
            continue
        if item.assessment and ("investigator", me.id) in state.work_packages[item.work_package].opinions:
            continue
        verb = "Look at the data in" if item.assessment else "Work in"
        title = f"{verb} environment {item.id}"
        yield task(state, title, "environment", (item.id,), item.seq, f"It runs at Tier {item.tier}.")


def mend_request(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.requests.values():
        newer = any(other.seq > item.seq and other.author == me.id for other in state.requests.values())
        if item.author == me.id and item.state in ("returned", "refused") and not newer:
            yield task(state, f"Mend the request {item.id}", "request", (item.id,), item.seq, item.reason)


# System Manager ---------------------------------------------------------------------------------------------------


def mend_environment(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.environments.values():
        if item.state in ("suspended", "failed"):
            why = item.reason or "It is not running."
            title = f"Look at the {item.state} environment {item.id}"
            yield task(state, title, "environment", (item.id,), item.seq, why)


def prove_isolation(state: Project, me: Actor) -> Iterator[Task]:
    for item in state.environments.values():
        looked = any(
            entry.kind == "environment.probe"
            and entry.outcome == "done"
            and entry.role == "system_manager"
            and entry.body["environment"] == item.id
            for entry in state.history
        )
        if item.state == "running" and not looked:
            why = "The probes ran when it started. Read what they found, and run them once yourself."
            title = f"Check the isolation of environment {item.id}"
            yield task(state, title, "environment", (item.id,), item.seq, why)


def for_role(rule: Callable[[Project, Actor, str], Iterator[Task]], role: str) -> Rule:
    """A rule that depends on the role in which somebody acts."""
    return lambda state, me: rule(state, me, role)


RULES: dict[str, tuple[Rule, ...]] = {
    "programme_manager": (appoint_heads, settle_mismatch, follow_disagreement, close_project),
    "project_manager": (
        register_data,
        create_environment,
        open_deposit,
        settle_mismatch,
        find_referee,
        release_output,
        mend_environment,
    ),
    "investigator": (
        get_ready,
        authorise_mount,
        for_role(_opinion, "investigator"),
        for_role(_review, "investigator"),
        open_environment,
        mend_request,
    ),
    "researcher": (get_ready, open_environment, mend_request),
    "referee": (get_ready, for_role(_opinion, "referee"), for_role(_review, "referee")),
    "representative": (
        lodge_agreement,
        hand_over,
        for_role(_opinion, "representative"),
        agree_form,
        for_role(_review, "representative"),
        counter_approve,
    ),
    "system_manager": (mend_environment, prove_isolation),
    "auditor": (),
}


def tasks_in(state: Project, me: Actor) -> list[Task]:
    """What waits for somebody in one project; nothing in a closed one."""
    if state.state != "open":
        return []
    found: dict[tuple[str, str], Task] = {}
    for role in roles_of(me, state):
        for rule in RULES.get(role, ()):
            for item in rule(state, me):
                found.setdefault(item.key, item)
    return list(found.values())


def tasks_of(me: Actor, states: Iterable[Project]) -> list[Task]:
    """What waits for somebody in all these projects, longest first."""
    found: dict[tuple[str, str], Task] = {}
    for state in states:
        for item in tasks_in(state, me):
            found.setdefault(item.key, item)
    if "auditors" in me.groups:
        why = "An export and the public keys are all that a check needs."
        found["audit", ""] = Task("Verify the ledgers", "audit", (), "", "", why)
    return sorted(found.values(), key=lambda item: item.since)
