"""TensorBoard on the cluster and here."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.api import connect
from cluster.settings import Volume
from cluster.tensorboard import Board, board_body, open_board
from cluster.volume import claim_body
from pipeline_utils import app
from pipelines.backends.kubeflow import KubeflowBackend
from pipelines.registry import make_package
from sub_module.errors import ClusterError, PlateflowError
from sub_module.settings import Settings
from tests.servers.kfp import needs_swagger, serve_kfp
from tests.servers.kubernetes import Kubernetes
from tests.standards import REPOSITORY

RUN = "plate_training-0a1b2c3d4e5f-0011aabb"
CLAIM = Volume(
    name="plateflow",
    size="1Gi",
    access_mode="ReadWriteOnce",
    storage_class=None,
    mount_path="/mnt/plateflow",
)


@pytest.fixture
def claim(kubernetes: Kubernetes) -> str:
    kubernetes.put({**claim_body(CLAIM), "status": {"phase": "Bound"}})
    return CLAIM.name


def board(claim: str, run: str | None, port: int | None = None) -> Board:
    return open_board(connect(Settings()), claim, run, port)


def test_of_a_run(kubernetes: Kubernetes, claim: str) -> None:
    name = "tensorboard-plate-training-0a1b2c3d4e5f-0011aabb"
    kubectl = "kubectl -n plateflow"
    made = board(claim, RUN)
    assert made == Board(
        name,
        True,
        {
            "wait": f"{kubectl} rollout status deployment/{name}",
            "open": f"{kubectl} port-forward service/{name} 6006:80",
            "delete": f"{kubectl} delete tensorboards.tensorboard.kubeflow.org {name}",
        },
        "http://localhost:6006/",
    )
    kept = kubernetes.get("tensorboards", name)
    assert kept["spec"] == {"logspath": f"pvc://plateflow/runs/{RUN}/train"}
    assert kept["metadata"]["labels"]["app.kubernetes.io/name"] == "plateflow"
    assert not board(claim, RUN).is_new
    assert board(claim, RUN, 7000).url == "http://localhost:7000/"
    assert kubernetes.get("tensorboards", name) == kept


def test_of_all_runs_and_of_one_with_a_long_name(kubernetes: Kubernetes, claim: str) -> None:
    assert board(claim, None).name == "tensorboard"
    assert kubernetes.get("tensorboards", "tensorboard")["spec"] == {
        "logspath": "pvc://plateflow/runs"
    }
    long = board(claim, f"{'Long_name.' * 9}-0011aabb").name
    assert len(f"http-{long}") <= 63
    assert long.startswith("tensorboard-")
    assert long.endswith("-0011aabb")


def test_a_lost_answer(kubernetes: Kubernetes, claim: str) -> None:
    kubernetes.fail(0, matching="create tensorboards", acted=True)
    assert board(claim, RUN).is_new
    assert len(kubernetes.objects("tensorboards")) == 1


def test_what_stands_in_the_way(kubernetes: Kubernetes, claim: str) -> None:
    with pytest.raises(ClusterError, match=r'404: .*"other" not found; the first run makes it'):
        board("other", RUN)
    kubernetes.put(board_body("tensorboard", "pvc://other/runs"))
    with pytest.raises(
        ClusterError,
        match=r"^tensorboard tensorboard in namespace plateflow shows pvc://other/runs, not "
        r"pvc://plateflow/runs; delete it first: kubectl -n plateflow delete tensorboards\.",
    ):
        board(claim, None)
    kubernetes.withdraw("tensorboard.kubeflow.org")
    with pytest.raises(ClusterError, match="it knows no such kind of object: is its CRD install"):
        board(claim, RUN)


def test_the_command_on_a_cluster(kubernetes: Kubernetes, claim: str) -> None:
    arguments = ["tensorboard", "--backend", "kubeflow"]
    done = CliRunner().invoke(app, [*arguments, RUN, "--port", "7000"])
    assert done.exit_code == 0, done.output
    name = "tensorboard-plate-training-0a1b2c3d4e5f-0011aabb"
    # Nobody answers for Kubeflow Pipelines.
    assert f"TensorBoard shows nothing until the volume has runs/{RUN}/train" in done.stderr
    assert f"tensorboard {name} made" in done.stderr
    assert f"port-forward service/{name} 7000:80\n" in done.stdout
    for wrong, error in (
        ("cluster.volume.name=other", '"other" not found'),
        ("train.max_epochs=3", "only keys of `cluster`"),
    ):
        failed = CliRunner().invoke(app, [*arguments, "--set", wrong])
        assert isinstance(failed.exception, PlateflowError)
        assert error in str(failed.exception)


@needs_swagger
def test_the_directory_of_a_run(
    kubernetes: Kubernetes, claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEFLOW_NAMESPACE", "kubeflow")
    metadata = {"name": claim, "namespace": "kubeflow"}
    kubernetes.put({**claim_body(CLAIM), "metadata": metadata, "status": {"phase": "Bound"}})
    with serve_kfp(tmp_path) as kfp:
        monkeypatch.setenv("PLATEFLOW_KFP_HOST", kfp.url)
        backend = KubeflowBackend(Settings())
        backend.upload(make_package("plate_training", "plates", "v1", for_cluster=True))
        run = backend.run("plates", "v1", {})
        # By the id, too, which is no directory's name.
        for named in (run.name, run.id, "typo"):
            done = CliRunner().invoke(app, ["tensorboard", named, "--backend", "kubeflow"])
            assert done.exit_code == 0, done.output
            is_known = "there is no run" not in done.stderr
            assert is_known == (named != "typo")
        assert "nothing until the volume has runs/typo/train" in done.stderr
    assert [board["spec"]["logspath"] for board in kubernetes.objects("tensorboards")] == [
        f"pvc://plateflow/runs/{run.name}/train",
        "pvc://plateflow/runs/typo/train",
    ]


def test_the_command_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path))
    for run, error in ((None, "no run in"), (RUN, f"no run {RUN} in"), ("..", "no run ..")):
        failed = CliRunner().invoke(app, ["tensorboard", *([run] if run else [])])
        assert isinstance(failed.exception, PlateflowError)
        assert error in str(failed.exception)
    failed = CliRunner().invoke(app, ["tensorboard", "--set", "cluster.volume.name=other"])
    assert str(failed.exception) == "cluster.volume.name: counts with --backend kubeflow only"
    (tmp_path / "runs" / RUN / "train").mkdir(parents=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed = CliRunner().invoke(app, ["tensorboard", "--port", str(port)])
    assert isinstance(failed.exception, PlateflowError)
    assert str(failed.exception).startswith(
        f"TensorBoard does not start: TensorBoard could not bind to port {port}"
    )
    _check_it_serves_until_ctrl_c(port)


def _check_it_serves_until_ctrl_c(port: int) -> None:
    with subprocess.Popen(
        [sys.executable, "pipeline_utils.py", "tensorboard", RUN, "--port", str(port)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.endswith(f"{RUN}/train: http://127.0.0.1:{port}/ (Ctrl-C ends it)\n")
            url = f"http://127.0.0.1:{port}/data/environment"
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert f"{RUN}/train" in answer.read().decode()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()
