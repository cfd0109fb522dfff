"""The local backend, with a real pipeline of two small steps."""

from __future__ import annotations

import errno
import io
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest
from rich.console import Console

from components.records import RunRecord, read_steps
from pipelines.backends.local import LocalBackend, component_order
from pipelines.runs import write_run
from sub_module.errors import ConfigError, DataError, RunError
from sub_module.files import read_json, write_json, write_text
from tests.pipelines.tiny import CONFIG, tiny_package

ROOT = Path(__file__).resolve().parents[3]
DOES = {
    name: {"first": {**CONFIG["first"], "does": name}}
    for name in ("mistake", "crash", "die", "fill", "sleep")
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home"


def run_tiny(home: Path, version: str = "v1", **overrides: Any) -> tuple[RunRecord, str]:
    """Run to the end; gives the record and what was shown."""
    shown = io.StringIO()
    backend = LocalBackend(home, Console(file=shown, width=200))
    record = backend.run(
        "tiny", version, {key.replace("__", "."): v for key, v in overrides.items()}
    )
    return backend.wait(record.name), shown.getvalue()


def test_run_to_the_end(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("PLATEFLOW_TEST", "it arrives")
    monkeypatch.chdir(tmp_path)
    LocalBackend(home).upload(tiny_package())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    record, shown = run_tiny(home, first__number=7)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    run_dir = home / "runs" / record.name
    assert record.state == "succeeded"
    assert record.overrides == {"first.number": 7}
    assert (home / "runs/latest").resolve() == run_dir
    assert (home / str(record.report)).is_file()
    assert read_json(run_dir / "config.json")["first"]["number"] == 7
    steps = read_steps(run_dir)
    assert steps["first"].metrics == {"number": 7.0}
    assert steps["second"].metrics == {"number": 4.0}
    # Of the processor, not of the clock: a busy machine does not fail the test.
    overhead_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert overhead_seconds < 2 * 5, "at most 5 s a component; these two do nothing"
    said = read_json(run_dir / "first/said.json")
    assert said["environment"] == "it arrives"
    assert said["directory"] == str(tmp_path)
    assert said["temporary"].startswith(str(temporary))
    assert said["stdin"] == ""
    assert "first was here" in (run_dir / "pipeline.log").read_text()
    lines = [line.split(" in ")[0] for line in shown.splitlines()]
    assert [line for line in lines if line.endswith("done")] == ["[first] done", "[second] done"]
    assert capfd.readouterr() == ("", ""), "kfp's own words go to the log"
    assert list(temporary.iterdir()) == [], "kfp's temporary files are gone"
    assert {path.name for path in run_dir.iterdir()} == {
        *("config.json", "run.json", "steps", "progress", "pipeline.log"),
        *("first", "second", "report.html", "report.json"),
    }


def test_finished_run_is_not_run_again(home: Path) -> None:
    backend = LocalBackend(home)
    backend.upload(tiny_package())
    first, _ = run_tiny(home)
    again = LocalBackend(home).run("tiny", "v1", {})
    assert again == first
    assert LocalBackend(home).run("tiny", "v1", {}) == first
    assert [record.name for record in backend.runs()] == [first.name]


def _no_json(run_dir: Path) -> None:
    (run_dir / "report.json").unlink()


def _cut_json(run_dir: Path) -> None:
    (run_dir / "report.json").write_text("{")


def _no_page(run_dir: Path) -> None:
    (run_dir / "report.html").unlink()


def _no_model(run_dir: Path) -> None:
    report = read_json(run_dir / "report.json")
    report["model"]["path"] = str(run_dir / "deleted model")
    write_json(run_dir / "report.json", report)


def test_finished_run_that_lost_something_goes_on(home: Path) -> None:
    LocalBackend(home).upload(tiny_package())
    run_dir = home / "runs" / run_tiny(home)[0].name
    for damage in (_no_json, _cut_json, _no_page, _no_model):
        damage(run_dir)
        record, _ = run_tiny(home)
        assert record.state == "succeeded"
        assert (run_dir / "report.html").is_file(), damage.__name__
        assert read_json(run_dir / "report.json")["model"] == {"path": None, "url": None}, (
            damage.__name__
        )
    assert (run_dir / "pipeline.log").read_text().count("first was here") == 1


def test_leftovers_of_a_kill_are_swept(home: Path) -> None:
    LocalBackend(home).upload(tiny_package())
    left = [
        *("datasets/.drawn-1.partial-1/train/a.jpg", "runs/old/.record.partial-1/a.json"),
        *("runs/old/.run.json.abc.partial", "models/.m.partial-1/a", "models/.m.deleted-1/a"),
    ]
    kept = ["datasets/drawn-2/a.jpg", "datasets/.drawn-2.lock", "registry/x/.v1.partial-1/a"]
    for name in [*left, *kept]:
        write_text(home / name, "a")
    run_tiny(home)
    assert [name for name in left if (home / name).exists()] == []
    assert [name for name in kept if not (home / name).exists()] == []


def test_latest_is_there_before_a_run_counts_as_finished(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalBackend(home).upload(tiny_package())

    def killed(run_dir: Path, record: RunRecord) -> None:
        if record.state == "succeeded":
            assert (home / "runs/latest").resolve() == run_dir
            raise KeyboardInterrupt
        write_run(run_dir, record)

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.backends.local.write_run", killed)
        with pytest.raises(KeyboardInterrupt):
            run_tiny(home)
    assert run_tiny(home)[0].state == "succeeded"


def test_error_in_the_report_is_the_runs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LocalBackend(home).upload(tiny_package())
    errors: list[Exception] = [
        DataError("readings.json: damaged"),
        OSError(errno.ENOSPC, "No space left"),
        KeyError("a mistake of ours"),
    ]
    for error in errors:
        with monkeypatch.context() as patch:
            patch.setattr("pipelines.backends.local.write_report", mock.Mock(side_effect=error))
            with pytest.raises(type(error)):
                run_tiny(home)
        (record,) = LocalBackend(home).runs()
        assert record.state == "failed"
        assert str(error) in str(record.error)
    assert run_tiny(home)[0].state == "succeeded"


def test_reason_of_a_failure_outlives_its_report(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalBackend(home).upload(tiny_package(second={"does": "refuse", "number": 1}))
    fails = mock.Mock(side_effect=DataError("readings.json: damaged"))
    monkeypatch.setattr("pipelines.backends.local.write_report", fails)
    with pytest.raises(RunError, match=r"not deployed: .*min_eir 0\.5$"):
        run_tiny(home)


def test_damaged_record_of_a_step_does_not_stop_a_resume(home: Path) -> None:
    LocalBackend(home).upload(tiny_package(second={"does": "crash", "number": 1}))
    first, _ = run_tiny(home)
    run_dir = home / "runs" / first.name
    (run_dir / "steps/first.json").write_text("{")
    again, _ = run_tiny(home)
    assert "second crashed" in str(again.error)
    assert (run_dir / "pipeline.log").read_text().count("first was here") == 2


@pytest.mark.parametrize(
    ("does", "message"),
    [
        pytest.param("mistake", "first: a.jpg: truncated", id="the user's to mend"),
        pytest.param("fill", "first: the disk that holds .* is full", id="a full disk"),
    ],
)
def test_mistake_is_one_line(home: Path, does: str, message: str) -> None:
    LocalBackend(home).upload(tiny_package(**DOES[does]))
    with pytest.raises(RunError, match=f"^{message}$"):
        run_tiny(home)
    (record,) = LocalBackend(home).runs()
    assert record.state == "failed"
    assert record.error is not None
    assert "Traceback" not in (home / "runs" / record.name / "pipeline.log").read_text()
    assert not (home / "runs/latest").exists()


def test_refused_model_has_a_report(home: Path) -> None:
    LocalBackend(home).upload(tiny_package(second={"does": "refuse", "number": 1}))
    with pytest.raises(RunError) as caught:
        run_tiny(home)
    (record,) = LocalBackend(home).runs()
    report = home / "runs" / record.name / "report.html"
    refusal = "second: not deployed: EIR 0.1 is below deploy.min_eir 0.5"
    assert str(caught.value) == record.error == f"{refusal}; report: {report}"
    assert refusal.removeprefix("second: ") in report.read_text()


@pytest.mark.parametrize(
    ("does", "words"),
    [
        pytest.param("crash", ["first crashed", "ValueError: not my day"], id="an exception"),
        pytest.param("die", ["first was killed"], id="a kill, as by the system for memory"),
    ],
)
def test_crash_points_at_the_log(home: Path, does: str, words: list[str]) -> None:
    LocalBackend(home).upload(tiny_package(**DOES[does]))
    record, _ = run_tiny(home)
    log = home / "runs" / record.name / "pipeline.log"
    assert record.state == "failed"
    for word in [*words, str(log)]:
        assert word in str(record.error)
    assert "finished with status" in log.read_text()


def test_failed_run_goes_on_where_it_failed(home: Path) -> None:
    LocalBackend(home).upload(tiny_package(second={"does": "crash", "number": 1}))
    for _ in range(2):
        record, _ = run_tiny(home)
        assert record.state == "failed"
    steps = home / "runs" / record.name / "steps"
    log = (home / "runs" / record.name / "pipeline.log").read_text()
    assert log.count("first was here") == 1
    assert log.count("not my day") >= 2
    assert read_json(steps / "first.json")["finished"] < read_json(steps / "second.json")["started"]


def test_override_is_checked_before_anything_starts(home: Path) -> None:
    LocalBackend(home).upload(tiny_package())
    with pytest.raises(ConfigError, match=r"first\.number"):
        run_tiny(home, first__numbr=3)
    assert not (home / "runs").exists()


def test_unknown_version_names_the_known(home: Path) -> None:
    LocalBackend(home).upload(tiny_package())
    with pytest.raises(RunError, match=r"no version v2.*v1"):
        run_tiny(home, version="v2")


def start_sleeping(home: Path) -> tuple[subprocess.Popen[str], list[psutil.Process], RunRecord]:
    """A command line whose run sleeps in its first step; its component's processes; its record."""
    backend = LocalBackend(home)
    backend.upload(tiny_package(**DOES["sleep"]))
    command = [sys.executable, str(ROOT / "pipeline_utils.py"), "run", "--name", "tiny"]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PLATEFLOW_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not (found := list(home.glob("runs/*/first/pids"))) or not found[0].read_text():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (record,) = backend.runs()
    return process, [psutil.Process(int(pid)) for pid in found[0].read_text().split()], record


@pytest.mark.parametrize(
    ("number", "code", "state"),
    [
        pytest.param(signal.SIGTERM, 143, "stopped", id="asked to end"),
        pytest.param(signal.SIGINT, 130, "stopped", id="Ctrl-C"),
        pytest.param(signal.SIGHUP, 129, "stopped", id="its terminal closed"),
        pytest.param(signal.SIGKILL, -9, "running", id="killed"),
    ],
)
def test_children_end_with_the_command(
    home: Path, number: signal.Signals, code: int, state: str
) -> None:
    process, children, _ = start_sleeping(home)
    process.send_signal(number)
    output = process.communicate(timeout=20)[0]
    assert process.returncode == code, output
    _, alive = psutil.wait_procs(children, timeout=10)
    assert all(child.status() == psutil.STATUS_ZOMBIE for child in alive)
    assert "Traceback" not in output
    (record,) = LocalBackend(home).runs()
    assert record.state == state
    again = LocalBackend(home)
    again.run("tiny", "v1", {})
    # The lock is free and the run can go on; this one is ended by its owner's exit.
    assert again._worker is not None
    again._worker.stop()
    again._lock.release()


def test_one_run_at_a_time(home: Path) -> None:
    process, _, running = start_sleeping(home)
    try:
        other = LocalBackend(home)
        with pytest.raises(RunError) as caught:
            other.run("tiny", "v1", {"first.number": 9})
        assert running.name in str(caught.value)
        assert str(process.pid) in str(caught.value)
        with pytest.raises(RunError, match="under way"):
            other.delete(running.name)
        assert [record.name for record in other.runs()] == [running.name]
        before = sorted(home.rglob("*"))
        second = subprocess.run(
            [sys.executable, str(ROOT / "pipeline_utils.py"), "run", "--name", "tiny"],
            env={**os.environ, "PLATEFLOW_HOME": str(home)},
            capture_output=True,
            text=True,
        )
        assert (second.returncode, second.stdout) == (2, "")
        assert second.stderr.startswith("error: another run is under way here: ")
        assert second.stderr.count("\n") == 1
        assert sorted(home.rglob("*")) == before
        assert process.poll() is None, "the first goes on"
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_delete(home: Path) -> None:
    backend = LocalBackend(home)
    backend.upload(tiny_package())
    older, _ = run_tiny(home)
    newer, _ = run_tiny(home, first__number=5)
    backend.delete(newer.name)
    assert backend.runs() == [older]
    assert (home / "runs/latest").resolve().name == older.name
    backend.delete(older.name)
    assert list((home / "runs").iterdir()) == []
    for name in (older.name, "latest", "..", "."):
        with pytest.raises(RunError, match="no run"):
            backend.delete(name)
    assert [version.version for version in backend.versions()] == ["v1"]


def test_component_order(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text(tiny_package().yaml)
    assert component_order(file) == ["first", "second"]
    file.write_text("a: 1")
    with pytest.raises(RunError, match=r"pipeline\.yaml"):
        component_order(file)
