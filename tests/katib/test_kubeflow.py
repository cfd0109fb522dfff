"""A search on a cluster, against a server that answers as one would."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from katib.kubeflow import run_search
from katib.search import Search, Wishes, conclude, prepare
from sub_module.errors import RunError
from tests.katib.fake_cluster import FakeCluster, kubeconfig, served
from tests.katib.schemas import needs_schemas
from tests.katib.small_search import container_of, own_experiment, write

pytestmark = needs_schemas


def value(parameters: dict[str, str]) -> float:
    return 0.9 - abs(float(parameters["lr"]) - 2e-3) * 50


def prepared(folder: Path, **wishes: Any) -> Search:
    return prepare(Wishes(config="tune_platenet", **wishes), folder / "home", here=False)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    made = FakeCluster(value)
    with served(made, tmp_path) as file:
        monkeypatch.setenv("KUBECONFIG", str(file))
        yield made


def test_experiment_is_created_followed_and_concluded(
    tmp_path: Path, cluster: FakeCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    search = prepared(tmp_path, trials=4, name="mine", pairs=["train.max_epochs=3"])
    trials, is_new = run_search(search, poll_seconds=0.01)
    assert is_new
    posted = cluster.experiments["plateflow", "mine"]
    assert "--search mine" in container_of(posted)["command"][2]
    assert "--set train.max_epochs=3" in container_of(posted)["command"][2]
    outcome = conclude(search, trials, is_new)
    assert [trial.state for trial in trials] == ["succeeded"] * 4
    assert outcome.best.parameters["lr"] == "2e-3"
    assert outcome.best.metrics == {"mAP": [0.9], "EIR": [0.5]}
    assert outcome.overrides_file.read_text() == (
        "# mine-x2: mAP 0.9000\n"
        "train.lr: 0.002\ntrain.weight_decay: 0.05\ntrain.samples.crop_jitter: 0.24\n"
    )
    lines = capfd.readouterr().err.splitlines()
    assert "[mine-x2] mAP 0.9000 (value 1)" in lines
    assert "[mine-x2] succeeded after 0:30, mAP 0.9000" in lines


def test_the_same_again_finds_it_there(tmp_path: Path, cluster: FakeCluster) -> None:
    search = prepared(tmp_path, trials=3)
    first, _ = run_search(search, poll_seconds=0.01)
    again, is_new = run_search(search, poll_seconds=0.01)
    assert (again, is_new) == (first, False)
    assert cluster.num_created == 1


def test_an_experiment_that_was_left_is_followed_to_its_end(
    tmp_path: Path, cluster: FakeCluster
) -> None:
    search = prepared(tmp_path, trials=3)
    cluster.create("plateflow", {"fieldValidation": ["Strict"]}, dict(search.data))
    trials, is_new = run_search(search, poll_seconds=0.01)
    assert is_new
    assert len(trials) == 3
    assert cluster.num_created == 1


def test_another_experiment_of_that_name(tmp_path: Path, cluster: FakeCluster) -> None:
    run_search(prepared(tmp_path, trials=3), poll_seconds=0.01)
    other = prepared(tmp_path / "elsewhere", trials=3, algorithm="tpe")
    with pytest.raises(RunError, match=r"in namespace plateflow already, with another spec\.alg"):
        run_search(other, poll_seconds=0.01)


def test_an_experiment_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(FakeCluster(lambda parameters: None), tmp_path) as file:
        monkeypatch.setenv("KUBECONFIG", str(file))
        with pytest.raises(RunError) as caught:
            run_search(prepared(tmp_path, trials=6), poll_seconds=0.01)
    assert str(caught.value) == (
        "experiment platenet: Experiment has failed because max failed count has reached; "
        "kubectl -n plateflow logs -l katib.kubeflow.org/experiment=platenet"
    )


def test_what_the_cluster_refuses(tmp_path: Path, cluster: FakeCluster) -> None:
    data = own_experiment(tmp_path)
    container_of(data)["gpus"] = 1
    search = prepare(Wishes(file=write(tmp_path, data)), tmp_path / "home", here=False)
    with pytest.raises(RunError, match=r"experiment own: the cluster says 400: .*'gpus'"):
        run_search(search, poll_seconds=0.01)


def test_a_cluster_that_is_away_for_a_while(
    tmp_path: Path, cluster: FakeCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster.failures = [503, 429, 0, 500]
    search = prepared(tmp_path, trials=3, pairs=["search.additional=[EIR, dv_mAP]"])
    trials, _ = run_search(search, poll_seconds=0.01)
    assert [trial.state for trial in trials] == ["succeeded"] * 3
    assert "dv_mAP" not in trials[0].metrics, "it is unavailable"
    told = "experiment platenet: the cluster says 503: the server is away; asking again\n"
    assert capfd.readouterr().err.startswith(told)
    assert cluster.failures == []


@pytest.mark.parametrize("failures", [[503] * 99, [403]])
def test_a_cluster_that_stays_away_or_refuses(
    tmp_path: Path, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, failures: list[int]
) -> None:
    monkeypatch.setattr("katib.kubeflow._PATIENCE_SECONDS", 0.1)
    cluster.failures = failures
    with pytest.raises(RunError, match=rf"platenet: the cluster says {failures[0]}: the server"):
        run_search(prepared(tmp_path, trials=3), poll_seconds=0.01)


def test_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, port)))
    with pytest.raises(RunError, match=rf"127\.0\.0\.1:{port} cannot be reached: .*refused"):
        run_search(prepared(tmp_path))
    assert not (tmp_path / "home").exists()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(RunError, match="no cluster is configured"):
        run_search(prepared(tmp_path))
