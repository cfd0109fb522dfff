"""A search on a cluster, against an API server over HTTP with a Katib that plays trials."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer import Typer
from typer.testing import CliRunner, Result

from commands.search import register
from components.parameters import CONFIG_VARIABLE, compiled_config
from components.run_config import run_config
from katib import kubeflow
from katib.kubeflow import run_search, stop_search
from katib.search import Search, Wishes, begin, conclude, prepare
from katib.trials import Trial, read_trials
from sub_module.engine.config import load_config
from sub_module.errors import ClusterError, ConfigError, RunError
from sub_module.settings import Settings
from tests.katib.fake_katib import Katib, serve_katib
from tests.katib.small_search import container_of, own_experiment, write
from tests.servers.schemas import needs_schemas

pytestmark = needs_schemas
Value = Callable[[dict[str, str]], float | None]


def value(parameters: dict[str, str]) -> float:
    return 0.9 - abs(float(parameters["lr"]) - 2e-3) * 50


def prepared(folder: Path, **wishes: Any) -> Search:
    config = wishes.pop("config", "tune_platenet")
    return prepare(Wishes(config=config, **wishes), folder / "home", here=False)


def run(search: Search) -> tuple[list[Trial], bool]:
    return run_search(search, Settings())


def changes(katib: Katib) -> list[str]:
    """What was changed of Experiments, in order."""
    verbs = [call.verb for call in katib.calls if call.resource == "experiments"]
    return [verb for verb in verbs if verb not in ("get", "list")]


@pytest.fixture(autouse=True)
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.api.PAUSES_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(kubeflow, "POLL_SECONDS", 0.005)
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))
    # No error of Kubernetes' client gets as far as another machine.
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


@pytest.fixture
def serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Value], AbstractContextManager[Katib]]:
    """Starts the cluster on which trials have such values."""

    def started(value: Value) -> AbstractContextManager[Katib]:
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        return serve_katib(tmp_path, value)

    return started


@pytest.fixture
def katib(serve: Callable[[Value], AbstractContextManager[Katib]]) -> Iterator[Katib]:
    with serve(value) as server:
        yield server


def test_experiment_is_created_followed_and_concluded(
    tmp_path: Path, katib: Katib, capfd: pytest.CaptureFixture[str]
) -> None:
    pairs = ["train.max_epochs=3", "cluster.volume.name=disk", "cluster.components.train.gpus=1"]
    search = prepared(tmp_path, trials=4, name="mine", pairs=pairs)
    trials, is_new = run(search)
    assert is_new
    container = container_of(katib.get("experiments", "mine"))
    assert "--search mine" in container["command"][2]
    assert "--set train.max_epochs=3" in container["command"][2]
    assert "cluster." not in container["command"][2]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    claim = katib.get("persistentvolumeclaims", "disk")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    outcome = conclude(search, trials, is_new)
    assert [trial.state for trial in trials] == ["succeeded"] * 4
    assert outcome.best.parameters["lr"] == "2e-3"
    assert outcome.best.metrics == {"mAP": [0.9], "EIR": [0.5]}
    assert outcome.overrides_file.read_text() == (
        "# mine-x2: mAP 0.9000\n"
        "train.lr: 0.002\ntrain.weight_decay: 0.05\ntrain.samples.crop_jitter: 0.24\n"
    )
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "made the claim disk"
    assert "[mine-x2] running: lr=2e-3 weight_decay=0.05 crop_jitter=0.24" in lines
    assert "[mine-x2] mAP 0.9000 (value 1)" in lines
    assert "[mine-x2] succeeded after 0:30, mAP 0.9000" in lines


def test_the_same_again_finds_it_there(tmp_path: Path, katib: Katib) -> None:
    search = prepared(tmp_path, trials=2)
    first, _ = run(search)
    again, is_new = run(search)
    assert (again, is_new) == (first, False)
    # Fewer than there were: Katib takes none of them back.
    fewer, is_new = run(prepared(tmp_path, trials=1))
    assert (fewer, is_new) == (first, False)
    assert changes(katib) == ["create"]


def test_an_experiment_that_was_left_is_followed_to_its_end(tmp_path: Path, katib: Katib) -> None:
    search = prepared(tmp_path, trials=3)
    # As kubectl would have made it.
    katib.put({**search.data, "status": {}})
    trials, is_new = run(search)
    assert is_new
    assert len(trials) == 3


def test_more_trials_go_on_after_the_end(
    tmp_path: Path, katib: Katib, capfd: pytest.CaptureFixture[str]
) -> None:
    first, _ = run(prepared(tmp_path, trials=2))
    uid = katib.get("experiments", "platenet")["metadata"]["uid"]
    # At the first looks, Katib has not noticed yet, and still says that it has ended.
    katib.asleep = 3
    trials, is_new = run(prepared(tmp_path, trials=4, parallel=2))
    assert is_new
    assert [trial.name for trial in trials[:2]] == [trial.name for trial in first]
    assert [trial.state for trial in trials] == ["succeeded"] * 4
    found = katib.get("experiments", "platenet")
    assert (found["metadata"]["uid"], found["spec"]["parallelTrialCount"]) == (uid, 2)
    told = "experiment platenet goes on with parallelTrialCount 2, maxTrialCount 4"
    assert told in capfd.readouterr().err


def test_more_trials_while_it_runs(tmp_path: Path, katib: Katib) -> None:
    katib.put({**prepared(tmp_path, trials=2).data, "status": {}})
    trials, _ = run(prepared(tmp_path, trials=3))
    assert len(trials) == 3


def test_what_has_ended_for_good(
    tmp_path: Path, serve: Callable[[Value], AbstractContextManager[Katib]]
) -> None:
    never = ["search.resume_policy=Never"]
    with serve(value) as katib:
        run(prepared(tmp_path, trials=2, pairs=never))
        with pytest.raises(RunError, match=r"platenet has ended, and with resumePolicy Never it"):
            run(prepared(tmp_path, trials=3, pairs=never))
        with pytest.raises(RunError, match=r"already, with another spec\.resumePolicy: give"):
            run(prepared(tmp_path / "elsewhere", trials=3))
        assert "patch" not in changes(katib)
    with serve(lambda parameters: 0.995) as katib:
        trials, _ = run(prepared(tmp_path / "goal", trials=2))
        assert len(trials) == 1, "the first reached the goal"
        assert run(prepared(tmp_path / "goal", trials=3)) == (trials, False)
        assert "patch" not in changes(katib)


def test_another_experiment_of_that_name(tmp_path: Path, katib: Katib) -> None:
    run(prepared(tmp_path, trials=3))
    other = prepared(tmp_path / "elsewhere", trials=3, algorithm="tpe")
    with pytest.raises(RunError, match=r"in namespace plateflow already, with another spec\.alg"):
        run(other)
    assert not (tmp_path / "elsewhere/home").exists()


def test_an_experiment_that_fails(
    tmp_path: Path,
    serve: Callable[[Value], AbstractContextManager[Katib]],
    capfd: pytest.CaptureFixture[str],
) -> None:
    with serve(lambda parameters: None), pytest.raises(RunError) as caught:
        run(prepared(tmp_path, trials=6))
    lines = capfd.readouterr().err.splitlines()
    assert lines.count("[platenet-x1] Job has reached the limit") == 1
    assert str(caught.value) == (
        "experiment platenet: Experiment has failed because max failed count has reached; "
        "kubectl -n plateflow logs --all-containers --prefix "
        "-l katib.kubeflow.org/experiment=platenet,katib.kubeflow.org/trial"
    )


def test_what_the_cluster_refuses(tmp_path: Path, katib: Katib) -> None:
    data = own_experiment(tmp_path)
    container_of(data)["gpus"] = 1
    search = prepare(Wishes(file=write(tmp_path, data)), tmp_path / "home", here=False)
    with pytest.raises(ClusterError, match=r"experiment own: the cluster at .* says 400: .*gpus"):
        run(search)
    assert katib.objects("persistentvolumeclaims") == [], "its claims are the user's business"
    assert not (tmp_path / "home").exists()


def test_a_namespace_that_is_not_there(
    tmp_path: Path, katib: Katib, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEFLOW_NAMESPACE", "nowhere")
    with pytest.raises(ClusterError, match=r'says 404: namespaces "nowhere" not found'):
        run(prepared(tmp_path))
    data = own_experiment(tmp_path)
    del data["metadata"]["namespace"]
    search = prepare(Wishes(file=write(tmp_path, data)), tmp_path / "home", here=False)
    with pytest.raises(ClusterError, match=r'experiment own: .* "nowhere" not found'):
        run(search)


def test_katib_that_is_not_installed(tmp_path: Path, katib: Katib) -> None:
    katib.withdraw("kubeflow.org")
    with pytest.raises(ClusterError, match=r"experiment platenet: the cluster at .* says 404"):
        run(prepared(tmp_path))


def test_a_lost_answer_makes_no_second_experiment(tmp_path: Path, katib: Katib) -> None:
    katib.fail(0, matching="create experiments", acted=True)
    trials, is_new = run(prepared(tmp_path, trials=2))
    assert (len(trials), is_new) == (2, True)
    assert len(katib.objects("experiments")) == 1


def test_a_cluster_that_is_away_for_a_while(
    tmp_path: Path, katib: Katib, capfd: pytest.CaptureFixture[str]
) -> None:
    katib.fail(503, times=4, matching="list trials")
    katib.fail(0, times=4, matching="list trials")
    search = prepared(tmp_path, trials=3, pairs=["search.additional=[EIR, dv_mAP]"])
    trials, _ = run(search)
    assert [trial.state for trial in trials] == ["succeeded"] * 3
    assert "dv_mAP" not in trials[0].metrics, "it is unavailable"
    errors = capfd.readouterr().err
    told = f"trials of experiment platenet: the cluster at {katib.url} says 503: the server is away"
    assert f"{told}; asking again\n" in errors
    assert errors.count("asking again") == 1


def test_a_cluster_that_stays_away_or_refuses(
    tmp_path: Path, katib: Katib, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kubeflow, "_PATIENCE_SECONDS", 0.05)
    katib.fail(403, matching="list trials")
    with pytest.raises(ClusterError, match=r"platenet: the cluster at .* says 403: the server"):
        run(prepared(tmp_path, trials=3))
    katib.fail(503, times=99, matching="list trials")
    with pytest.raises(ClusterError, match=r"platenet: the cluster at .* says 503: the server"):
        run(prepared(tmp_path, trials=3))


def test_no_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match="no cluster is configured"):
        run(prepared(tmp_path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
    config = {"current-context": "c", "clusters": [cluster], "contexts": [context], "users": []}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    with pytest.raises(ClusterError, match=rf"127\.0\.0\.1:{port} cannot be reached: .*refused"):
        run(prepared(tmp_path))
    assert not (tmp_path / "home").exists()


def test_a_config_of_ones_own_travels_with_the_trials(
    tmp_path: Path, katib: Katib, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config("tune_platenet")
    config["search"]["name"], config["train"]["lr"] = "own", 0.03
    config["name"] = "for $(HOME)"
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(config))
    run(prepared(tmp_path, config=str(file), trials=1))
    container = container_of(katib.get("experiments", "own"))
    assert "--config compiled" in container["command"][2]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert "$(" not in variables[CONFIG_VARIABLE], "a cluster would fill it in"
    monkeypatch.setenv(CONFIG_VARIABLE, variables[CONFIG_VARIABLE])
    assert run_config(compiled_config()) == run_config(str(file))


def test_keys_of_the_cluster_are_none_of_a_trial_here(tmp_path: Path) -> None:
    pairs = ["cluster.components.train.gpus=1"]
    with pytest.raises(ConfigError, match=r"--set cluster\.\S+: counts with --backend kubeflow"):
        prepare(Wishes(pairs=pairs), tmp_path, here=True)
    file = write(tmp_path, own_experiment(tmp_path))
    with pytest.raises(ConfigError, match=r"reads no `cluster` of a config; edit"):
        prepare(Wishes(file=file, pairs=pairs), tmp_path, here=False)


def looked(katib: Katib, turns: int) -> None:
    """As though somebody had looked at the search so often."""
    for _ in range(turns):
        katib.turn("platenet")


def test_stopping_keeps_what_was_found(tmp_path: Path, katib: Katib) -> None:
    search = prepared(tmp_path, trials=5)
    begin(search)
    katib.put({**search.data, "status": {}})
    looked(katib, 4)
    outcome, is_gone = stop_search("platenet", Settings())
    assert is_gone
    assert (katib.objects("experiments"), katib.objects("trials")) == ([], [])
    assert outcome is not None
    assert outcome.overrides_file.read_text().startswith("# platenet-x2: mAP 0.9000\ntrain.lr: 0.0")
    states = [trial.state for trial in read_trials(search.folder)]
    assert states == ["succeeded", "succeeded", "succeeded", "killed"]
    # Its name is free again.
    trials, is_new = run(prepared(tmp_path, trials=1))
    assert (len(trials), is_new) == (1, True)


def test_stopping_what_found_nothing_yet(tmp_path: Path, katib: Katib) -> None:
    katib.put({**prepared(tmp_path).data, "status": {}})
    looked(katib, 1)
    katib.fail(0, matching="delete experiments", acted=True)
    assert stop_search("platenet", Settings()) == (None, True)
    assert katib.objects("experiments") == []
    assert not (tmp_path / "home/searches/platenet/best.yaml").exists()


def test_what_cannot_be_stopped(
    tmp_path: Path, katib: Katib, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClusterError, match=r"experiment none: .* says 404: .*\"none\" not found"):
        stop_search("none", Settings())
    begin(prepared(tmp_path, algorithm="tpe"))
    katib.put({**prepared(tmp_path).data, "status": {}})
    with pytest.raises(RunError, match=r"searches/platenet is of a search with another spec\.alg"):
        stop_search("platenet", Settings())
    assert changes(katib) == []
    # One that never goes.
    katib.asleep = 1000
    monkeypatch.setattr(kubeflow, "_GONE_SECONDS", 0.05)
    looked(katib, 1)
    katib.put({**prepared(tmp_path, name="held").data, "status": {}})
    held = katib.get("experiments", "held")
    held["metadata"]["finalizers"] = ["somebody/else"]
    katib.put(held)
    assert stop_search("held", Settings()) == (None, False)
    with pytest.raises(RunError, match=r"held is being deleted; try again when it is gone"):
        run(prepared(tmp_path, name="held"))


@pytest.fixture
def command() -> Callable[..., Result]:
    app = Typer()
    register(app)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_commands(katib: Katib, command: Callable[..., Result]) -> None:
    assert command("tune-status").stdout == "search  state  trials  optimal  value\n"
    asked = ["tune", "--backend", "kubeflow", "--trials", "3"]
    tuned = command(*asked)
    assert tuned.exit_code == 0
    best = "best       platenet-x2  mAP 0.9000\n           train.lr=0.002\n"
    assert tuned.stdout.startswith(best)
    assert "search platenet is done already" in command(*asked).stderr
    assert [line.split() for line in command("tune-status").stdout.splitlines()[1:]] == [
        ["platenet", "succeeded", "3", "of", "3", "platenet-x2", "mAP", "0.9"]
    ]
    lines = command("tune-status", "platenet").stdout.splitlines()
    names = "trial state lr weight_decay crop_jitter mAP EIR"
    assert lines[0].split() == names.split()
    assert lines[3].split() == [
        "platenet-x2",
        "succeeded",
        "2e-3",
        "0.05",
        "0.24",
        "0.9000",
        "0.5000",
    ]
    assert lines[4:7] == [
        "state      succeeded, 3 of 3 trials",
        "optimal    platenet-x2  mAP 0.9",
        "           lr=2e-3",
    ]
    assert command("tune-stop", "platenet").exit_code == 1, "nobody said yes"
    assert len(katib.objects("experiments")) == 1
    stopped = command("tune-stop", "platenet", "--yes")
    assert stopped.stdout.startswith(best)
    assert stopped.stderr == "stopped platenet\n"
    assert katib.objects("experiments") == []


def test_following_is_left_with_a_key(
    katib: Katib, command: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kubeflow, "_asked_patiently", interrupted)
    found = command("tune", "--backend", "kubeflow")
    assert found.exit_code == 130
    assert "platenet goes on on the cluster: the same command follows it" in found.stderr
    assert len(katib.objects("experiments")) == 1
