"""The chapters of a project's life, each done through the pages by the person whose part it is.

A chapter looks at the record first and does only what is not there yet: run again after any interruption, it carries on.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from strongroom.domain.project import Deposit, Environment, Project, Request
from strongroom.operate.demo.desktop import Viewer, look, sit, type_and_run
from strongroom.operate.demo.person import PATIENCE, Page, PageError, Person
from strongroom.operate.demo.stage import Stage, StoryFailed

PERSONAL = ["no", "yes", "no", "no"]
TIER_0 = ["no", "no", "no", "no"]
TIER_2 = [*PERSONAL, "yes", "no", "yes", "no"]
TIER_3 = [*PERSONAL, "yes", "no", "no", "no", "no"]
SCRIPT = "attainment.py"
PROGRAM = resources.files(__package__).joinpath("analysis", SCRIPT).read_bytes()
FINISHED = "finished.txt"
ANALYSIS_SECONDS = 60
TRIES = 3
T = TypeVar("T")
SMALL = "authority_by_score.csv"
SAFE = ["attainment_by_gender.csv", "attainment_by_authority.csv", "regression.csv", "attainment_by_gender.png"]


@dataclass
class Story:
    """One project on the stage; ``project`` is its id, made from its name as the page makes it."""

    stage: Stage
    project: str
    name: str
    summary: str

    # Small helps ------------------------------------------------------------------------------------------------
    @property
    def state(self) -> Project:
        return self.stage.project(self.project)

    def who(self, key: str) -> Person:
        return self.stage.people[key]

    def url(self, *parts: str) -> str:
        return "/".join(("/projects", self.project, *parts))

    def do(self, name: str, who: str, path: str, /, action: str = "", **values: Any) -> None:
        """One step: the person fills the form at a path of the project."""
        self.stage.step(name, who, lambda: self.who(who).submit(path, action=action, **values))

    def dialogue(self, who: str, path: str, answers: Sequence[str], statement: str = "") -> Page:
        """Walk the classification dialogue, one question to a page, and submit it."""
        person = self.who(who)
        page = person.open(f"{path}?at=1")
        for answer in answers:
            page = person.submit(page, answer=answer)
        return person.submit(page, statement=statement)

    # Chapters ---------------------------------------------------------------------------------------------------
    def begin(self) -> None:
        """The project, its people, its dataset, its work package and the signed agreement (P78-P91)."""
        if self.state.state == "-":
            self.do("creates the project", "programme", "/projects/new", name=self.name, summary=self.summary)
        roles = [("programme", role, role) for role in ("investigator", "representative")]
        roles += [("programme", "project_manager", "manager")]
        roles += [
            ("manager", "referee", "referee"),
            ("manager", "researcher", "researcher"),
            ("manager", "researcher", "untrained"),
        ]
        for by, role, key in roles:
            person = self.who(key)
            if (role, person.sub) not in self.state.members:
                organisation = "Exam Board" if role == "representative" else ""
                self.do(
                    f"appoints {person.name} as {role.replace('_', ' ')}",
                    by,
                    self.url("people/appoint"),
                    person=person.sub,
                    role=role,
                    organisation=organisation,
                )
        if "pupils" not in self.state.datasets:
            self.do(
                "registers the dataset",
                "manager",
                self.url("datasets/new"),
                name="Pupils",
                description="Chem97: 31,022 A-level chemistry results of 1997 with GCSE average, gender, age, school and authority.",
                representative=self.who("representative").sub,
                personal="yes",
                lawful_basis="Public task (research in the public interest)",
                terms="No linking to other data. No attempt to identify anybody.",
            )
        if not self.state.work_packages:
            self.do(
                "creates the work package",
                "manager",
                self.url("work-packages/new"),
                name="Attainment",
                datasets=["pupils"],
                analysis="Attainment by gender and authority; one regression; one figure.",
                outputs="Tables of counts of at least 10 pupils, coefficients, one figure.",
                tools="Python with pandas and statsmodels; R",
            )

    def assess(self) -> None:
        """The first-assessment environment, Tier 3 (P45); before the agreement no deposit can be opened (P91)."""
        if not self.state.environments:
            self.do(
                "asks for the first-assessment environment",
                "manager",
                self.url("environments/new"),
                work_package="attainment",
            )
        self.stage.step(
            "first-assessment environment is ready, its isolation attested",
            "warden",
            lambda: self._ready(assessment=True),
        )
        if not self.state.deposits and not any(one.lodged for one in self.state.agreements.values()):
            self.stage.step(
                "is refused a deposit before the agreement is signed",
                "manager",
                lambda: self.stage.refused("deposit without agreement", self._open_deposit),
            )

    def agree(self) -> None:
        """The data sharing agreement: generated, signed, kept in the document volume (P84-P88)."""
        if not self.state.agreements:
            self.stage.step("generates the data sharing agreement", "manager", self._draft)
        agreement = next(iter(self.state.agreements.values()))
        if not agreement.lodged:
            signed = (
                "agreement-signed.txt",
                f"{agreement.text}\n\nSigned: Dora Hughes, Exam Board\n".encode(),
                "text/plain",
            )
            page = self.url("agreements", agreement.id)
            self.stage.step(
                "uploads the signed agreement and certifies",
                "representative",
                lambda: self.who("representative").submit(page, uploads={"document": signed}, certifies="on"),
            )

    def deposit(self, file: Path) -> None:
        """Deposit by the client with a one-use token; receipt compared; mounted read-only by the Investigator (P92-P104)."""
        if not self.state.deposits:
            self.stage.step("opens an empty secure data volume", "manager", self._open_deposit)
        self.stage.step(
            "the volume and its write-only receiver are ready",
            "warden",
            lambda: self._deposit_until("waiting", "sealed", "confirmed", "mounting", "mounted"),
        )
        if self._deposit.state == "waiting":
            self.stage.step(
                "deposits the file; hashes compared with the signed receipt", "representative", lambda: self._send(file)
            )
        if self._deposit.state == "confirmed":
            self.do(
                "authorises the read-only mount",
                "investigator",
                self.url("deposits", self._deposit.id),
                action="/mount",
            )
        self.stage.step("the data is mounted for assessment", "warden", lambda: self._deposit_until("mounted"))

    def classify(self) -> None:
        """Three opinions, blind; one disagreement, resolved by revision; consensus Tier 2 (P41-P53)."""
        path = self.url("work-packages/attainment/opinion")
        answers = {"investigator": TIER_2, "representative": TIER_3, "referee": TIER_2}
        for key in ("investigator", "referee"):
            self.join(key)
        for key, walk in answers.items():
            package = self.state.work_packages["attainment"]
            if package.tier is None and (key, self.who(key).sub) not in package.opinions:
                self.stage.step(
                    "gives an opinion, not seeing the others'",
                    key,
                    partial(self.dialogue, key, path, walk),
                )
        if self.state.work_packages["attainment"].tier is None:
            if not self.state.standing_of(self.state.work_packages["attainment"]).disagreement:
                raise StoryFailed("the opinions should disagree")
            self.stage.step(
                "revises the opinion after the disagreement was notified",
                "representative",
                lambda: self.dialogue("representative", path, TIER_2),
            )
        if not self.state.work_packages["attainment"].forms:
            self.do(
                "agrees the form of outputs beforehand",
                "representative",
                self.url("work-packages/attainment/classification"),
                form="Tables of at least 10 pupils in each cell, and figures drawn from them.",
            )

    def laboratory(self) -> None:
        """The Tier 2 environment; the data moves volume to volume; trained people enter, untrained ones do not."""
        if self._laboratory is None:
            self.do(
                "asks for the Tier 2 environment", "manager", self.url("environments/new"), work_package="attainment"
            )
        self.stage.step(
            "Tier 2 environment is ready, data moved and compared", "warden", lambda: self._ready(assessment=False)
        )
        self.join("researcher")
        if not any(entry.kind == "environment.enter" and entry.outcome == "refused" for entry in self.state.history):
            self.stage.step(
                "is refused entry without training",
                "untrained",
                lambda: self.stage.refused("entry of an untrained Researcher", lambda: self._enter("untrained")),
            )
        self.stage.step("opens the desktop: pixels arrive, the clipboard does not", "researcher", self._look)

    def join(self, key: str) -> None:
        """Training and terms, before any data (P3, P153)."""
        person = self.who(key)
        if not any(who == person.sub for who, _ in self.state.trained):
            self.do("reads and certifies the training", key, self.url("training"), read="on")
        if not any(member.terms for (_, who), member in self.state.members.items() if who == person.sub):
            self.do("accepts the project's terms", key, self.url("terms"), accept="on")

    def analyse(self) -> None:
        """Type the committed script at the desktop and run it there; it writes to the output volume."""
        if FINISHED not in self._outputs():
            self.stage.step("types the analysis at the desktop and runs it there", "researcher", self._type_analysis)

    def _type_analysis(self) -> None:
        run = f"python3 /output/{SCRIPT} /output all && date > /output/{FINISHED}"
        work = type_and_run(f"/output/{SCRIPT}", PROGRAM.decode(), run)
        trouble = ""
        for _ in range(TRIES):
            try:
                self._sit(work)
            except PageError as error:
                trouble = str(error)
                continue
            ends = time.monotonic() + ANALYSIS_SECONDS
            while time.monotonic() < ends:
                if FINISHED in self._outputs():
                    return
                time.sleep(1)
            trouble = f"/output has {', '.join(self._outputs()) or 'nothing'} {ANALYSIS_SECONDS} s after it was typed"
        raise StoryFailed(trouble)

    def _outputs(self) -> list[str]:
        """What lies in the output volume, as the Researcher's page lists it."""
        page = self.who("researcher").open(self.url("environments", self.lab.id, "outputs/new"))
        return [name for form in page.forms for name in form.choices.get("files", ())]

    def submit(self, files: Sequence[str], description: str) -> Request:
        """Ask for files to leave; wait for the frozen copy and the first checks."""
        page = self.url("environments", self.lab.id, "outputs/new")
        before = set(self.state.requests)
        self.do(
            "submits an egress request",
            "researcher",
            page,
            files=[*files, SCRIPT],
            script=SCRIPT,
            description=description,
        )
        fresh = next(iter(set(self.state.requests) - before))
        self.stage.step(
            "files frozen and checked in a throwaway container",
            "warden",
            lambda: self.stage.wait(
                self.project, "the checks", lambda state: state.requests[fresh].state in ("review", "refused")
            ),
        )
        request = self.state.requests[fresh]
        if request.state == "refused":
            raise StoryFailed(request.reason)
        if hashlib.sha256(PROGRAM).hexdigest() not in [file["sha256"] for file in request.frozen]:
            raise StoryFailed(f"{SCRIPT} is not the script that was typed")
        return request

    def outputs(self) -> None:
        """A request with a small cell is returned; the next is reviewed by three and published (P62-P72)."""
        if not any(one.state == "returned" for one in self.state.requests.values()):
            first = self._open_request() or self.submit([SMALL, *SAFE], "All tables, with the authorities by score.")
            if first.checks["verdict"] != "fail":
                raise StoryFailed("the small cells were not found")
            self.do(
                "returns the request: cells under 10",
                "referee",
                self.url("requests", first.id),
                note=f"{SMALL} has cells of fewer than 10 pupils.",
            )
        if any(one.state == "released" for one in self.state.requests.values()):
            return
        approved = next((one for one in self.state.requests.values() if one.state in ("approved", "releasing")), None)
        second = (
            approved
            or self._open_request()
            or self.submit(
                SAFE, "Attainment by gender, by authorities of at least 10 pupils, one regression, one figure."
            )
        )
        if second.checks["verdict"] == "fail":
            raise StoryFailed(f"the clean request was found to fail: {second.checks['findings']}")
        page = self.url("requests", second.id, "review")
        if not approved:
            self.stage.step(
                "cannot approve her own request",
                "researcher",
                lambda: self.stage.refused("approval by the author", lambda: self.dialogue("researcher", page, TIER_0)),
            )
        for key in ("investigator", "representative", "referee"):
            if not any(review.person == self.who(key).sub for review in self.state.requests[second.id].reviews):
                self.stage.step(
                    "classifies the output Tier 0 and approves", key, partial(self.dialogue, key, page, TIER_0)
                )
            if key == "investigator" and not approved:
                self.stage.step(
                    "cannot approve twice",
                    key,
                    lambda: self.stage.refused(
                        "a second approval by the same person", lambda: self.dialogue("investigator", page, TIER_0)
                    ),
                )
        if self.state.requests[second.id].state == "approved":
            self.do("releases the output", "manager", self.url("requests", second.id), action="/release")
        self.stage.step("the reviewed bytes are published", "anybody", lambda: self.published(second.id))

    def published(self, request: str) -> None:
        """Fetch each published file as anybody could, and compare with the reviewed hashes."""
        state = self.stage.wait(self.project, "the release", lambda one: one.requests[request].state == "released")
        layout = self.stage.layout
        client = self.who("auditor").client
        ends = time.monotonic() + PATIENCE
        while client.get(f"{layout.outside_url}/releases/{request}").status_code != 200 and time.monotonic() < ends:
            time.sleep(0.3)
        for file in state.requests[request].frozen:
            answer = client.get(f"{layout.outside_url}/releases/{request}/files/{file['name']}")
            if hashlib.sha256(answer.content).hexdigest() != file["sha256"]:
                raise StoryFailed(f"{file['name']} is not what was reviewed ({answer.status_code})")

    def close(self) -> None:
        """Close the project: every volume destroyed by destroying its key; the certificate lists them (P105, P106)."""
        if self.state.state == "open":
            self.do("closes the project", "programme", self.url("closing"), sure="on", note="The output is published.")
        self.stage.step(
            "keys destroyed, certificate signed",
            "warden",
            lambda: self.stage.wait(self.project, "the end", lambda state: state.state == "destroyed"),
        )

    def disagreement(self) -> None:
        """A second work package whose classifiers do not agree, left open."""
        if "schools" not in self.state.work_packages:
            self.do(
                "creates a second work package",
                "manager",
                self.url("work-packages/new"),
                name="Schools",
                datasets=["pupils"],
                analysis="Differences between schools",
                outputs="Tables by school",
                tools="R",
            )
        path = self.url("work-packages/schools/opinion")
        for key, walk in {"investigator": TIER_2, "representative": TIER_3, "referee": TIER_2}.items():
            if (key, self.who(key).sub) not in self.state.work_packages["schools"].opinions:
                self.stage.step(
                    "gives an opinion on the second work package",
                    key,
                    partial(self.dialogue, key, path, walk),
                )

    def waiting(self) -> None:
        """An egress request that waits for its reviewers."""
        if not self.state.requests:
            self.submit(SAFE, "First tables, for review.")

    # How ------------------------------------------------------------------------------------------------------
    @property
    def _deposit(self) -> Deposit:
        return next(iter(self.state.deposits.values()))

    @property
    def _laboratory(self) -> Environment | None:
        return next((one for one in self.state.environments.values() if not one.assessment), None)

    @property
    def lab(self) -> Environment:
        """The environment of analysis."""
        found = self._laboratory
        if found is None:
            raise StoryFailed("there is no environment of analysis yet")
        return found

    def _open_request(self) -> Request | None:
        return next((one for one in self.state.requests.values() if one.state == "review"), None)

    def _ready(self, *, assessment: bool) -> None:
        def ready(state: Project) -> bool:
            return any(one.state != "preparing" for one in state.environments.values() if one.assessment == assessment)

        self.stage.wait(self.project, "the environment", ready)

    def _deposit_until(self, *states: str) -> None:
        self.stage.wait(self.project, f"the deposit being {states[0]}", lambda _: self._deposit.state in states)

    def _draft(self) -> Page:
        manager = self.who("manager")
        words: dict[str, Any] = {"institution": "University of Demonstration", "purpose": "Research on attainment"}
        return manager.submit(manager.submit(self.url("datasets/pupils/agreement"), **words), step="record")

    def _open_deposit(self) -> Page:
        ends = datetime.now(UTC) + timedelta(days=1)
        environment = next(one.id for one in self.state.environments.values() if one.assessment)
        values: dict[str, Any] = {"dataset": "pupils", "environment": environment, "size_mb": "32"}
        values |= {"networks": "127.0.0.0/8", "expires": f"{ends:%Y-%m-%d %H:%M}"}
        return self.who("manager").submit(self.url("deposits/new"), **values)

    def _send(self, file: Path) -> None:
        page = self.who("representative").submit(self.url("deposits", self._deposit.id), action="/token")
        words = page.text
        token = words.split("--token", 1)[1].split()[0].strip("'\"")
        url = f"https://{self.stage.layout.deposit_host(self._deposit.id)}"
        command = [sys.executable, "-m", "strongroom.deposit", str(file), "--url", url, "--token", token]
        done = subprocess.run([*command, "--ca", str(self.stage.layout.authority)], capture_output=True, text=True)
        if done.returncode:
            raise StoryFailed(f"{done.stdout}{done.stderr}")
        self._deposit_until("confirmed")

    def _enter(self, key: str) -> Page:
        page = self.who(key).open(self.url("environments", self.lab.id))
        if not any(form.action.endswith("/desktop") for form in page.forms):
            page.forms[0].action = self.url("environments", self.lab.id, "desktop")
        return self.who(key).submit(page, action="/desktop")

    def _sit(self, do: Callable[[Viewer], T]) -> T:
        """Open the desktop as the Researcher and do something there."""
        return sit(self.who("researcher").client, self._enter("researcher"), self.stage.layout, self.lab.id, do)

    def _look(self) -> None:
        seen = self._sit(look)
        if seen.colours < 2 or seen.clipboard:
            raise StoryFailed(f"the desktop is not as it should be: {seen}")
