"""Which doors the warden has and what each answers (the contract is ``orders.protocol``)."""

from __future__ import annotations

import errno
import hashlib
import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from strongroom import ledger
from strongroom.domain.acts import Act, Actor, Entry
from strongroom.domain.case import CONDITIONS, Case
from strongroom.domain.evidence import agreement_readers, evidence, roles_of
from strongroom.domain.project import Agreement, Project
from strongroom.domain.verdict import Refused
from strongroom.orders.protocol import LARGEST_BLOB, Order, Outcome
from strongroom.policy import tiers
from strongroom.policy.permissions import DIRECTORY_ROLES, PROJECT_ROLES
from strongroom.warden import attesting
from strongroom.warden.decide import Desk, NotReady, new_secret
from strongroom.warden.entry import COOKIE, Entrance
from strongroom.warden.hands import Hands
from strongroom.warden.receiver.tokens import same
from strongroom.warden.record import stamp
from strongroom.warden.server import Door, NotAllowed, Reply, Request
from strongroom.warden.tokens import TokenError
from strongroom.warden.works import outputs
from strongroom.warden.works.environments import MEGABYTE, documents_volume, own_volume

STATUS = {"done": 200, "refused": 403, "fresh_login_needed": 403, "unauthorised": 401, "malformed": 400}
DOCUMENTS = 64 * MEGABYTE
SEAL_SECONDS = 100
MOST_STAGED = 10
STAGED_SECONDS = 15 * 60
DRAWING_SECONDS = 20


class Doors:
    """The handlers, over the desk (judging), the hands (doing) and the entrance (tickets)."""

    def __init__(self, desk: Desk, hands: Hands, entrance: Entrance) -> None:
        self.desk, self.hands, self.entrance = desk, hands, entrance
        self.record = hands.record
        self._stage, self._drawing = threading.Lock(), threading.BoundedSemaphore(2)
        self.staging: Path = hands.layout.run / "warden" / "staging"

    def orders(self) -> tuple[Door, ...]:
        """For the web and the worker."""
        return (
            Door("POST", "/orders", self.order),
            Door("POST", "/leave", self.leave),
            Door("PUT", "/blobs/([0-9a-f]{64})", self.blob, LARGEST_BLOB),
            Door("GET", "/feed", self.feed),
            Door("GET", "/documents/([0-9a-f]{64})", self.document),
            Door("GET", "/outputs/([a-z0-9-]+)", self.outputs),
            Door("GET", "/attestations/([a-z0-9-]+)", self.attestation),
            Door("GET", "/previews/([a-z0-9-]+)", self.preview),
            Door("GET", r"/releases/([a-z0-9-]+)/([^/]+)", self.released),
            Door("GET", "/checkpoint", self.checkpoint),
            Door("GET", "/key", lambda _: Reply.of({"key": self.hands.public_key})),
        )

    def entries(self) -> tuple[Door, ...]:
        """For the gateway: knows nothing but tickets."""
        return (Door("GET", "/check", self.check), Door("POST", "/enter", self.enter))

    def deposits(self) -> tuple[Door, ...]:
        """For the receivers: each speaks of its own deposit with the depositor's secret."""
        return (
            Door("POST", "/deposits/([a-z0-9-]+)/open", self.deposit_open),
            Door("POST", "/deposits/([a-z0-9-]+)/complete", self.deposit_complete),
        )

    # Orders and reading ---------------------------------------------------------------------------------------
    def order(self, request: Request) -> Reply:
        raw = request.json()
        act = Act(str(raw["act"]["kind"]), str(raw["act"]["project"]), dict(raw["act"]["body"]))
        order = Order(act, str(raw["key"]), str(raw["access_token"]), str(raw["id_token"]), str(raw["address"]))
        outcome = self.desk.decide(order)
        return Reply.of(outcome.to_json(), STATUS[outcome.status])

    def blob(self, request: Request) -> Reply:
        actor = self._actor(request)
        if not any(self._represents(self.record.state(name), actor) for name in self.record.projects()):
            return Reply.of({"reason": "only a Dataset Provider's Representative hands over documents"}, 403)
        digest = hashlib.sha256(request.body).hexdigest()
        if digest != request.match[1]:
            return Reply.of({"reason": "the bytes have another hash: send the file again"}, 400)
        with self._stage:
            self.staging.mkdir(parents=True, exist_ok=True, mode=0o700)
            old = time.time() - STAGED_SECONDS
            for left in [one for one in self.staging.iterdir() if one.stat().st_mtime < old]:
                left.unlink(missing_ok=True)
            if sum(one.name != digest for one in self.staging.iterdir()) >= MOST_STAGED:
                return Reply.of({"reason": "too many documents wait for their act: try again in a few minutes"}, 503)
            fresh = self.staging / f"{digest}.new"
            fresh.write_bytes(request.body)
            fresh.replace(self.staging / digest)
        return Reply.of({"sha256": digest})

    @staticmethod
    def _represents(state: Project, actor: Actor) -> bool:
        return "representative" in state.roles_of(actor.id)

    def feed(self, request: Request) -> Reply:
        after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "500"))
        return Reply.of({"entries": [entry.to_json() for entry in self.record.entries(after, limit)]})

    def document(self, request: Request) -> Reply:
        digest = request.match[1]
        actor = self._actor(request)
        holders = [state for state in map(self.record.state, self.record.projects()) if _lodged(state, digest)]
        if not holders:
            return Reply.of({"reason": "there is no such document"}, 404)
        # The same text may be signed in several projects: the one that lets this person read counts.
        state = next(
            (one for one in holders if _readers(one, digest, actor) & set(roles_of(actor, one))),
            holders[0],
        )
        self._may_read(state, actor, _readers(state, digest, actor), "document", digest)
        if state.state == "destroyed":
            return Reply.of({"reason": "the project's documents were destroyed with it"}, 409)
        content = (self.hands.volumes.open(documents_volume(state.id)) / digest).read_bytes()
        return Reply(200, content, "application/octet-stream")

    def outputs(self, request: Request) -> Reply:
        environment = request.match[1]
        actor = self._actor(request)
        project = self.record.project_of("environments", environment)
        if not project:
            return Reply.of({"reason": "there is no such environment"}, 404)
        state = self.record.state(project)
        # Names of files tell about data: as for entering, training, terms and counter-approval come first (P83, P154).
        self._may_read(state, actor, {"researcher", "investigator"}, "outputs", environment, may_enter=True)
        if state.environments[environment].assessment:
            return Reply.of({"reason": "a first-assessment environment has no outputs"}, 409)
        return Reply.of({"files": outputs.listing(self.hands.volumes.open(own_volume(environment, "output")))})

    def attestation(self, request: Request) -> Reply:
        environment = request.match[1]
        actor = self._actor(request)
        project = self.record.project_of("environments", environment)
        if not project:
            return Reply.of({"reason": "there is no such environment"}, 404)
        state = self.record.state(project)
        self._may_read(state, actor, {*PROJECT_ROLES, *DIRECTORY_ROLES.values()}, "attestation", environment)
        item = state.environments[environment]
        if item.state not in attesting.ATTESTED:
            return Reply.of({"reason": f"nothing can be attested while the environment is {item.state}"}, 409)
        return Reply.of(attesting.attestation(self.hands, state, item))

    def preview(self, request: Request) -> Reply:
        name = request.match[1]
        actor = self._actor(request)
        project = self.record.project_of("requests", name)
        if not project:
            return Reply.of({"reason": "there is no such egress request"}, 404)
        state = self.record.state(project)
        item = state.requests[name]
        allowed = {"investigator", "referee", *(["researcher"] if item.author == actor.id else [])}
        if actor.id in state.representatives_of(state.work_packages[item.work_package]):
            allowed.add("representative")
        self._may_read(state, actor, allowed, "preview", name)
        if item.state not in ("review", "approved"):
            return Reply.of({"reason": f"there is nothing to see while the request is {item.state}"}, 409)
        if not self._drawing.acquire(timeout=DRAWING_SECONDS):
            return Reply.of({"reason": "many reviewers are looking just now: try again in a moment"}, 503)
        try:
            return Reply.of(outputs.preview(self.hands, item))
        finally:
            self._drawing.release()

    def released(self, request: Request) -> Reply:
        name, file = request.match[1], request.match[2]
        project = self.record.project_of("requests", name)
        item = self.record.state(project).requests[name] if project else None
        if item is None or item.state != "released" or file not in {str(one["name"]) for one in item.frozen}:
            return Reply.of({"reason": "nothing of that name is published"}, 404)
        content = (outputs.release_folder(self.hands, name) / file).read_bytes()
        known = {str(one["name"]): one["sha256"] for one in item.frozen}
        if hashlib.sha256(content).hexdigest() != known[file]:
            return Reply.of({"reason": "the bytes are not the reviewed ones any more: they are withheld"}, 409)
        return Reply(200, content, "application/octet-stream")

    def checkpoint(self, _: Request) -> Reply:
        with self.record.reading() as db:
            newest = ledger.latest(db.execute)
        return Reply(200, newest[1].encode() if newest else b"", "text/plain; charset=utf-8")

    def leave(self, request: Request) -> Reply:
        """Whoever signs out leaves every desktop too."""
        self.entrance.leave(self._actor(request).id)
        return Reply.of({})

    def _actor(self, request: Request) -> Actor:
        try:
            return self.desk.verifier.actor(request.bearer, self.desk.clock().timestamp())
        except TokenError as error:
            raise ValueError(str(error)) from error

    def _may_read(
        self, state: Project, actor: Actor, allowed: set[str], what: str, subject: str, *, may_enter: bool = False
    ) -> None:
        """Record the reading, or its refusal; NotAllowed when refused."""
        held = [role for role in roles_of(actor, state) if role in allowed]
        at = self.desk.clock()
        now = stamp(at)
        reason = "" if held else "your roles in this project do not let you see this"
        if held and may_enter:
            reason = self._bar(state, actor, held[0], subject, at)
            held = [] if reason else held
        entry = Entry(
            0,
            now,
            actor,
            f"read.{what}",
            state.id,
            {"subject": subject},
            role=held[0] if held else "",
            policy=tiers.digest(),
            outcome="done" if held else "refused",
            reason=reason,
        )
        with self.record.transaction() as db:
            self.record.append(db, entry)
        if not held:
            raise NotAllowed(reason)

    @staticmethod
    def _bar(state: Project, actor: Actor, role: str, environment: str, now: datetime) -> str:
        """What keeps somebody of a fitting role from an environment's content, whether it runs or not; "" for nothing."""
        case = Case(Act("environment.enter", state.id, {"environment": environment}), actor, role, state, now)
        for name in ("trained_and_agreed", "counter_approved"):
            verdict = CONDITIONS[name](case)
            if isinstance(verdict, Refused):
                return verdict.reason
        return ""

    # What acts need before, and give after -----------------------------------------------------------------------
    def keep_document(self, order: Order, _: Actor) -> None:
        """Put a handed-over agreement into the project's document volume before the act that names it is kept (P87)."""
        document = order.act.body["document"]
        if not re.fullmatch("[0-9a-f]{64}", str(document["sha256"])):
            raise NotReady("the document's hash is not a SHA-256")
        staged = self.staging / document["sha256"]
        if not staged.exists() or staged.stat().st_size != document["size"]:
            raise NotReady("the signed copy did not arrive")
        volume = documents_volume(order.act.project)
        root = self.hands.make_volume(order.act.project, volume, "", "/documents", "document", DOCUMENTS, 0, 0o700)
        content = staged.read_bytes()
        if hashlib.sha256(content).hexdigest() != document["sha256"]:
            raise NotReady("the signed copy did not arrive whole")
        fresh = root / f".{document['sha256']}.new"
        try:
            fresh.write_bytes(content)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise NotReady("the project's document volume has no room for it: make the file smaller") from error
        fresh.chmod(0o444)
        fresh.replace(root / document["sha256"])
        staged.unlink()

    def give_token(self, db: Any, order: Order, actor: Actor, _: object) -> Mapping[str, Any]:
        """The opening token of a deposit: one use; an earlier one and its upload secret die (P96, P97)."""
        deposit = order.act.body["deposit"]
        token, mark = new_secret()
        db.execute("DELETE FROM deposit_secret WHERE deposit = ?", (deposit,))
        db.execute("INSERT INTO deposit_secret (deposit, opening, upload) VALUES (?, ?, '')", (deposit, mark))
        return {"token": token, "url": f"https://{self.hands.layout.deposit_host(deposit)}"}

    # Deposits -------------------------------------------------------------------------------------------------
    def deposit_open(self, request: Request) -> Reply:
        """Exchange the opening token, once, for the secret that this upload is bound to."""
        deposit = request.match[1]
        with self.record.transaction() as db:
            row = db.execute("SELECT opening FROM deposit_secret WHERE deposit = ?", (deposit,)).fetchone()
            if row is None or not row[0] or not same(str(request.json()["token"]), row[0]):
                return _words("this token does not count, or was used: get a new one on the deposit's page", 401)
            secret, mark = new_secret()
            db.execute("UPDATE deposit_secret SET opening = '', upload = ? WHERE deposit = ?", (mark, deposit))
        return Reply.of({"secret": secret})

    def deposit_complete(self, request: Request) -> Reply:
        """Mark the deposit complete with its upload secret; answers with the signed receipt once it is sealed.

        The sender's own digest, where it came along, is compared at once: the same as confirming it by hand (P102).
        """
        deposit, asked = request.match[1], request.json()
        if not same(str(asked["secret"]), self.record.upload_secret(deposit)):
            return _words("this upload does not count any more", 401)
        project = self.record.project_of("deposits", deposit)
        state = self.record.state(project)
        item = state.deposits[deposit]
        person = state.datasets[item.dataset].representative
        member = state.members.get(("representative", person))
        actor = Actor("person", person, member.name if member else "")
        if item.state == "waiting":
            outcome = self.by_secret(Act("deposit.complete", project, {"deposit": deposit}), actor)
            if not outcome.done:
                return _words(outcome.reason, 403)
        receipt = self._receipt(project, deposit)
        if receipt is None:
            return _words("the deposit is complete and is still being hashed", 202)
        if asked.get("digest") and self.record.state(project).deposits[deposit].state == "sealed":
            confirm = {"deposit": deposit, "digest": str(asked["digest"])}
            self.by_secret(Act("deposit.confirm", project, confirm), actor)
        return Reply.of({"receipt": receipt})

    def by_secret(self, act: Act, actor: Actor) -> Outcome:
        """Keep an act that came with the upload secret instead of the person's token."""
        now = self.desk.clock()
        with self.record.transaction() as db:
            verdict = evidence(act, actor, self.record.state(act.project), now)
            refused = isinstance(verdict, Refused)
            reason = verdict.reason if isinstance(verdict, Refused) else ""
            entry = Entry(
                0,
                stamp(now),
                actor,
                act.kind,
                act.project,
                act.body,
                "representative",
                act.digest,
                tiers.digest(),
                "refused" if refused else "done",
                reason,
            )
            kept = self.record.append(db, entry)
        return Outcome("refused" if refused else "done", kept, reason)

    def _receipt(self, project: str, deposit: str) -> dict[str, Any] | None:
        ends = time.monotonic() + SEAL_SECONDS
        while time.monotonic() < ends:
            item = self.record.state(project).deposits[deposit]
            if item.receipt is not None:
                return dict(item.receipt)
            with self.record.changed:
                self.record.changed.wait(1.0)
        return None

    # Entry ----------------------------------------------------------------------------------------------------
    def check(self, request: Request) -> Reply:
        host = request.headers.get("x-environment-host", "")
        address = request.headers.get("x-forwarded-for", "")
        passage = self.entrance.check(request.headers.get("cookie", ""), host, address)
        return Reply(passage.status, passage.words.encode(), "text/plain; charset=utf-8")

    def enter(self, request: Request) -> Reply:
        host = request.headers.get("x-environment-host", "")
        ticket = parse_qs(request.body.decode("ascii", "replace")).get("ticket", [""])[0]
        passage = self.entrance.enter(ticket, host, request.headers.get("x-forwarded-for", ""))
        headers: tuple[tuple[str, str], ...] = ()
        if passage.cookie:
            cookie = f"{COOKIE}={passage.cookie}; Path=/; Secure; HttpOnly; SameSite=Strict"
            headers = (("Set-Cookie", cookie), ("Location", "/"))
        return Reply(passage.status, passage.words.encode(), "text/plain; charset=utf-8", headers)


def _lodged(state: Project, digest: str) -> list[Agreement]:
    """Agreements whose signed copy this is."""
    return [one for one in list(state.agreements.values()) if one.document and one.document["sha256"] == digest]


def _readers(state: Project, digest: str, actor: Actor) -> set[str]:
    """Roles in which somebody may read a signed copy, whichever of the agreements it was lodged for."""
    return set().union(*(agreement_readers(state, one, actor.id) for one in _lodged(state, digest)))


def _words(message: str, status: int) -> Reply:
    """A refusal as the deposit's client and page read it."""
    return Reply.of({"error": "refused", "message": message}, status)
