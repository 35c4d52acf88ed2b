"""The whole state of one project, folded from the record by a pure function: the warden and the web see the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from strongroom.domain.acts import Entry
from strongroom.domain.classification import Opinion, Standing, standing, tier_of
from strongroom.domain.environment import BUILT_IN
from strongroom.policy.tiers import controls_for
from strongroom.policy.workflows import FINAL, advance, allows


@dataclass
class Member:
    """A person in a role; ``counter_approved`` are the Representatives who approved it where the tier demands them."""

    person: str
    name: str
    role: str
    seq: int
    organisation: str = ""
    counter_approved: dict[str, int] = field(default_factory=dict)
    terms: int = 0
    terms_version: str = ""


@dataclass
class Dataset:
    id: str
    name: str
    description: str
    provider: str
    representative: str
    personal: bool
    lawful_basis: str
    terms: str
    seq: int
    withdrawn: bool = False


@dataclass
class Agreement:
    """Data sharing agreement; ``document`` once the signed copy is in the document volume."""

    id: str
    dataset: str
    text: str
    seq: int
    document: Mapping[str, Any] | None = None
    lodged: int = 0


@dataclass
class WorkPackage:
    """Datasets with the analysis, outputs and tools planned; the tier belongs to this and nothing else (P13)."""

    id: str
    name: str
    datasets: tuple[str, ...]
    analysis: str
    outputs: str
    tools: str
    seq: int
    opinions: dict[tuple[str, str], Opinion] = field(default_factory=dict)
    tier: int | None = None
    closed_by: tuple[int, ...] = ()
    proceeded: bool = False
    forms: dict[str, str] = field(default_factory=dict)
    output_of: str = ""


@dataclass
class Deposit:
    id: str
    dataset: str
    environment: str
    size_mb: int
    networks: tuple[str, ...]
    expires: str
    state: str
    seq: int
    receipt: Mapping[str, Any] | None = None
    digest: str = ""
    verified_at: str = ""
    damaged: bool = False


@dataclass
class Environment:
    """``assessment`` is the fixed Tier 3 one of P45, for looking and classifying; never for analysis."""

    id: str
    work_package: str
    tier: int
    assessment: bool
    state: str
    seq: int
    created: str
    ready_seconds: float = 0.0
    probes: Mapping[str, Any] = field(default_factory=dict)
    results: tuple[Mapping[str, Any], ...] = ()
    probed_at: str = ""
    reason: str = ""
    volumes: dict[str, str] = field(default_factory=dict)
    moved: list[Mapping[str, Any]] = field(default_factory=list)
    drift: tuple[str, ...] = ()
    probe_asked: int = 0
    image: str = ""
    tightened: dict[str, str] = field(default_factory=dict)

    @property
    def controls(self) -> dict[str, str]:
        """Every control as it is here: the tier's value, or the stricter one that was chosen (P172)."""
        return {**controls_for(self.tier), **self.tightened}


@dataclass
class Review:
    person: str
    name: str
    role: str
    decision: str
    tier: int | None
    note: str
    seq: int


@dataclass
class Request:
    """Egress request: a frozen copy, its first checks, and one review by everybody needed."""

    id: str
    environment: str
    work_package: str
    author: str
    author_name: str
    description: str
    script: str
    files: tuple[str, ...]
    state: str
    seq: int
    submitted: str
    frozen: tuple[Mapping[str, Any], ...] = ()
    digest: str = ""
    refused_files: tuple[Mapping[str, Any], ...] = ()
    checks: Mapping[str, Any] = field(default_factory=dict)
    reviews: list[Review] = field(default_factory=list)
    opinions: dict[tuple[str, str], Opinion] = field(default_factory=dict)
    tier: int | None = None
    disagreement: bool = False
    record: Mapping[str, Any] | None = None
    reason: str = ""


@dataclass
class Project:
    id: str
    name: str = ""
    summary: str = ""
    state: str = "-"
    created: str = ""
    members: dict[tuple[str, str], Member] = field(default_factory=dict)
    former: list[Member] = field(default_factory=list)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    work_packages: dict[str, WorkPackage] = field(default_factory=dict)
    deposits: dict[str, Deposit] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    trained: dict[tuple[str, str], int] = field(default_factory=dict)
    volumes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None
    history: list[Entry] = field(default_factory=list)

    def roles_of(self, person: str) -> frozenset[str]:
        """Project roles that somebody holds now."""
        return frozenset(role for role, who in self.members if who == person)

    def holders(self, role: str) -> list[Member]:
        return [member for (held, _), member in self.members.items() if held == role]

    def tier(self) -> int | None:
        """Highest tier of any work package that is not an output; None before the first is classified."""
        tiers = [
            package.tier
            for package in self.work_packages.values()
            if package.tier is not None and not package.output_of
        ]
        return max(tiers, default=None)

    def standing_of(self, package: WorkPackage) -> Standing:
        """Where the classification of a work package stands."""
        return standing(package.opinions, self.representatives_of(package))

    def reviewed(self, request: Request) -> Standing:
        """Where the review of an egress request stands."""
        people = self.representatives_of(self.work_packages[request.work_package])
        return standing(request.opinions, people, referee_always=True)

    def representatives_of(self, package: WorkPackage) -> tuple[str, ...]:
        """The Representatives whose datasets the work package uses, each once (P15, P27)."""
        people = (self.datasets[name].representative for name in package.datasets if not self.datasets[name].withdrawn)
        return tuple(dict.fromkeys(people))

    def agreement_for(self, dataset: str) -> Agreement | None:
        """The newest lodged agreement on a dataset."""
        lodged = [item for item in self.agreements.values() if item.dataset == dataset and item.lodged]
        return max(lodged, key=lambda item: item.lodged, default=None)


Step = Callable[[Project, Entry], None]
STEPS: dict[str, Step] = {}


def step(*kinds: str) -> Callable[[Step], Step]:
    """Register what a kind of entry does to the state."""

    def register(function: Step) -> Step:
        for kind in kinds:
            if kind in STEPS:
                raise ValueError(f"{kind} is registered twice")
            STEPS[kind] = function
        return function

    return register


def fold(project: str, entries: Iterable[Entry]) -> Project:
    """State of a project after the entries (its own and those of no project), in the order of the record."""
    state = Project(project)
    for entry in entries:
        apply(state, entry)
    return state


def apply(state: Project, entry: Entry) -> None:
    """Add one entry to the state. Refused acts and other projects' entries change nothing but the history."""
    if entry.project not in ("", state.id):
        return
    if entry.project:
        # The results of each probing, hour by hour, stay in the record; a state holds the newest alone.
        light = {name: value for name, value in entry.body.items() if name != "results"}
        state.history.append(replace(entry, body=light) if len(light) < len(entry.body) else entry)
    if entry.outcome == "done" and (change := STEPS.get(entry.kind)) is not None:
        change(state, entry)


@step("project.create", "project.close", "project.destroyed")
def _project(state: Project, entry: Entry) -> None:
    state.state = advance("PROJECT", state.state, entry.kind)
    if entry.kind == "project.create":
        state.name, state.summary, state.created = entry.body["name"], entry.body["summary"], entry.at
    if entry.kind == "project.destroyed":
        state.certificate = entry.body["certificate"]


@step("person.appoint")
def _appoint(state: Project, entry: Entry) -> None:
    body = entry.body
    key = body["role"], body["person"]
    state.members[key] = Member(body["person"], body["name"], body["role"], entry.seq, body["organisation"])


@step("person.remove")
def _remove(state: Project, entry: Entry) -> None:
    member = state.members.pop((entry.body["role"], entry.body["person"]), None)
    if member:
        state.former.append(member)
    for package in state.work_packages.values():
        if package.tier is None:
            package.opinions.pop((entry.body["role"], entry.body["person"]), None)
    for request in state.requests.values():
        if request.state == "review" and (entry.body["role"], entry.body["person"]) in request.opinions:
            del request.opinions[entry.body["role"], entry.body["person"]]
            request.reviews = [one for one in request.reviews if one.person != entry.body["person"]]
            request.disagreement = state.reviewed(request).disagreement


@step("person.counter_approve")
def _counter_approve(state: Project, entry: Entry) -> None:
    state.members[entry.body["role"], entry.body["person"]].counter_approved[entry.actor.id] = entry.seq


@step("training.certify")
def _training(state: Project, entry: Entry) -> None:
    state.trained[entry.actor.id, f"{entry.body['module']} {entry.body['version']}"] = entry.seq


@step("terms.accept")
def _terms(state: Project, entry: Entry) -> None:
    for (_, person), member in state.members.items():
        if person == entry.actor.id:
            member.terms, member.terms_version = entry.seq, entry.body["version"]


@step("dataset.register")
def _dataset(state: Project, entry: Entry) -> None:
    state.datasets[entry.body["id"]] = Dataset(**entry.body, seq=entry.seq)


@step("dataset.withdraw")
def _withdraw(state: Project, entry: Entry) -> None:
    name = entry.body["dataset"]
    state.datasets[name].withdrawn = True
    for deposit in state.deposits.values():
        if deposit.dataset == name and allows("DEPOSIT", deposit.state, "deposit.withdrawn"):
            deposit.state = advance("DEPOSIT", deposit.state, "deposit.withdrawn")
    environments = {
        item.id for item in state.environments.values() if name in state.work_packages[item.work_package].datasets
    }
    for environment in environments:
        item = state.environments[environment]
        if allows("ENVIRONMENT", item.state, "environment.destroy"):
            item.state = advance("ENVIRONMENT", item.state, "environment.destroy")
            item.reason = "a dataset was withdrawn"
    for request in state.requests.values():
        if request.environment in environments and allows("EGRESS", request.state, "egress.withdrawn"):
            request.state = advance("EGRESS", request.state, "egress.withdrawn")


@step("agreement.draft")
def _draft(state: Project, entry: Entry) -> None:
    state.agreements[entry.body["id"]] = Agreement(
        entry.body["id"], entry.body["dataset"], entry.body["text"], entry.seq
    )


@step("agreement.lodge")
def _lodge(state: Project, entry: Entry) -> None:
    agreement = state.agreements[entry.body["agreement"]]
    agreement.document, agreement.lodged = entry.body["document"], entry.seq


@step("workpackage.create")
def _work_package(state: Project, entry: Entry) -> None:
    body = entry.body
    state.work_packages[body["id"]] = WorkPackage(
        body["id"], body["name"], tuple(body["datasets"]), body["analysis"], body["outputs"], body["tools"], entry.seq
    )


@step("classification.opinion")
def _opinion(state: Project, entry: Entry) -> None:
    package = state.work_packages[entry.body["work_package"]]
    if package.tier is not None:
        return
    package.opinions = _without(package.opinions, entry.actor.id)
    package.opinions[entry.role, entry.actor.id] = opinion_from(entry)
    where = state.standing_of(package)
    if where.tier is not None:
        package.tier = where.tier
        package.closed_by = tuple(sorted(opinion.seq for opinion in package.opinions.values()))


def _without(opinions: dict[tuple[str, str], Opinion], person: str) -> dict[tuple[str, str], Opinion]:
    """Opinions of all others: a person has one, also after a change of role."""
    return {key: opinion for key, opinion in opinions.items() if key[1] != person}


def opinion_from(entry: Entry) -> Opinion:
    """The opinion that an entry with answers records; its tier computed anew."""
    answers = tuple((key, answer) for key, answer in entry.body["answers"])
    name = entry.body["question_set"]
    statement = entry.body.get("statement", entry.body.get("note", ""))
    return Opinion(entry.actor.id, entry.role, entry.seq, tier_of(name, answers), answers, name, statement)


@step("classification.proceed")
def _proceed(state: Project, entry: Entry) -> None:
    package = state.work_packages[entry.body["work_package"]]
    package.tier = state.standing_of(package).highest
    package.proceeded = True
    package.closed_by = (*sorted(opinion.seq for opinion in package.opinions.values()), entry.seq)


@step("output_form.agree")
def _form(state: Project, entry: Entry) -> None:
    state.work_packages[entry.body["work_package"]].forms[entry.actor.id] = entry.body["form"]


@step("environment.create")
def _environment(state: Project, entry: Entry) -> None:
    package = state.work_packages[entry.body["work_package"]]
    tier = 3 if package.tier is None else package.tier
    state.environments[entry.body["id"]] = Environment(
        entry.body["id"],
        package.id,
        tier,
        package.tier is None,
        advance("ENVIRONMENT", "-", entry.kind),
        entry.seq,
        entry.at,
    )


@step(
    "environment.ready",
    "environment.failed",
    "environment.suspend",
    "environment.broken",
    "environment.resume",
    "environment.rebuild",
    "environment.destroy",
    "environment.destroyed",
)
def _environment_moves(state: Project, entry: Entry) -> None:
    item = state.environments[entry.body["environment"]]
    item.state = advance("ENVIRONMENT", item.state, entry.kind)
    item.reason = entry.body.get("reason", "")
    if item.state == "rebuilding":
        # Built anew from the image of now, not from the one it was made of.
        item.image = ""
    if item.state == "ending":
        _end_with(state, item.id)
    if entry.kind == "environment.ready":
        item.ready_seconds, item.image = entry.body["milliseconds"] / 1000, entry.body.get("image", "")
    if "results" in entry.body:
        _probed(state, entry)


def _end_with(state: Project, environment: str) -> None:
    """What was on its way into an environment, or not yet copied out of it, ends with it."""
    for deposit in state.deposits.values():
        if deposit.environment == environment and deposit.state not in ("mounted", *FINAL["DEPOSIT"]):
            deposit.state = advance("DEPOSIT", deposit.state, "deposit.withdrawn")
    for request in state.requests.values():
        if request.environment == environment and request.state == "freezing":
            request.state = advance("EGRESS", request.state, "egress.withdrawn")


@step("environment.tighten")
def _tighten(state: Project, entry: Entry) -> None:
    """What is built in counts once it is built anew, which follows at once."""
    item = state.environments[entry.body["environment"]]
    item.tightened[entry.body["control"]] = entry.body["value"]
    if entry.body["control"] in BUILT_IN:
        item.state, item.image = advance("ENVIRONMENT", item.state, "environment.rebuild"), ""


@step("environment.probed")
def _probed(state: Project, entry: Entry) -> None:
    item = state.environments[entry.body["environment"]]
    item.probes, item.results = entry.body["summary"], tuple(entry.body["results"])
    item.drift, item.probed_at, item.probe_asked = tuple(entry.body["drift"]), entry.at, 0


@step("environment.probe")
def _probe_asked(state: Project, entry: Entry) -> None:
    state.environments[entry.body["environment"]].probe_asked = entry.seq


@step("volume.created")
def _volume(state: Project, entry: Entry) -> None:
    state.volumes[entry.body["volume"]] = entry.body
    if owner := state.environments.get(entry.body["environment"]):
        owner.volumes[entry.body["mount"]] = entry.body["volume"]


@step("volume.destroyed")
def _volume_destroyed(state: Project, entry: Entry) -> None:
    state.volumes.setdefault(entry.body["volume"], {})
    state.volumes[entry.body["volume"]] = {**state.volumes[entry.body["volume"]], "destroyed": entry.body}


@step("data.moved")
def _moved(state: Project, entry: Entry) -> None:
    state.environments[entry.body["environment"]].moved.append(entry.body)


@step("deposit.open")
def _deposit(state: Project, entry: Entry) -> None:
    body = entry.body
    state.deposits[body["id"]] = Deposit(
        body["id"],
        body["dataset"],
        body["environment"],
        body["size_mb"],
        tuple(body["networks"]),
        body["expires"],
        advance("DEPOSIT", "-", entry.kind),
        entry.seq,
    )


@step(
    "deposit.opened",
    "deposit.token",
    "deposit.complete",
    "deposit.sealed",
    "deposit.confirm",
    "deposit.mismatched",
    "deposit.mount",
    "deposit.mounted",
    "deposit.expired",
)
def _deposit_moves(state: Project, entry: Entry) -> None:
    item = state.deposits[entry.body["deposit"]]
    kind = entry.kind
    if kind == "deposit.confirm" and entry.body["digest"] != item.digest:
        kind = "deposit.mismatched"
    item.state = advance("DEPOSIT", item.state, kind)
    if kind == "deposit.mounted":
        item.verified_at = entry.at
    if kind == "deposit.sealed":
        item.receipt, item.digest = entry.body["receipt"], entry.body["receipt"]["digest"]


@step("deposit.verified", "deposit.damaged")
def _verified(state: Project, entry: Entry) -> None:
    item = state.deposits[entry.body["deposit"]]
    item.verified_at, item.damaged = entry.at, entry.kind == "deposit.damaged"


@step("egress.submit")
def _submit(state: Project, entry: Entry) -> None:
    body = entry.body
    state.requests[body["id"]] = Request(
        body["id"],
        body["environment"],
        body["work_package"],
        entry.actor.id,
        entry.actor.name,
        body["description"],
        body["script"],
        tuple(body["files"]),
        advance("EGRESS", "-", entry.kind),
        entry.seq,
        entry.at,
    )
    parent = state.work_packages[state.environments[body["environment"]].work_package]
    state.work_packages[body["work_package"]] = WorkPackage(
        body["work_package"],
        f"Output of {parent.name}",
        parent.datasets,
        body["description"],
        "Publication",
        body["script"],
        entry.seq,
        output_of=parent.id,
    )


@step("egress.frozen", "egress.refused", "egress.checked", "egress.release", "egress.released")
def _request_moves(state: Project, entry: Entry) -> None:
    item = state.requests[entry.body["request"]]
    item.state = advance("EGRESS", item.state, entry.kind)
    if entry.kind == "egress.frozen":
        item.frozen, item.digest = tuple(entry.body["files"]), entry.body["digest"]
        item.refused_files = tuple(entry.body["refused"])
    elif entry.kind == "egress.refused":
        item.reason, item.refused_files = entry.body["reason"], tuple(entry.body["refused"])
    elif entry.kind == "egress.checked":
        item.checks = entry.body["checks"]
    elif entry.kind == "egress.released":
        item.record = entry.body["record"]


@step("egress.review")
def _review(state: Project, entry: Entry) -> None:
    body = entry.body
    item = state.requests[body["request"]]
    approved = body["decision"] == "approve"
    opinion = opinion_from(entry) if approved else None
    tier = opinion.tier if opinion else None
    item.reviews = [review for review in item.reviews if review.person != entry.actor.id]
    item.reviews.append(
        Review(entry.actor.id, entry.actor.name, entry.role, body["decision"], tier, body["note"], entry.seq)
    )
    if opinion is None:
        item.state = advance("EGRESS", item.state, "egress.returned")
        item.reason = body["note"]
        return
    item.opinions = _without(item.opinions, entry.actor.id)
    item.opinions[entry.role, entry.actor.id] = opinion
    package = state.work_packages[item.work_package]
    where = state.reviewed(item)
    item.disagreement = where.disagreement
    if where.tier is not None:
        item.state = advance("EGRESS", item.state, "egress.approved")
        item.tier = package.tier = where.tier
        package.opinions = dict(item.opinions)
        package.closed_by = tuple(sorted(review.seq for review in item.reviews))
