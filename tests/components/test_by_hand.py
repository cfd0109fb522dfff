"""Models that are deployed without a run, and models that a run puts in service."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.deploy.gate import gate
from components.deploy.service import VARIABLE, put_in_service
from dataset_tools.catalog import open_catalog
from dataset_tools.catalog.rows import ModelRow, RunRow
from pipeline_utils import app
from pipelines.registry import cluster_settings
from sub_module.engine.infer import SHIPPED_MODEL
from sub_module.errors import ClusterError, ConfigError, PlateflowError
from sub_module.files import tree_hash
from sub_module.settings import Settings
from tests.factories import record_samples
from tests.servers.kserve import KServe
from tests.servers.kubernetes import Kubernetes
from tests.standards import REPOSITORY
from tests.sub_module.engine.test_checkpoint import saved

SAMPLES = REPOSITORY / "docs" / "samples"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def test_set(tmp_path: Path) -> Path:
    return record_samples(tmp_path)


def deploy(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["deploy", *map(str, arguments)])


def refused(*arguments: str | Path) -> str:
    failed = deploy(*arguments)
    assert isinstance(failed.exception, PlateflowError), failed.output
    return str(failed.exception)


def in_use(home: Path) -> Path:
    return (home / "models" / "current").resolve()


def test_here(home: Path, test_set: Path, tmp_path: Path) -> None:
    catalog = open_catalog(Settings())
    catalog.note_run(RunRow("run", "plates", "v1", "succeeded", None, {}))
    url = f"file:///store/models/run/onnx-{tree_hash(SHIPPED_MODEL)[:8]}"
    catalog.note_models([ModelRow(url, "run", None, "00" * 32)])
    first = deploy(SHIPPED_MODEL, "--test-set", test_set)
    assert first.exit_code == 0, first.output
    compared, scores, hint = first.stderr.splitlines()
    assert compared == f"not compared with the model in use: there is none in {home / 'models'}"
    assert scores.startswith("EIR 1.000")
    assert "in_use" not in scores
    assert "once it is started again" in hint
    assert Path(first.stdout.strip()).resolve() == in_use(home)
    assert in_use(home).name == f"platenet-kr-{tree_hash(SHIPPED_MODEL)[:8]}"
    assert deploy().stdout == f"{in_use(home)}\n"
    assert [model.is_deployed for model in catalog.models()] == [True], "the catalog knows"
    other = tmp_path / "other"
    shutil.copytree(SHIPPED_MODEL, other)
    (other / "README.md").write_text("another\n")
    second = deploy(other, "--test-set", test_set)
    assert "EIR_in_use 1.000" in second.stderr
    assert "not compared" not in second.stderr
    assert in_use(home).name.startswith("other-")
    error = refused(other, "--test-set", test_set, "--set", "deploy.min_eir=1.1")
    assert "EIR 1.000 is below deploy.min_eir 1.100" in error
    back = deploy("--rollback")
    assert back.stdout == f"{home / 'models' / in_use(home).name}\n"
    assert "once it is started again" in back.stderr
    assert in_use(home).name.startswith("platenet-kr-")
    again = next(path.name for path in (home / "models").glob("other-*"))
    assert deploy(again, "--test-set", test_set).exit_code == 0
    assert in_use(home).name == again, "a version that is in `models` is not copied"
    assert len(list((home / "models").iterdir())) == 4


def test_what_it_is_not_compared_with_is_said(test_set: Path, tmp_path: Path) -> None:
    limits = {"min_eir": 0.9, "tolerance": 0.0}
    other = tmp_path / "other"
    other.mkdir()
    for in_use, reason in ((None, "PLATEFLOW_VOLUME"), (other, "settings.json")):
        said: list[str] = []
        scores = gate(SHIPPED_MODEL, in_use, test_set, limits, say=said.append)
        assert "EIR_in_use" not in scores
        assert len(said) == 1
        assert said[0].startswith("not compared with the model in use: ")
        assert reason in said[0]


def test_an_annotation_set_will_do(home: Path) -> None:
    before = sorted(SAMPLES.iterdir())
    done = deploy(SHIPPED_MODEL, "--test-set", SAMPLES)
    assert done.exit_code == 0, done.output
    assert "EIR 1.000" in done.stderr
    assert in_use(home).name.startswith("platenet-kr-")
    assert sorted(SAMPLES.iterdir()) == before, "nothing is written into the set"


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_checkpoint(home: Path, test_set: Path, tmp_path: Path, is_recorded: bool) -> None:
    checkpoint = saved(tmp_path / "best.pth")
    measured_on = test_set if is_recorded else SAMPLES
    arguments = (checkpoint, "--test-set", measured_on, "--set", "deploy.min_eir=0")
    assert "EIR 0.000" in deploy(*arguments).stderr
    assert in_use(home).name.startswith("best-")
    assert (in_use(home) / "settings.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ([], "MODEL: which one? None is in use"),
        ([SHIPPED_MODEL, "--set", "train.max_epochs=1"], "only keys of `deploy` and `cluster`"),
        (["--rollback"], "no model was in use before"),
        ([SHIPPED_MODEL], "--test-set DIR (an annotation set) or FILE (COCO JSON)"),
        ([SHIPPED_MODEL, "--test-set", SAMPLES / "none.json"], "none.json is not there"),
        ([SHIPPED_MODEL, "--test-set", REPOSITORY / "models"], "no label file of labelme"),
        ([SHIPPED_MODEL, "--canary", "20"], "--canary: counts with --backend kubeflow only"),
        (["--promote"], "--promote: counts with --backend kubeflow only"),
    ],
)
def test_what_is_refused_here(home: Path, arguments: list[str | Path], error: str) -> None:
    assert error in refused(*arguments)
    assert not (home / "models").exists()


def test_a_model_that_is_not_there(home: Path, test_set: Path) -> None:
    assert "typo: there is no such file" in refused("typo", "--test-set", test_set)


def wish(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """The environment of a step `deploy` whose config wishes its model served."""
    keys = {f"cluster.serving.{key}": value for key, value in changes.items()}
    cluster = cluster_settings("plate_training", {"cluster.serving.from_runs": True, **keys})
    shared = cluster.model_copy(update={"components": {}})
    monkeypatch.setenv(VARIABLE, json.dumps(shared.model_dump()))
    monkeypatch.setattr("cluster.service_ready.POLL_SECONDS", 0.0)


def source(kubernetes: Kubernetes) -> tuple[str, int | None]:
    predictor = kubernetes.get("inferenceservices", "plateflow")["spec"]["predictor"]
    (container,) = predictor["containers"]
    return container["env"][0]["value"], predictor.get("canaryTrafficPercent")


def test_a_run_s_model_is_served(
    kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert put_in_service(Path("/mnt/models/m0"), "file:///x") == {}, "nobody wishes it"
    kserve = KServe(kubernetes)
    wish(monkeypatch, canary_percent=20)
    url = {"service": "http://plateflow.plateflow.example.com"}
    for _ in range(2):
        assert put_in_service(Path("/mnt/plateflow/models/m1"), "file:///x") == url
    assert source(kubernetes) == ("pvc://plateflow/models/m1", None)
    assert "0 of 1 pods ready" in capsys.readouterr().out, "in the step's log"
    wish(monkeypatch, canary_percent=20, storage="store")
    assert put_in_service(Path("/mnt/plateflow/models/m2"), "gs://bucket/models/m2") == url
    assert source(kubernetes) == ("gs://bucket/models/m2", 20)
    with pytest.raises(ConfigError, match=r"file:///x: pods cannot fetch.*PLATEFLOW_STORE"):
        put_in_service(Path("/mnt/plateflow/models/m3"), "file:///x")
    kserve.broken["gs://bucket/models/m4"] = "CrashLoopBackOff"
    with pytest.raises(ClusterError, match="CrashLoopBackOff"):
        put_in_service(Path("/mnt/plateflow/models/m4"), "gs://bucket/models/m4")
    assert kserve.traffic[-1].get("gs://bucket/models/m4", 0) == 0
