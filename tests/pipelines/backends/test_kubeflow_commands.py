"""The command line on a cluster: every command, what it prints, and its exit code."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pipeline_utils
from tests.pipelines.backends.conftest import AT_ONCE, Place
from tests.servers.kfp import Play, needs_swagger

pytestmark = needs_swagger

V1 = ["--name", "plates", "--version", "v1"]


@dataclass
class Shell:
    """Runs the command line in this process, with `--backend kubeflow`."""

    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, backend: str = "kubeflow") -> tuple[int, str, str]:
        argv = ["plateflow", *arguments, "--backend", backend]
        self.monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as caught:
            pipeline_utils.main()
        output, errors = self.capfd.readouterr()
        assert "Traceback" not in errors
        return int(caught.value.code or 0), output, errors

    def fails(self, *arguments: str, backend: str = "kubeflow") -> str:
        """One line, exit code 2, nothing on standard output."""
        code, output, errors = self(*arguments, backend=backend)
        assert (code, output) == (2, "")
        assert errors.startswith("error: ")
        assert errors.count("\n") == 1
        return errors


@pytest.fixture
def shell(
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Shell]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PLATEFLOW_KFP_HOST", place.kfp.url)
    yield Shell(monkeypatch, capfd)
    assert not (tmp_path / "home").exists(), "nothing of a cluster's run is here"
    for number, handler in before.items():
        signal.signal(number, handler)


def test_from_upload_to_report(shell: Shell, place: Place, tmp_path: Path) -> None:
    code, output, errors = shell("upload-and-run", *V1)
    assert code == 0
    uploaded, claim, link, started = errors.splitlines()[:4]
    name = started.removeprefix("run ")
    assert uploaded == "uploaded plates/v1"
    assert claim.startswith("made the claim plateflow")
    assert link.startswith(f"{place.kfp.url}/#/runs/details/")
    assert output == f"report  runs/{name}/report.html on the volume\n"
    code, again, errors = shell("run", *V1)
    assert (code, again) == (0, output)
    assert errors == f"run {name} is done already; nothing to do\n"

    # Where the volume is mounted here too, the same is shown as of a run on this machine.
    volume = tmp_path / "volume"
    (volume / "runs" / name).mkdir(parents=True)
    (volume / "runs" / name / "report.json").write_text('{"metrics": {"EIR": 0.5}}')
    (volume / "runs" / name / "report.html").touch()
    shell.monkeypatch.setenv("PLATEFLOW_VOLUME", str(volume))
    assert shell("run", *V1)[1].splitlines()[0] == "EIR     0.5000"

    _, listed, _ = shell("versions")
    assert listed.splitlines()[1].startswith("plates/v1  ")
    _, listed, _ = shell("runs")
    (run,) = place.kfp.runs.values()
    assert listed.splitlines()[1].split()[:3] == [name, run.id, "succeeded"]
    code, output, errors = shell("upload", *V1)
    assert (code, output) == (0, "plates/v1\n")
    assert errors == "uploaded already, with the same content; nothing to do\n"
    line = shell.fails("upload-and-run", *V1, "--no-run-uploaded")
    assert "uploaded already" in line


def test_other_content(shell: Shell, place: Place) -> None:
    assert shell("upload", *V1)[0] == 0
    more = ["--set", "cluster.components.train.gpus=2"]
    assert "never replaced" in shell.fails("upload", *V1, *more)
    code, _, errors = shell("upload-and-run", *V1, *more)
    assert code == 0
    assert "running it as it was uploaded" in errors
    assert len(place.kfp.versions) == 1


def test_start_look_and_end(shell: Shell, place: Place) -> None:
    place.kfp.play = Play(hangs={"train"}, logs={"record": "30 images"}, moves=4)
    code, output, errors = shell("upload-and-run", *V1, "--no-wait")
    name = output.strip()
    assert (code, name.startswith("plates-v1-")) == (0, True)
    assert place.kfp.url in errors
    code, _, errors = shell("run", *V1, "--timeout", "0")
    assert code == 2
    assert "has not ended after 0 minutes, and goes on" in errors
    (run,) = place.kfp.runs.values()
    place.pods(run)
    code, output, _ = shell("logs", name)
    assert output.splitlines()[:2] == ["==> record <==", "30 images"]
    assert shell("logs", name, "--step", "record") == (0, "30 images\n", "")
    assert shell("terminate", name) == (0, "", f"run {name} ends\n")
    code, _, errors = shell("run", *V1)
    assert code == 2
    assert "about to end" in errors
    assert "there is no run x" in shell.fails("terminate", "x")
    assert "there is no run x" in shell.fails("logs", "x")


def test_interrupted(shell: Shell, place: Place) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    shell.monkeypatch.setattr("pipelines.backends.display._Lines.show", interrupt)
    code, _, errors = shell("upload-and-run", *V1)
    assert code == 130
    assert "the run goes on; the same command follows it, `terminate plates-v1-" in errors


def test_code_on_the_volume(shell: Shell, place: Place, tmp_path: Path) -> None:
    tree, volume = tmp_path / "tree", tmp_path / "volume"
    volume.mkdir()
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    (tree / "pipeline_utils.py").write_text("changed = True")
    (tree / ".dockerignore").write_text("*\n!pipeline_utils.py\n")
    shell.monkeypatch.setattr("pipelines.code._ROOT", tree)
    shell.monkeypatch.setenv("PLATEFLOW_VOLUME", str(volume))
    assert shell("upload-and-run", *V1, "--code", "volume")[0] == 0
    (archive,) = (volume / "code").iterdir()
    (run,) = place.kfp.runs.values()
    assert "fetch-code" in run.order
    assert archive.name.split(".")[0] in run.yaml.decode()


def test_failed_run(shell: Shell, place: Place) -> None:
    place.kfp.play = Play(fails={"record": "Killed"}, moves=AT_ONCE)
    code, output, errors = shell("upload-and-run", *V1)
    assert (code, output) == (1, "")
    assert errors.splitlines()[-1].startswith("error: step record failed")


def test_delete_asks(shell: Shell, place: Place) -> None:
    assert shell("upload-and-run", *V1)[0] == 0
    (run,) = place.kfp.runs.values()
    targets = {
        "run": [run.display_name],
        "version": ["plates/v1"],
        "pipeline": ["plates", "--kind", "pipeline"],
        "experiment": ["plates", "--kind", "experiment"],
    }
    shell.monkeypatch.setattr("sys.stdin", io.StringIO())
    for arguments in targets.values():
        code, _, errors = shell("delete", *arguments)
        assert code == 1
        assert "Delete plates" in errors
    assert len(place.kfp.runs) == len(place.kfp.versions) == len(place.kfp.experiments) == 1
    for arguments in targets.values():
        assert shell("delete", *arguments, "--yes")[0] == 0
    kept = (place.kfp.runs, place.kfp.versions, place.kfp.pipelines, place.kfp.experiments)
    assert kept == ({}, {}, {}, {})


def test_schedule(shell: Shell, place: Place) -> None:
    assert "not uploaded" in shell.fails("schedule", "add", "s", "--cron", "0 3 * * *")
    assert shell("upload", *V1)[0] == 0
    add = ["schedule", "add", "s", "--cron", "0 3 * * 1-5", "--name", "plates"]
    assert shell(*add)[2].endswith("\nschedule s starts plates/v1\n")
    assert shell(*add)[2] == "schedule s starts already plates/v1\n"
    (line,) = shell("schedule", "list")[1].splitlines()[1:]
    assert " ".join(line.split()) == "s 0 0 3 * * 1-5 on"
    assert shell("schedule", "pause", "s")[0] == 0
    assert "paused" in shell("schedule", "list")[1]
    assert shell("schedule", "resume", "s")[0] == 0
    assert shell("schedule", "delete", "s", "--yes")[0] == 0
    assert place.kfp.schedules == {}


@pytest.mark.parametrize(
    ("arguments", "backend", "words"),
    [
        pytest.param(
            ["run", "--set", "cluster.secret=x"],
            "kubeflow",
            "cluster.secret: is fixed when a version is uploaded",
            id="a cluster's setting for a run",
        ),
        pytest.param(
            ["schedule", "add", "s", "--cron", "@daily", "--set", "cluster.secret=x"],
            "kubeflow",
            "cluster.secret: is fixed",
            id="a cluster's setting for a schedule",
        ),
        pytest.param(
            ["upload", "--set", "train.lr=1"],
            "kubeflow",
            "train.lr: is given to a run",
            id="a run's setting for an upload",
        ),
        pytest.param(
            ["upload-and-run", "--set", "cluster.volum.size=1Gi"],
            "kubeflow",
            "cluster.volume",
            id="typo in a cluster's setting",
        ),
        pytest.param(
            ["upload-and-run", "--set", "train.lr=fast"], "kubeflow", "a number", id="wrong type"
        ),
        pytest.param(
            ["upload", "--version", "my version"], "kubeflow", "'my version'", id="blank in a name"
        ),
        pytest.param(
            ["upload", "--code", "volume"], "kubeflow", "PLATEFLOW_VOLUME", id="no place for code"
        ),
        pytest.param(["run", "--version", "v1"], "kubeflow", "no version v1", id="no version"),
        pytest.param(["run"], "kubeflow", "not uploaded", id="nothing uploaded"),
        pytest.param(
            ["delete", "a/b", "--kind", "run", "-y"], "kubeflow", "without a slash", id="no run"
        ),
        pytest.param(
            ["delete", "a", "--kind", "version", "-y"], "kubeflow", "PIPELINE/", id="no version's"
        ),
        pytest.param(["delete", "r", "-y"], "kubeflow", "there is no run r", id="no such run"),
        pytest.param(
            ["upload-and-run", "--set", "cluster.secret=x"],
            "local",
            "cluster.secret: counts with --backend kubeflow only",
            id="a cluster's setting here",
        ),
        pytest.param(
            ["upload", "--code", "volume"],
            "local",
            "--code volume: counts with --backend kubeflow only",
            id="code here",
        ),
        pytest.param(
            ["run", "--set", "cluster.secret=x"],
            "local",
            "cluster.secret: counts with --backend kubeflow only",
            id="a cluster's setting for a run here",
        ),
        pytest.param(["run", "--no-wait"], "local", "--no-wait: counts with", id="no wait here"),
        pytest.param(["logs", "r"], "local", "logs: counts with", id="logs here"),
        pytest.param(["terminate", "r"], "local", "terminate: counts with", id="terminate here"),
        pytest.param(["schedule", "list"], "local", "schedule: counts with", id="schedules here"),
        pytest.param(
            ["delete", "e", "--kind", "experiment", "-y"],
            "local",
            "--kind experiment: counts with",
            id="an experiment here",
        ),
    ],
)
def test_mistakes(
    shell: Shell, place: Place, arguments: list[str], backend: str, words: str
) -> None:
    assert words in shell.fails(*arguments, backend=backend)
    assert (place.kfp.pipelines, place.kfp.runs, place.kfp.schedules) == ({}, {}, {})
    assert place.kubernetes.objects("persistentvolumeclaims") == []


def test_no_cluster_at_all(shell: Shell) -> None:
    shell.monkeypatch.delenv("PLATEFLOW_KFP_HOST")
    shell.monkeypatch.setenv("KUBECONFIG", "/none")
    assert "no cluster is configured" in shell.fails("versions")
    shell.monkeypatch.setenv("PLATEFLOW_KFP_HOST", "http://127.0.0.1:1")
    assert "http://127.0.0.1:1 cannot be reached" in shell.fails("runs")
