"""Run-time guard: only use cases and the worker write records, whatever code a page may hold."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.backends.signals import connection_created

WRITERS = ("strongroom.usecases", "strongroom.worker")
# Whatever is not plainly one of these counts as a write.
_READS = re.compile(r"\s*(SELECT|EXPLAIN|SAVEPOINT|RELEASE|ROLLBACK|COMMIT|BEGIN)\b", re.IGNORECASE)
_writing: ContextVar[bool] = ContextVar("strongroom_writing", default=False)


class WriteOutsideUseCase(RuntimeError):
    """Code other than a use case or the worker tried to change the records."""


@contextmanager
def writing() -> Iterator[None]:
    """Allow writes within; only code of ``strongroom.usecases`` and ``strongroom.worker`` may open it."""
    # Frames: 0 this function, 1 contextlib's __enter__, 2 whoever wrote the ``with``.
    caller = sys._getframe(2).f_globals.get("__name__", "")
    if not any(caller == name or caller.startswith(f"{name}.") for name in WRITERS):
        raise WriteOutsideUseCase(f"{caller} may not write records: call a use case")
    token = _writing.set(True)
    try:
        yield
    finally:
        _writing.reset(token)


def _check(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    if not _writing.get() and not _READS.match(sql):
        raise WriteOutsideUseCase(f"a write outside a use case was stopped: {sql.split('(')[0][:80]}")
    return execute(sql, params, many, context)


def _connected(connection: Any, **_: Any) -> None:
    if _check not in connection.execute_wrappers:
        connection.execute_wrappers.append(_check)


def install() -> None:
    """Guard each database connection from its first statement on."""
    connection_created.connect(_connected, dispatch_uid="strongroom-records-guard")
