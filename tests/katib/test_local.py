"""A search on this machine: real processes, a script for a trial."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from katib.local import run_search
from katib.search import Search, Wishes, conclude, prepare
from katib.trials import Trial, read_trials
from pipelines.backends.lock import HomeLock
from sub_module.errors import RunError
from tests.katib.small_search import container_of, own_experiment, write
from tests.standards import REPOSITORY


def prepared(folder: Path, mode: str = "", pause: float = 0, **spec: Any) -> Search:
    """The user's own search in a home below the folder.

    Args:
        folder: Of the test.
        mode: `crash` (of every trial), `crash VALUE` (of those with that lr) or `mute`.
        pause: Seconds after each value.
        spec: Fields to replace.
    """
    data = own_experiment(folder, **spec)
    container_of(data)["env"] += [
        {"name": "MODE", "value": mode},
        {"name": "PAUSE", "value": str(pause)},
    ]
    return prepare(Wishes(file=write(folder, data)), folder / "home", here=True)


def with_checkpoints(search: Search, num_trials: int) -> list[Path]:
    """A checkpoint to go on from in each trial's directory."""
    name = search.experiment.name
    files = [search.folder / f"{name}-{n + 1:03d}/train/epoch_1.pth" for n in range(num_trials)]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"to resume from")
    return files


def states(trials: list[Trial]) -> list[str]:
    return [trial.state for trial in trials]


def test_search_finds_the_best_and_does_nothing_when_asked_again(tmp_path: Path) -> None:
    search = prepared(tmp_path, algorithm={"algorithmName": "grid"}, maxTrialCount=15)
    trials, is_new = run_search(search)
    assert is_new
    assert states(trials) == ["succeeded"] * 15
    outcome = conclude(search, trials, is_new)
    assert outcome.overrides == {"train.lr": 2e-3, "train.weight_decay": 0.0}
    assert outcome.best.metrics["mAP"] == [0.3, 0.6, 0.9]
    assert outcome.picture.read_bytes().startswith(b"\x89PNG")
    before = {file: file.stat().st_mtime_ns for file in search.folder.rglob("*")}
    again, is_new = run_search(search)
    conclude(search, again, is_new)
    assert (again, is_new) == (trials, False)
    now = {file: file.stat().st_mtime_ns for file in search.folder.rglob("*")}
    changed = {file.name for file in now if now[file] != before.get(file)}
    assert changed <= {"experiment.yaml"}


def test_more_trials_go_on_where_fewer_ended(tmp_path: Path) -> None:
    first, _ = run_search(prepared(tmp_path, maxTrialCount=3))
    trials, is_new = run_search(prepared(tmp_path, maxTrialCount=5))
    assert is_new
    assert trials[:3] == first
    assert len(trials) == 5


def test_another_experiment_of_the_same_name(tmp_path: Path) -> None:
    run_search(prepared(tmp_path, maxTrialCount=3))
    with pytest.raises(RunError, match=r"own was begun with another spec\.algorithm"):
        run_search(prepared(tmp_path, algorithm={"algorithmName": "tpe"}))


def test_goal_ends_the_search(tmp_path: Path) -> None:
    objective = {"type": "maximize", "objectiveMetricName": "mAP", "goal": 0.7}
    trials, _ = run_search(prepared(tmp_path, objective=objective))
    reached = [max(trial.metrics["mAP"]) >= 0.7 for trial in trials]
    assert len(trials) < 6
    assert reached == [False] * (len(trials) - 1) + [True]


def test_as_many_at_a_time_as_asked_for(tmp_path: Path) -> None:
    search = prepared(tmp_path, pause=0.3, parallelTrialCount=3, maxTrialCount=3)
    trials, _ = run_search(search)
    latest_start = max(trial.started for trial in trials)
    assert all(trial.finished is not None and trial.finished > latest_start for trial in trials)


def test_a_crash_counts_and_the_search_goes_on(tmp_path: Path) -> None:
    grid = {"algorithmName": "grid"}
    search = prepared(
        tmp_path, "crash 1e-3", algorithm=grid, maxTrialCount=15, maxFailedTrialCount=4
    )
    checkpoints = with_checkpoints(search, 15)
    trials, _ = run_search(search)
    failed = [trial for trial in trials if trial.state == "failed"]
    assert {t.name: checkpoints[t.number].is_file() for t in trials} == {
        t.name: t.state == "succeeded" for t in trials
    }
    assert {trial.parameters["lr"] for trial in failed} == {"1e-3"}
    assert len(failed) == 3
    assert {trial.error for trial in failed} == {"exit code 1: the GPU fell off"}
    assert len(trials) == 15


def test_too_many_crashes_name_the_last_ones_log(tmp_path: Path) -> None:
    search = prepared(tmp_path, "crash", maxFailedTrialCount=2)
    with pytest.raises(RunError) as caught:
        run_search(search)
    log = search.folder / "own-002" / "trial.log"
    assert str(caught.value) == (
        "search own: 2 of 2 trials failed; the last, own-002: exit code 1: the GPU fell off; "
        f"see {log}"
    )
    assert log.read_text() == "the GPU fell off\n"


def test_what_failed_is_tried_again_when_the_cause_is_mended(tmp_path: Path) -> None:
    search = prepared(tmp_path, "crash", maxFailedTrialCount=2, maxTrialCount=3)
    with pytest.raises(RunError):
        run_search(search)
    failed = read_trials(search.folder)
    script = tmp_path / "script.py"
    script.write_text(script.read_text().replace("sys.exit(", "str("))
    trials, _ = run_search(search)
    assert states(trials) == ["succeeded"] * 3
    assert [trial.parameters for trial in trials[:2]] == [trial.parameters for trial in failed]


def test_a_metric_that_is_never_printed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"own-003: it never printed the metric mAP"):
        run_search(prepared(tmp_path, "mute", maxFailedTrialCount=3))
    assert states(read_trials(tmp_path / "home/searches/own")) == ["metrics unavailable"] * 3


def test_a_metric_that_no_trial_ever_printed_is_an_error_even_if_many_may_fail(
    tmp_path: Path,
) -> None:
    search = prepared(tmp_path, "mute", maxFailedTrialCount=None, maxTrialCount=2)
    with pytest.raises(RunError, match=r"2 of 2 trials failed; .*never printed the metric mAP"):
        run_search(search)


def test_median_stopping_stops_processes(tmp_path: Path) -> None:
    stopping = {
        "algorithmName": "medianstop",
        "algorithmSettings": [
            {"name": "min_trials_required", "value": "2"},
            {"name": "start_step", "value": "1"},
        ],
    }
    search = prepared(
        tmp_path,
        pause=0.2,
        earlyStopping=stopping,
        algorithm={"algorithmName": "grid"},
        maxTrialCount=8,
    )
    checkpoints = with_checkpoints(search, 8)
    trials, _ = run_search(search)
    stopped = [trial for trial in trials if trial.state == "early stopped"]
    assert stopped, states(trials)
    assert not any(checkpoints[trial.number].is_file() for trial in stopped)
    assert all(len(trial.metrics["mAP"]) < 3 for trial in stopped)
    whole = [max(t.metrics["mAP"]) for t in trials if t.state == "succeeded"]
    assert max(whole) == max(max(trial.metrics["mAP"]) for trial in trials)


def test_hyperband_stops_trials_at_the_end_of_a_round(tmp_path: Path) -> None:
    settings = {"resource_name": "epochs", "r_l": "3", "eta": "3"}
    pairs = [{"name": name, "value": value} for name, value in settings.items()]
    data = own_experiment(
        tmp_path,
        algorithm={"algorithmName": "hyperband", "algorithmSettings": pairs},
        maxTrialCount=12,
    )
    space = {"min": "1", "max": "3"}
    data["spec"]["parameters"].append(
        {"name": "epochs", "parameterType": "int", "feasibleSpace": space}
    )
    template = data["spec"]["trialTemplate"]
    template["trialParameters"].append({"name": "epochs", "reference": "epochs"})
    container_of(data)["command"] += ["--set", "train.max_epochs=${trialParameters.epochs}"]
    search = prepare(Wishes(file=write(tmp_path, data)), tmp_path / "home", here=True)
    trials, is_new = run_search(search)
    lengths = [(trial.state, len(trial.metrics["mAP"])) for trial in trials]
    assert set(lengths) == {("succeeded", 3), ("early stopped", 1)}
    best = conclude(search, trials, is_new).best
    assert best.state == "succeeded"
    assert max(best.metrics["mAP"]) == max(max(trial.metrics["mAP"]) for trial in trials)


def test_another_run_in_the_home(tmp_path: Path) -> None:
    search = prepared(tmp_path)
    lock = HomeLock(tmp_path / "home")
    lock.acquire("plate_training-1")
    try:
        with pytest.raises(RunError, match="another run is under way here: plate_training-1"):
            run_search(search)
    finally:
        lock.release()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A search of slow trials under way in a process of its own, and its directory."""
    prepared(tmp_path, pause=0.3, maxTrialCount=4)
    command = [sys.executable, str(REPOSITORY / "pipeline_utils.py"), "tune", "--experiment"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "experiment.yaml")],
        env={**os.environ, "PLATEFLOW_HOME": str(tmp_path / "home")},
        stderr=subprocess.DEVNULL,
    )
    yield process, tmp_path / "home/searches/own"
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_search_leaves_no_process_and_goes_on(
    started: tuple[subprocess.Popen[bytes], Path], tmp_path: Path, number: signal.Signals
) -> None:
    process, folder = started
    second = folder / "own-002" / "trial.json"
    _wait_for(lambda: second.is_file() and '"mAP"' in second.read_text())
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    process.wait(timeout=20)
    assert children
    _wait_for(lambda: not any(child.is_running() for child in children))
    cut = read_trials(folder)
    assert states(cut) == ["succeeded", "running"]
    trials, is_new = run_search(prepared(tmp_path, pause=0.3, maxTrialCount=4))
    assert is_new
    assert states(trials) == ["succeeded"] * 4
    assert trials[0] == cut[0], "what was done is not done again"
    assert trials[1].parameters == cut[1].parameters
    assert len(trials[1].metrics["mAP"]) == 3, "the interrupted one began anew"
    undisturbed = prepared(tmp_path / "other", maxTrialCount=4)
    assert [t.parameters for t in run_search(undisturbed)[0]] == [t.parameters for t in trials]


def _wait_for(condition: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
