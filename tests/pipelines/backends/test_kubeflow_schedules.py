"""Recurring runs."""

from __future__ import annotations

import pytest

from pipelines.backends.kubeflow.schedules import with_seconds
from pipelines.registry import Package
from sub_module.errors import ClusterError, ConfigError, RunError
from tests.pipelines.backends.conftest import Place
from tests.servers.kfp import needs_swagger

pytestmark = needs_swagger

NIGHTLY = ("nightly", "0 3 * * *", "plates", "v1")


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        pytest.param("0 3 * * 1-5", "0 0 3 * * 1-5", id="five fields, as everybody writes them"),
        pytest.param("30 0 3 * * ?", "30 0 3 * * ?", id="six fields"),
        pytest.param(" @daily ", "@daily", id="a word"),
        pytest.param("@every 90m", "@every 90m", id="an interval"),
    ],
)
def test_cron(cron: str, expected: str) -> None:
    assert with_seconds(cron) == expected


@pytest.mark.parametrize("cron", ["", "3 * * *", "0 0 3 * * ? 2027", "daily", "TZ=UTC 0 3 * * *"])
def test_no_cron(cron: str) -> None:
    with pytest.raises(RunError, match="--cron"):
        with_seconds(cron)


def test_life_of_a_schedule(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    assert backend.add_schedule(*NIGHTLY, {"train.max_epochs": 3})
    assert not backend.add_schedule(*NIGHTLY, {"train.max_epochs": 3})
    with pytest.raises(RunError, match="there is a schedule nightly already"):
        backend.add_schedule(*NIGHTLY, {})
    (found,) = backend.schedules()
    assert (found.name, found.cron, found.is_enabled) == ("nightly", "0 0 3 * * *", True)
    assert found.overrides == {"train.max_epochs": 3}
    (row,) = place.kfp.schedules.values()
    assert row.max_concurrency == 1
    assert row.no_catchup

    run = place.kfp.fire(row)
    assert run is not None
    assert run.arguments["run"] == "nightly"
    assert run.arguments["overrides"] == {"train.max_epochs": 3}
    assert backend.wait(run.id).report == "runs/nightly/report.html"

    backend.pause_schedule("nightly")
    assert not backend.schedules()[0].is_enabled
    assert place.kfp.fire(row) is None
    backend.resume_schedule("nightly")
    assert backend.schedules()[0].is_enabled
    backend.delete_schedule("nightly")
    assert backend.schedules() == []
    assert len(backend.runs()) == 1, "its runs stay"


def test_refusals(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    with pytest.raises(ClusterError, match="cron") as caught:
        backend.add_schedule("s", "0 25 * * *", "plates", "v1", {})
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="max_epochs"):
        backend.add_schedule("s", "0 3 * * *", "plates", "v1", {"train.max_epoch": 3})
    with pytest.raises(RunError, match="no version v2"):
        backend.add_schedule("s", "0 3 * * *", "plates", "v2", {})
    with pytest.raises(RunError, match="'my schedule'"):
        backend.add_schedule("my schedule", "0 3 * * *", "plates", "v1", {})
    assert place.kfp.schedules == {}
    for act in (backend.pause_schedule, backend.resume_schedule, backend.delete_schedule):
        with pytest.raises(RunError, match="there is no schedule s"):
            act("s")
