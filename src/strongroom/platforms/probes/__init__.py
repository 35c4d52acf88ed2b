"""Isolation probes: questions put to a running environment from inside and from the host's side."""

from __future__ import annotations

from strongroom.platforms.probes.catalogue import NOT_COVERED, PROBES, reference
from strongroom.platforms.probes.model import (
    Expected,
    Judgement,
    Mount,
    PodView,
    Probe,
    ProbeError,
    Result,
    Role,
    judge,
    summary,
)
from strongroom.platforms.probes.run import run_probes

__all__ = [
    "NOT_COVERED",
    "PROBES",
    "Expected",
    "Judgement",
    "Mount",
    "PodView",
    "Probe",
    "ProbeError",
    "Result",
    "Role",
    "judge",
    "reference",
    "run_probes",
    "summary",
]
