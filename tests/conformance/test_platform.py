"""What every platform promises, tried on the real one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.platforms.podman import engine
from strongroom.platforms.protocol import PlatformError
from tests.platforms.running import Running, instance
from tests.proves import proves

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An instance whose environment each test applies anew."""
    with instance(tmp_path_factory.mktemp("volumes")) as running:
        yield running


def _pids(running: Running) -> list[int]:
    return [container.pid for container in running.platform.observe(running.spec).containers]


def test_absent_environments_are_no_error(place: Running) -> None:
    assert place.platform.observe(replace(place.spec, id="env-none")).phase == "absent"
    place.platform.suspend("env-none")
    place.platform.resume("env-none")
    place.platform.destroy("env-none")
    assert "env-none" not in place.platform.list()


@proves("P8", "P16", "satre:2.2.02")
def test_applied_twice_it_runs_once_and_as_asked(place: Running) -> None:
    place.platform.apply(place.spec)
    seen = place.until(lambda seen: seen.phase == "ready")
    assert seen.drift == () and seen.as_asked
    before = _pids(place)
    place.platform.apply(place.spec)
    assert _pids(place) == before
    assert place.platform.list() == (place.spec.id,)


def test_suspended_is_frozen_and_resumes_where_it_was(place: Running) -> None:
    place.platform.apply(place.spec)
    place.until(lambda seen: seen.phase == "ready")
    before = _pids(place)
    place.platform.suspend(place.spec.id)
    place.platform.suspend(place.spec.id)
    assert place.platform.observe(place.spec).phase == "suspended"
    place.platform.apply(place.spec)
    assert place.platform.observe(place.spec).phase == "suspended", "applying does not thaw"
    place.platform.resume(place.spec.id)
    place.platform.resume(place.spec.id)
    place.until(lambda seen: seen.phase == "ready")
    assert _pids(place) == before


@proves("satre:2.4.02", "satre:2.4.03")
def test_another_spec_replaces_what_runs(place: Running) -> None:
    place.platform.apply(place.spec)
    other = replace(place.spec, memory_mb=2048)
    drift = place.platform.observe(other).drift
    assert any("memory limit" in line for line in drift) and "was started from another spec" in drift
    place.platform.apply(other)
    assert place.platform.observe(other).drift == ()


@proves("satre:2.4.02")
def test_an_environment_whose_container_died_is_started_again(place: Running) -> None:
    place.platform.apply(place.spec)
    engine.podman("kill", place.layout.label(f"{place.spec.id}-work"))
    place.until(lambda seen: seen.phase == "failed", 20)
    place.platform.apply(place.spec)
    place.until(lambda seen: seen.as_asked)


@proves("satre:2.2.06")
def test_destroyed_frozen_or_not_nothing_is_left_but_volumes(place: Running) -> None:
    place.platform.apply(place.spec)
    place.platform.suspend(place.spec.id)
    place.platform.destroy(place.spec.id)
    place.platform.destroy(place.spec.id)
    assert place.platform.observe(place.spec).phase == "absent"
    assert place.layout.instance not in engine.podman("ps", "--all", "--pod").decode()
    assert not place.platform.session_socket(place.spec.id).exists()
    assert str(place.layout.run) not in Path("/proc/mounts").read_text()
    assert (place.folder / "pupils" / "pupils.csv").exists()


def test_one_that_cannot_start_leaves_nothing(place: Running) -> None:
    broken = replace(place.spec, id="env-broken", image="localhost/strongroom/environment:absent")
    with pytest.raises(PlatformError, match="env-broken could not be started"):
        place.platform.apply(broken)
    assert "env-broken" not in place.platform.list()
    assert "env-broken" not in Path("/proc/mounts").read_text()
