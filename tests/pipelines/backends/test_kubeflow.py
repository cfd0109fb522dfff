"""Versions and runs on Kubeflow Pipelines: the main job's rules, over HTTP."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from pipelines.backends.kubeflow import KubeflowBackend, probe
from pipelines.registry import Package
from sub_module.errors import ClusterError, ConfigError, RunError
from sub_module.settings import Settings
from tests.pipelines.backends.conftest import AT_ONCE, Place
from tests.servers.gcs import Gcs
from tests.servers.kfp import Play, needs_swagger, serve_kfp

pytestmark = needs_swagger


def state_of(place: Place) -> tuple[int, int, int]:
    """How many pipelines, versions and runs the server has."""
    return len(place.kfp.pipelines), len(place.kfp.versions), len(place.kfp.runs)


def test_upload_is_idempotent(place: Place, package: Package, other: Package) -> None:
    backend = place.backend()
    assert backend.latest("plates") is None
    assert backend.versions() == []
    first = backend.upload(package)
    assert (first.pipeline, first.version, first.content) == ("plates", "v1", package.content)
    assert backend.upload(package) == first
    assert backend.find("plates", "v1") == first
    assert backend.find("plates", "v2") is None
    with pytest.raises(RunError, match="never replaced"):
        backend.upload(other)
    backend.upload(replace(package, version="v2"))
    assert [found.version for found in backend.versions("plates")] == ["v1", "v2"]
    assert backend.versions() == backend.versions("plates")
    assert state_of(place) == (1, 2, 0)
    (pipeline,) = place.kfp.pipelines.values()
    assert pipeline.namespace == "plateflow"


def test_names_that_differ_in_case_only(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    with pytest.raises(RunError, match="takes V1 and v1, which is there, for the same name"):
        backend.upload(replace(package, version="V1"))
    with pytest.raises(RunError, match="takes Plates and plates"):
        backend.upload(replace(package, pipeline="Plates"))
    assert state_of(place) == (1, 1, 0)


def test_a_version_of_somebody_else_with_a_blank_in_its_name(
    place: Place, package: Package
) -> None:
    backend = place.backend()
    backend.upload(package)
    (pipeline,) = place.kfp.pipelines.values()
    (stored,) = place.kfp.versions.values()
    place.kfp.add_version(pipeline, "../my version", stored.spec, stored.description)
    latest = backend.latest("plates")
    assert latest is not None
    assert latest.version == "../my version"
    started = backend.run("plates", latest.version, {})
    assert started.name.startswith("plates-..-my-version-")
    assert place.kfp.runs[started.id].arguments["run"] == started.name
    backend.delete_version("plates", latest.version)
    assert backend.find("plates", latest.version) is None


def test_thousand_versions(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    (pipeline,) = place.kfp.pipelines.values()
    (stored,) = place.kfp.versions.values()
    for number in range(2, 1001):
        spec = {"pipelineInfo": {"name": "x"}, "schemaVersion": "2.1.0"}
        place.kfp.add_version(pipeline, f"v{number}", spec, stored.description)
    place.kfp.requests.clear()

    backend = place.backend()
    assert len(backend.versions("plates")) == 1000
    listed = len(place.kfp.requests)
    assert backend.find("plates", "v777") is not None
    assert len(place.kfp.requests) <= 12
    assert len(place.kfp.requests) - listed == 2, "the server filters"
    assert backend.latest("plates") == backend.find("plates", "v1000")


def test_run_to_its_end(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(replace(package, commit="a1b2c3d-dirty"))
    place.kfp.play = Play(moves=2)
    started = backend.run("plates", "v1", {"train.max_epochs": 3})
    assert started.state == "running"
    assert started.name.startswith("plates-v1-")
    ended = backend.wait(started.name)
    assert (ended.state, ended.overrides) == ("succeeded", {"train.max_epochs": 3})
    assert ended.report == f"runs/{started.name}/report.html"
    assert ended.link == f"{place.kfp.url}/#/runs/details/{started.id}"

    (run,) = place.kfp.runs.values()
    assert run.description == "code a1b2c3d-dirty"
    assert run.arguments["config"] == "compiled"
    assert run.arguments["volume"] == "/mnt/plateflow"
    assert run.arguments["run"] == started.name
    (experiment,) = place.kfp.experiments.values()
    assert (experiment.display_name, experiment.namespace) == ("plates", "plateflow")
    lines = place.shown.getvalue().splitlines()
    assert lines[0] == "made the claim plateflow of 50Gi in namespace plateflow"
    assert [line.split()[0] for line in lines if " done in " in line] == [
        f"[{step}]" for step in ("record", "train", "evaluate", "test", "deploy", "report")
    ]


@pytest.mark.parametrize("arguments", [{}, {"overrides": "their own"}])
def test_runs_of_others_are_listed_too(
    place: Place, package: Package, arguments: dict[str, Any]
) -> None:
    backend = place.backend()
    backend.upload(package)
    started = backend.run("plates", "v1", {})
    place.kfp.runs[started.id].arguments = arguments
    (found,) = backend.runs()
    assert (found.id, found.overrides) == (started.id, {})


def test_live_table(place: Place, package: Package) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120, _environ={})
    backend = KubeflowBackend(Settings(kfp_host=place.kfp.url), console)
    backend.upload(package)
    place.kfp.play = Play(fails={"train": ""}, moves=2)
    backend.wait(backend.run("plates", "v1", {}).name)
    for words in ("▸ record", "✓ record", "✗ train", "evaluate"):
        assert words in shown.getvalue()


def test_same_work_is_the_same_run(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(hangs={"train"})
    first = backend.run("plates", "v1", {})
    again = place.backend().run("plates", "v1", {})
    assert (again.id, again.state) == (first.id, "running")
    assert f"run {first.name} is under way already: {first.link}" in place.shown.getvalue()
    assert backend.run("plates", "v1", {"train.max_epochs": 3}).name != first.name
    assert len(place.kfp.runs) == 2
    place.kfp.runs[first.id].progress = None
    backend.terminate(first.name)


def test_what_succeeded_is_not_run_again(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    first = backend.wait(backend.run("plates", "v1", {}).name)
    assert backend.run("plates", "v1", {}) == replace(first, pipeline="plates", version="v1")
    assert len(place.kfp.runs) == 1
    # Whether files on the volume have changed, nobody knows from here.
    for _ in range(2):
        record = backend.run("plates", "v1", {"dataset.annotations": "mine"})
        backend.wait(record.name)
    assert len(place.kfp.runs) == 3


def test_failed_step(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(fails={"train": "epoch 1\nKilled"}, moves=AT_ONCE)
    started = backend.run("plates", "v1", {})
    run = place.kfp.runs[started.id]
    backend.wait(started.id)
    place.pods(run)
    ended = backend.wait(started.id)
    assert ended.state == "failed"
    assert ended.error == f"step train failed; all of its log: `logs {started.name}`"
    lines = place.shown.getvalue().splitlines()
    assert lines[-2:] == ["[train] epoch 1", "[train] Killed"]
    assert "[train] failed after" in place.shown.getvalue()
    assert "[evaluate]" not in place.shown.getvalue()

    # What the user can mend is said like on this machine.
    place.pods(run)
    for key in place.kubernetes.logs:
        place.kubernetes.logs[key] = "error: train.lr: too high\nexit status 2\n"
    with pytest.raises(RunError, match=r"^train: train\.lr: too high$"):
        backend.wait(started.name)

    # Started again it goes on: another run, the same directory.
    place.kfp.play = Play(moves=AT_ONCE)
    again = backend.run("plates", "v1", {})
    assert (again.name, again.id != started.id) == (started.name, True)
    assert backend.wait(again.name).state == "succeeded"


def test_refused_model_has_a_report(place: Place, package: Package) -> None:
    """The report hangs on deploy as its exit hook: its pods are not deploy's."""
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(
        fails={"deploy": "error: EIR 0.5 is below 0.9"}, logs={"report": "written"}, moves=AT_ONCE
    )
    started = backend.run("plates", "v1", {})
    assert backend.wait(started.name).state == "failed"
    place.pods(place.kfp.runs[started.id])
    report = f"runs/{started.name}/report.html"
    line = rf"^deploy: EIR 0\.5 is below 0\.9; report: {report} on the volume$"
    with pytest.raises(RunError, match=line):
        backend.wait(started.name)
    assert "[report] done in" in place.shown.getvalue()
    assert backend.logs(started.name, "deploy")["deploy"].startswith("error: EIR")
    assert backend.logs(started.name, "report")["report"] == "written"


def test_log_without_kubernetes(
    place: Place, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/none")
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(fails={"test": ""}, moves=AT_ONCE)
    started = backend.run("plates", "v1", {})
    assert "whether there is a claim plateflow was not checked: no " in place.shown.getvalue()
    command = f"kubectl -n plateflow logs -l pipeline/runid={started.id}"
    assert command in str(backend.wait(started.name).error)
    with pytest.raises(ClusterError, match=command):
        backend.logs(started.name)


def test_logs(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(logs={"record": "30 images", "train": "EIR 0.9"}, hangs={"evaluate"})
    place.kfp.play.moves = 6
    started = backend.run("plates", "v1", {})
    with pytest.raises(RunError, match="not ended after 0 minutes, and goes on"):
        backend.wait(started.name, 0)
    place.pods(place.kfp.runs[started.id])
    found = backend.logs(started.name)
    assert list(found) == ["record", "train", "evaluate"]
    assert found["record"].strip() == "30 images"
    assert backend.logs(started.id, "train")["train"].strip() == "EIR 0.9"
    with pytest.raises(RunError, match="deploy has no pod"):
        backend.logs(started.name, "deploy")
    with pytest.raises(RunError, match="has no step trai, but record, train, evaluate"):
        backend.logs(started.name, "trai")


def test_logs_while_a_container_waits_for_its_image(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(logs={"record": "30 images"}, hangs={"train"}, moves=4)
    started = backend.run("plates", "v1", {})
    with pytest.raises(RunError, match="goes on"):
        backend.wait(started.name, 0)
    run = place.kfp.runs[started.id]
    place.pods(run)
    (waiting,) = (node.pod for node in run.nodes if node.path.endswith("train.executor(0)"))
    del place.kubernetes.logs["plateflow", waiting, "main"]
    assert backend.logs(started.name) == {"record": "30 images"}
    with pytest.raises(RunError, match=f"log of pod {waiting}: .* is waiting to start"):
        backend.logs(started.name, "train")


def test_terminate(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(hangs={"train"})
    started = backend.run("plates", "v1", {})
    with pytest.raises(RunError, match="under way"):
        backend.delete(started.name)
    backend.terminate(started.name)
    with pytest.raises(RunError, match="about to end"):
        backend.run("plates", "v1", {})
    backend.terminate(started.name)
    ended = backend.wait(started.name)
    assert (ended.state, ended.error) == ("stopped", "terminated")
    with pytest.raises(RunError, match="has ended: stopped"):
        backend.terminate(started.name)
    with pytest.raises(RunError, match="there is no run nobody"):
        backend.terminate("nobody")
    # It goes on under its name.
    again = backend.run("plates", "v1", {})
    assert again.name == started.name
    # One whose workflow is gone never comes to its end.
    backend.terminate(again.id)
    backend.delete(again.id)
    assert [run.id for run in backend.runs()] == [started.id]


def test_delete(place: Place, package: Package) -> None:
    backend = place.backend()
    for version in ("v1", "v2"):
        backend.upload(replace(package, version=version))
    first = backend.wait(backend.run("plates", "v1", {}).name)
    backend.delete(first.name)
    assert backend.runs() == []
    with pytest.raises(RunError, match="there is no run"):
        backend.delete(first.name)
    with pytest.raises(RunError, match="there is no run"):
        backend.delete(first.id)
    backend.wait(backend.run("plates", "v2", {}).name)
    backend.delete_version("plates", "v2")
    with pytest.raises(RunError, match="no version v2; the latest is: v1"):
        backend.delete_version("plates", "v2")
    (left,) = backend.runs()
    assert backend.wait(left.id).state == "succeeded", "its version is gone"

    backend.add_schedule("nightly", "0 3 * * *", "plates", "v1", {})
    backend.delete_pipeline("plates")
    assert (place.kfp.pipelines, place.kfp.versions) == ({}, {})
    with pytest.raises(RunError, match="there is no pipeline plates"):
        backend.delete_pipeline("plates")
    backend.delete_experiment("plates")
    assert (backend.runs(), backend.schedules(), place.kfp.experiments) == ([], [], {})
    with pytest.raises(RunError, match="there is no experiment plates"):
        backend.delete_experiment("plates")


def test_pipeline_deleted_at_a_server_without_cascade(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.fail(r"DELETE .*cascade", status=400)
    backend.delete_pipeline("plates")
    assert (place.kfp.pipelines, place.kfp.versions) == ({}, {})


def test_experiment_with_a_run_under_way_stays(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    place.kfp.play = Play(hangs={"train"})
    backend.run("plates", "v1", {})
    with pytest.raises(RunError, match="under way"):
        backend.delete_experiment("plates")
    assert (len(place.kfp.experiments), len(place.kfp.runs)) == (1, 1)


def test_config_is_checked_as_it_was_uploaded(place: Place, package: Package) -> None:
    backend = place.backend()
    backend.upload(package)
    with pytest.raises(ConfigError, match="max_epochs"):
        backend.run("plates", "v1", {"train.max_epoch": 3})
    with pytest.raises(RunError, match="no version v7; the latest is: v1"):
        backend.run("plates", "v7", {})
    with pytest.raises(RunError, match="no version my version"):
        backend.run("plates", "my version", {})
    assert len(place.kfp.runs) == 0
    assert place.kubernetes.objects("persistentvolumeclaims") == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(
            {"schemaVersion": "2.2.0", "pipelineInfo": {"name": "x"}},
            "version v9 of plates was compiled for version 2.2.0 of Kubeflow's format",
            id="newer format",
        ),
        pytest.param(
            {"schemaVersion": "2.1.0", "pipelineInfo": {"name": "x"}},
            "version v9 of plates: .*not uploaded by",
            id="another's pipeline",
        ),
    ],
)
def test_version_of_another(
    place: Place, package: Package, spec: dict[str, Any], words: str
) -> None:
    backend = place.backend()
    backend.upload(package)
    (pipeline,) = place.kfp.pipelines.values()
    place.kfp.add_version(pipeline, "v9", spec)
    with pytest.raises(RunError, match=words):
        backend.run("plates", "v9", {})


def test_newer_format_is_refused_by_the_server(place: Place, package: Package) -> None:
    newer = package.yaml.replace("schemaVersion: 2.1.0", "schemaVersion: 2.2.0")
    assert newer != package.yaml
    with pytest.raises(ClusterError, match=r"2\.1\.0, but the pipeline spec has version 2\.2\.0"):
        place.backend().upload(replace(package, yaml=newer))
    assert place.kfp.versions == {}


def test_large_overrides_go_through_the_store(place: Place, package: Package, gcs: Gcs) -> None:
    backend = place.backend()
    backend.upload(package)
    large = {"dataset.annotations": "x" * 20_000}
    with pytest.raises(RunError, match="PLATEFLOW_STORE"):
        backend.run("plates", "v1", large)
    assert len(place.kfp.runs) == 0
    backend = place.backend(store=gcs.store)
    started = backend.run("plates", "v1", large)
    assert "go through the store" in place.shown.getvalue()
    (run,) = place.kfp.runs.values()
    (name,) = run.arguments["overrides"].values()
    assert name.startswith("overrides/")
    assert started.name != backend.run("plates", "v1", {}).name


def test_one_user(place: Place, package: Package, tmp_path: Any) -> None:
    (tmp_path / "one").mkdir()
    with serve_kfp(tmp_path / "one") as kfp:
        kfp.play = Play(moves=AT_ONCE)
        one = Place(kfp, place.kubernetes)
        backend = one.backend()
        with pytest.raises(RunError, match="set PLATEFLOW_NAMESPACE=kubeflow"):
            backend.upload(package)
        assert kfp.pipelines == {}
        one.backend(namespace="kubeflow").upload(package)
        with pytest.raises(RunError, match="set PLATEFLOW_NAMESPACE=kubeflow"):
            backend.run("plates", "v1", {})
        assert place.kubernetes.objects("persistentvolumeclaims") == []
        backend = one.backend(namespace="kubeflow")
        assert backend.wait(backend.run("plates", "v1", {}).name).state == "succeeded"
        found = probe(Settings(kfp_host=kfp.url))
        assert (found.version, found.multi_user, found.host) == ("2.17.0", False, kfp.url)


def test_behind_the_kubernetes_api(place: Place, package: Package, tmp_path: Any) -> None:
    (tmp_path / "one").mkdir()
    with serve_kfp(tmp_path / "one") as kfp:
        kfp.play = Play(moves=AT_ONCE)
        place.kubernetes.services["kubeflow", "ml-pipeline"] = kfp.url
        backend = Place(kfp, place.kubernetes).backend(kfp_host=None, namespace="kubeflow")
        backend.upload(package)
        record = backend.wait(backend.run("plates", "v1", {}).name)
        assert record.state == "succeeded"
        assert "port-forward svc/ml-pipeline-ui" in record.link
    place.kubernetes.services["kubeflow", "ml-pipeline"] = place.kfp.url
    with pytest.raises(ClusterError, match="set PLATEFLOW_KFP_HOST"):
        place.backend(kfp_host=None).upload(package)


def test_sdk_keeps_quiet(
    place: Place,
    package: Package,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    """It would print links, warn, read a foreign cookie and write into the user's home."""
    context = tmp_path / "context.json"
    context.write_text(json.dumps({"namespace": "foreign", "client_authentication_cookie": "c=1"}))
    monkeypatch.setattr("kfp.client.Client._LOCAL_KFP_CONTEXT", str(context))
    monkeypatch.setenv("KF_PIPELINES_IAP_OAUTH2_CLIENT_ID", "asks-in-a-browser")
    before = context.read_text()
    backend = place.backend()
    backend.upload(package)
    backend.wait(backend.run("plates", "v1", {}).name)
    backend.add_schedule("nightly", "@daily", "plates", "v1", {})
    assert (len(backend.runs()), len(backend.schedules())) == (1, 1)
    assert capfd.readouterr() == ("", "")
    assert [str(found.message) for found in recwarn] == []
    assert context.read_text() == before
    assert {one.query.get("namespace", "plateflow") for one in place.kfp.requests} == {"plateflow"}
