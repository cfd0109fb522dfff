"""A version that was uploaded, as the server gives it back, run for real on a volume."""

# KFP reads annotations as they are at run time, so they are no strings here.

from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from pipelines.placement import Placing
from pipelines.registry import Package, cluster_settings, compiled
from sub_module.errors import RunError
from sub_module.files import read_json
from tests.pipelines.backends.conftest import Place
from tests.pipelines.tiny import CONFIG, first, second
from tests.servers.kfp import needs_swagger

pytestmark = needs_swagger


def package() -> Package:
    """The tiny pipeline for a cluster; its config travels inside."""
    cluster = cluster_settings("plate_training")
    pod = cluster.components["record"]
    # kfp.local waits between tries like a cluster.
    pod = pod.model_copy(update={"retries": pod.retries.model_copy(update={"count": 0})})
    cluster = cluster.model_copy(update={"components": {"first": pod, "second": pod}})
    placing = Placing(cluster, CONFIG)

    @dsl.pipeline(name="tiny")
    def tiny(run: str, volume: str, config: str, overrides: dict[str, Any]) -> None:
        made = first(run=run, volume=volume, config=config, overrides=overrides)
        more = second(run=run, volume=volume, numbers=made.outputs["numbers"])
        placing.place([made, more], volume)

    return Package("tiny", "v1", compiled(tiny), CONFIG, cluster, "a1b2c3d")


def test_from_upload_to_files(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.backends.kubeflow.follow.POLL_SECONDS", 0.1)
    volume = tmp_path / "volume"
    volume.mkdir()
    place.kfp.executes = volume
    backend = place.backend()
    backend.upload(package())

    started = backend.run("tiny", "v1", {"first.does": "mistake"})
    assert backend.wait(started.name).state == "failed"
    place.pods(place.kfp.runs[started.id])
    with pytest.raises(RunError, match=r"^first: a\.jpg: truncated$"):
        backend.wait(started.name)

    ended = backend.wait(backend.run("tiny", "v1", {"second.number": 9}).name)
    assert ended.state == "succeeded"
    assert "[second] done in" in place.shown.getvalue()
    run_dir = volume / "runs" / ended.name
    assert read_json(run_dir / "second" / "said.json")["number"] == 9
    config = read_json(run_dir / "config.json")
    assert config["second"] == {"does": "count", "number": 9}
    assert "cluster" not in config
