"""The same records as in ``tests/records``."""

from __future__ import annotations

from tests.records.conftest import migrated, records_db

__all__ = ["migrated", "records_db"]
