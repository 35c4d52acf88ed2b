"""Bringing environments about, keeping them running, freezing them, and looking whether their isolation holds."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from strongroom.domain.environment import EnvironmentPlan, compile_plan, uid_base
from strongroom.domain.project import Environment, Project
from strongroom.domain.verdict import Refused
from strongroom.platforms.protocol import EnvironmentSpec, Volume
from strongroom.warden.hands import Hands

RESEARCHER = 1000
MEGABYTE = 1024 * 1024
ROOM_FOR_FORMAT = 1.1
NO_FAULTS_AT = 2
READY_SECONDS = 90
PROBE_EVERY = timedelta(hours=1)


def due(hands: Hands, at: str, every: timedelta) -> bool:
    """Whether something last done at a time (RFC 3339) is to be done again."""
    return hands.clock() - datetime.fromisoformat(at) >= every


def room_for(size_mb: int) -> int:
    """Bytes of a volume that holds so many megabytes of files beside its own format."""
    return int(size_mb * MEGABYTE * ROOM_FOR_FORMAT) + 16 * MEGABYTE


def data_volume(deposit: str) -> str:
    """Volume that a deposit fills."""
    return f"{deposit}-data"


def own_volume(environment: str, name: str) -> str:
    """Volume of an environment by its plan's name."""
    return f"{environment}-{name}"


def moved_volume(environment: str, dataset: str) -> str:
    """Copy of a dataset that belongs to a classified environment."""
    return f"{environment}-{dataset}"


def documents_volume(project: str) -> str:
    """The project's secure document volume."""
    return f"{project}-documents"


def plan_of(state: Project, item: Environment) -> EnvironmentPlan:
    """The plan of an environment, compiled from its tier and what is stricter here."""
    datasets = state.work_packages[item.work_package].datasets
    plan = compile_plan(item.id, item.tier, datasets, assessment=item.assessment, tightened=item.tightened)
    if isinstance(plan, Refused):
        raise ValueError(plan.reason)
    return plan


def spec_of(hands: Hands, state: Project, item: Environment) -> EnvironmentSpec:
    """What shall run: the plan with this host's volumes, image and uid range."""
    plan = plan_of(state, item)
    store = hands.volumes
    volumes = [
        Volume(
            own_volume(item.id, one.name),
            one.kind,
            store.open(own_volume(item.id, one.name)),
            "rw" if one.writable else "ro",
            one.mount,
        )
        for one in plan.volumes
    ]
    if item.assessment:
        mounted = [
            one
            for one in state.deposits.values()
            if one.environment == item.id and one.state in ("mounting", "mounted")
        ]
        data = {one.dataset: data_volume(one.id) for one in mounted}
    else:
        data = {dataset: moved_volume(item.id, dataset) for dataset in plan.datasets}
    volumes += [
        Volume(name, "data", store.open(name), "ro", f"/data/{dataset}") for dataset, name in sorted(data.items())
    ]
    return EnvironmentSpec(
        id=item.id,
        tier=item.tier,
        image=item.image or hands.image(),
        cpus=plan.cpus,
        memory_mb=plan.memory_mb,
        tmp_mb=plan.tmp_mb,
        pids=plan.pids,
        uid_base=uid_base(hands.record.slot(item.id)),
        volumes=tuple(volumes),
        kernel_isolation=plan.control("kernel_isolation"),
        clipboard=plan.control("copy_out") == "permitted" and plan.control("paste_in") == "permitted",
    )


def prepare(hands: Hands, project: str, environment: str) -> None:
    """Make the volumes, move the data in, start it, look at its isolation; only then is it ready."""
    began = time.monotonic()
    state = hands.state(project)
    item = state.environments[environment]
    plan = plan_of(state, item)
    if plan.control("encrypted_volumes") == "required" and hands.volumes.capability() == "none":
        hands.fact(
            "environment.failed",
            project,
            environment=environment,
            reason="this host cannot encrypt volumes, which the tier requires",
        )
        return
    owner = uid_base(hands.record.slot(environment)) + RESEARCHER
    for one in plan.volumes:
        hands.make_volume(
            project,
            own_volume(environment, one.name),
            environment,
            one.mount,
            one.kind,
            one.size,
            owner if one.writable else 0,
            0o700 if one.writable else 0o755,
        )
    _documents(hands, state, environment)
    if not item.assessment:
        _move_data(hands, state, item)
    spec = spec_of(hands, state, item)
    hands.platform.apply(spec)
    found = look(hands, spec)
    if found["broken"]:
        found = look(hands, spec)
    took = int((time.monotonic() - began) * 1000)
    if found["broken"]:
        hands.platform.suspend(environment)
        hands.fact(
            "environment.failed",
            project,
            environment=environment,
            reason=f"isolation does not hold: {', '.join(found['broken'])}"[:2000],
            summary=found["summary"],
            results=found["results"],
            drift=found["drift"],
        )
        return
    hands.fact(
        "environment.ready",
        project,
        environment=environment,
        image=spec.image,
        milliseconds=took,
        summary=found["summary"],
        results=found["results"],
        drift=found["drift"],
    )


def rebuild(hands: Hands, project: str, environment: str) -> None:
    """End what runs and build it anew from its plan; volumes stay as they are, and all is looked at before it is ready."""
    hands.platform.destroy(environment)
    prepare(hands, project, environment)


def _documents(hands: Hands, state: Project, environment: str) -> None:
    """Place the signed agreements beside the data (P88)."""
    target = hands.volumes.open(own_volume(environment, "documents"))
    for agreement in state.agreements.values():
        if agreement.document is None:
            continue
        source = hands.volumes.open(documents_volume(state.id)) / agreement.document["sha256"]
        copy = target / f"{agreement.id}-{agreement.document['sha256'][:8]}.signed"
        if not copy.exists():
            fresh = copy.with_suffix(".new")
            fresh.write_bytes(source.read_bytes())
            fresh.chmod(0o444)
            fresh.replace(copy)


def _move_data(hands: Hands, state: Project, item: Environment) -> None:
    """Copy each dataset volume to volume and compare the hashes (P44, P53)."""
    done = {move["dataset"] for move in item.moved}
    for dataset in state.work_packages[item.work_package].datasets:
        if dataset in done:
            continue
        # The newest is the one that was looked at last; after the classification no other can be mounted.
        deposit = [one for one in state.deposits.values() if one.dataset == dataset and one.state == "mounted"][-1]
        source, target = data_volume(deposit.id), moved_volume(item.id, dataset)
        hands.make_volume(state.id, target, item.id, f"/data/{dataset}", "data", room_for(deposit.size_mb), 0, 0o755)
        hands.volumes.open(source)
        copied = hands.volumes.copy(source, target)
        if copied.digest != deposit.digest:
            raise ValueError(f"the copy of {dataset} has another hash than the deposit: nothing was opened")
        hands.fact(
            "data.moved",
            state.id,
            environment=item.id,
            dataset=dataset,
            source=source,
            target=target,
            digest=copied.digest,
        )


def look(hands: Hands, spec: EnvironmentSpec) -> dict[str, Any]:
    """Compare asked with running and run every probe; ``broken`` names what does not hold at this tier."""
    ends = time.monotonic() + READY_SECONDS
    while (observed := hands.platform.observe(spec)).phase == "starting" and time.monotonic() < ends:
        time.sleep(0.3)
    results = hands.probe(spec)
    summary = {state: sum(one["state"] == state for one in results) for state in ("holds", "broken", "unknown")}
    counts = ("broken", "unknown") if spec.tier >= NO_FAULTS_AT else ("broken",)
    broken = [one["probe"] for one in results if one["state"] in counts]
    broken += [] if summary["holds"] else ["no probe has answered"]
    broken += [] if observed.phase == "ready" else [f"the environment is {observed.phase}"]
    broken += [f"running differs from asked: {words}" for words in observed.drift]
    return {"summary": summary, "results": results, "drift": list(observed.drift), "broken": broken}


def keep(hands: Hands, project: str, environment: str) -> None:
    """Make sure that it runs as asked, as after a restart of the host, and is not frozen any more."""
    state = hands.state(project)
    spec = spec_of(hands, state, state.environments[environment])
    observed = hands.platform.observe(spec)
    if observed.phase == "suspended":
        # Looked at before it stays: it may have been frozen for a hole, and the warden killed before it could say so.
        probe(hands, project, environment)
    elif observed.phase not in ("ready", "starting"):
        hands.platform.apply(spec)
    elif observed.drift or due(hands, state.environments[environment].probed_at, PROBE_EVERY):
        probe(hands, project, environment)


def freeze(hands: Hands, project: str, environment: str) -> None:
    """Freeze a suspended environment; nothing in it is lost."""
    hands.platform.suspend(environment)


def probe(hands: Hands, project: str, environment: str) -> None:
    """Look at the isolation again; what is red twice freezes the environment and tells the System Manager."""
    state = hands.state(project)
    spec = spec_of(hands, state, state.environments[environment])
    # The record says running, but a thaw that was just decided may not have been done yet: a frozen pod cannot answer.
    hands.platform.resume(environment)
    found = look(hands, spec)
    if found["broken"]:
        found = look(hands, spec)
    if found["broken"]:
        broken(hands, project, environment, found)
        return
    hands.fact(
        "environment.probed",
        project,
        environment=environment,
        reason="",
        summary=found["summary"],
        results=found["results"],
        drift=found["drift"],
    )


def broken(hands: Hands, project: str, environment: str, found: dict[str, Any]) -> None:
    """Say that an isolation does not hold, and freeze; said first, so that a kill in between is made good by freezing."""
    try:
        hands.fact(
            "environment.broken",
            project,
            environment=environment,
            reason=", ".join(found["broken"])[:2000],
            summary=found["summary"],
            results=found["results"],
            drift=found["drift"],
        )
    finally:
        hands.platform.suspend(environment)
