"""The command line: what it prints, its exit codes, and what mistakes leave behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import pipeline_utils
from components.records import RunRecord
from pipelines.backends.local import LocalBackend
from pipelines.runs import write_run
from sub_module.plates import PlateStandard
from tests.factories import write_set
from tests.pipelines.tiny import tiny_package
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.small import small_config

ROOT = Path(pipeline_utils.__file__).parent


@dataclass
class Shell:
    """Runs the command line in this process, in a home of its own."""

    home: Path
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["plateflow", *arguments])
        with pytest.raises(SystemExit) as caught:
            pipeline_utils.main()
        output, errors = self.capfd.readouterr()
        return int(caught.value.code or 0), output, errors

    def fails(self, *arguments: str) -> str:
        """One line, exit code 2, nothing on standard output."""
        code, output, errors = self(*arguments)
        assert (code, output) == (2, "")
        assert errors.startswith("error: ")
        assert errors.count("\n") == 1
        return errors


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Shell]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    yield Shell(tmp_path / "home", monkeypatch, capfd)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, pipeline_utils\n"
        "print({'torch', 'kfp', 'cv2', 'mmengine', 'matplotlib'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True
    )
    assert found.stdout == "set()\n", found.stderr


def test_help_names_every_command(shell: Shell) -> None:
    shell.monkeypatch.setenv("COLUMNS", "200")
    code, output, _ = shell("--help")
    assert code == 0
    for command in [
        "upload-and-run",
        "upload",
        "run",
        "versions",
        "runs",
        "delete",
        "terminate",
        "logs",
        "schedule",
        "read",
        "evaluate",
        "dataset",
    ]:
        assert f" {command} " in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ["upload-and-run", "--set", "train.max_epoch=3"], "train.max_epochs", id="typo"
        ),
        pytest.param(["upload-and-run", "--set", "train.lr=fast"], "a number", id="wrong type"),
        pytest.param(["upload-and-run", "--set", "x"], "KEY=VALUE", id="no pair"),
        pytest.param(
            ["upload-and-run", "--set", "evaluate.keys=[EIRR]"], "evaluate.keys", id="no figure"
        ),
        pytest.param(
            ["upload-and-run", "--set", "dataset.split.val=0"], "dataset.split.val", id="no val"
        ),
        pytest.param(
            ["upload-and-run", "--set", "dataset.split.test=0"], "dataset.split.test", id="no test"
        ),
        pytest.param(["upload-and-run", "--config", "plates"], "plate_training", id="no config"),
        pytest.param(["upload-and-run", "--config", "a.py"], "a.py", id="no config file"),
        pytest.param(["upload", "--version", "my version"], "'my version'", id="blank in a name"),
        pytest.param(["upload", "--name", "../x"], "'../x'", id="a path for a name"),
        pytest.param(
            ["upload-and-run", "--set", "plates.layouts=[1]"], "a table", id="no table in a list"
        ),
        pytest.param(
            ["upload-and-run", "--set", "dataset.annotations=2024-05-01"], "quote it", id="a date"
        ),
        pytest.param(["run", "--name", "/tmp/x"], "'/tmp/x'", id="a path for a pipeline"),
        pytest.param(["run", "--name", "*"], "'*'", id="a pattern for a pipeline"),
        pytest.param(["versions", "--name", ".."], "'..'", id="the directory above"),
        pytest.param(["delete", "../x", "--yes"], "'..'", id="a path to delete"),
        pytest.param(["run"], "not uploaded", id="nothing uploaded"),
        pytest.param(["run", "--version", "v1"], "no version v1", id="unknown version"),
        pytest.param(["delete", "r1", "--yes"], "no run r1", id="unknown run"),
        pytest.param(
            ["delete", "plates/v1", "--yes"], "no version v1", id="unknown version deleted"
        ),
        pytest.param(["read", "a.jpg", "--model", "m.pth"], "m.pth", id="missing model"),
        pytest.param(["dataset", "validate", "none"], "none: no such", id="missing set"),
        pytest.param(["dataset", "show", "."], "no label file", id="empty set"),
        pytest.param(["dataset", "draw", "out", "--images", "0"], "num_images", id="no images"),
    ],
)
def test_mistakes(shell: Shell, arguments: list[str], words: str) -> None:
    assert words in shell.fails(*arguments)
    assert not shell.home.exists()
    assert list(Path().iterdir()) == []


def test_upload_and_versions(shell: Shell) -> None:
    assert shell("versions") == (0, "version  content  uploaded\n", "")
    _, first, _ = shell("upload")
    assert first.startswith("plate_training/")
    assert shell("upload")[:2] == (0, first), "the same again changes nothing"
    assert shell("upload", "--version", "v1")[1] == "plate_training/v1\n"
    _, listed, _ = shell("versions")
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [
        first.strip(),
        "plate_training/v1",
    ]
    assert "uploaded already" in shell.fails("upload-and-run", "--no-run-uploaded")
    assert shell("delete", "plate_training/v1", "--yes")[0] == 0
    assert "plate_training/v1" not in shell("versions")[1]


def test_other_content_is_refused(shell: Shell) -> None:
    LocalBackend(shell.home).upload(tiny_package())
    line = shell.fails("upload", "--name", "tiny", "--version", "v1")
    assert "never replaced" in line


def test_existing_version_runs_as_it_was_uploaded(shell: Shell) -> None:
    LocalBackend(shell.home).upload(tiny_package())
    code, output, errors = shell("upload-and-run", "--name", "tiny", "--version", "v1")
    assert code == 0
    assert "running it as it was uploaded" in errors
    assert "[second] done" in errors, "the tiny pipeline ran, not the one that is here now"
    (report,) = shell.home.glob("runs/tiny-v1-*/report.html")
    assert output.splitlines()[-1] == f"report  {report}"
    code, again, errors = shell("run", "--name", "tiny")
    assert (code, again) == (0, output)
    assert f"{report.parent.name} is done already" in errors
    assert "succeeded" in shell("runs")[1]


@pytest.mark.parametrize(
    ("does", "code", "line"),
    [
        pytest.param("mistake", 2, "error: first: a.jpg: truncated", id="the user's to mend"),
        pytest.param("crash", 1, "pipeline.log", id="a crash"),
    ],
)
def test_failed_run(shell: Shell, does: str, code: int, line: str) -> None:
    package = tiny_package(first={"does": does, "number": 1})
    LocalBackend(shell.home).upload(package)
    found, output, errors = shell("run", "--name", "tiny")
    assert (found, output) == (code, "")
    assert line in errors.splitlines()[-1]
    assert "Traceback" not in errors


def test_full_disk(shell: Shell) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shell.monkeypatch.setattr("sub_module.files.os.replace", full)
    assert "disk" in shell.fails("upload")
    assert [path for path in shell.home.rglob("*") if path.is_file()] == []


def test_config_is_checked_as_it_was_uploaded(shell: Shell) -> None:
    LocalBackend(shell.home).upload(tiny_package(evaluate={"keys": ["EIRR"]}))
    assert "evaluate.keys: 'EIRR'" in shell.fails("run", "--name", "tiny")
    assert not (shell.home / "runs").exists()


def test_missing_data_are_told_before_anything_starts(shell: Shell) -> None:
    LocalBackend(shell.home).upload(tiny_package())
    line = shell.fails("run", "--name", "tiny", "--set", "dataset.annotations=none")
    assert "dataset.annotations: there is no directory none" in line
    assert not (shell.home / "runs").exists()


def test_place_that_cannot_be_written(shell: Shell) -> None:
    shell.home.write_text("a file")
    line = shell.fails("upload")
    assert line.startswith(f"error: {shell.home}/registry/plate_training")
    assert line.endswith(": Not a directory\n")


def test_damaged_run_is_listed_and_can_be_deleted(shell: Shell) -> None:
    for name in ("a", "b"):
        write_run(shell.home / "runs" / name, RunRecord(name, "tiny", "v1"))
    (shell.home / "runs/a/run.json").write_text("{")
    code, output, _ = shell("runs")
    assert code == 0
    assert [line.split()[0] for line in output.splitlines()] == ["run", "a", "b"]
    assert shell("delete", "a", "--yes")[0] == 0
    assert [path.name for path in (shell.home / "runs").iterdir()] == ["b"]


def test_delete_asks(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    LocalBackend(shell.home).upload(tiny_package())
    command = [sys.executable, str(ROOT / "pipeline_utils.py"), "delete", "tiny/v1"]
    answered = subprocess.run(command, input="n\n", capture_output=True, text=True)
    assert answered.returncode == 1
    assert "tiny/v1" in shell("versions")[1]
    answered = subprocess.run(command, input="y\n", capture_output=True, text=True)
    assert answered.returncode == 0
    assert "tiny/v1" not in shell("versions")[1]


def test_dataset_commands(shell: Shell) -> None:
    code, output, errors = shell("dataset", "draw", "set", "--images", "12", "--seed", "3")
    assert (code, output, errors) == (0, "", "drawn: set\n")
    assert "set: exists" in shell.fails("dataset", "draw", "set", "--images", "12")
    assert shell("dataset", "validate", "set") == (0, "", "set: everything can be used\n")
    code, output, _ = shell("dataset", "show", "set", "--out", "sheet.png")
    assert code == 0
    assert output.splitlines()[1].split() == ["images", "12"]
    assert Path("sheet.png").stat().st_size > 10_000

    image = sorted(Path("set/train").glob("*.jpg"))[0]
    image.write_bytes(image.read_bytes()[:2000])
    code, output, errors = shell("dataset", "validate", "set")
    assert code == 2
    assert str(image) in output
    assert errors == "error: set: 1 file cannot be used\n"


IMAGE, LABELS = Path("set/000000.jpg"), Path("set/000000.json")


def write_checkpoint(path: Path, standard: PlateStandard) -> None:
    """A small model with random weights."""
    import torch

    from sub_module.engine.checkpoint import build_model, description

    torch.manual_seed(0)
    config = small_config(standard)["model"]
    weights = build_model(config, standard).state_dict()
    torch.save({"state_dict": weights, "plateflow": description(config, standard)}, path)


def in_order() -> None:
    """Nothing is wrong with the set."""


def cut_image() -> None:
    IMAGE.write_bytes(IMAGE.read_bytes()[:2000])


def enlarged_image() -> None:
    Image.new("RGB", (640, 480)).save(IMAGE)


def no_image() -> None:
    IMAGE.unlink()


def cut_checkpoint() -> None:
    Path("kr.pth").write_bytes(Path("kr.pth").read_bytes()[:5000])


def empty_directory() -> None:
    Path("empty").mkdir()


def shape_with(**changes: Any) -> Callable[[], None]:
    def change() -> None:
        labels = json.loads(LABELS.read_text())
        labels["shapes"][1].update(changes)
        LABELS.write_text(json.dumps(labels))

    return change


EVALUATE = ["evaluate", "set", "--model"]
READ = ["read", str(IMAGE), "--out", "pictures", "--model"]


@pytest.fixture
def labelled(shell: Shell) -> Shell:
    """In a directory with `set`, and checkpoints of its plate standard and of another."""
    write_set(Path("set"), kr_standard(), 2)
    for standard in (kr_standard(), tiny_standard()):
        write_checkpoint(Path(f"{standard.name}.pth"), standard)
    return shell


@pytest.mark.parametrize(
    ("spoil", "arguments", "words"),
    [
        pytest.param(cut_image, [*READ, "kr.pth"], f"{IMAGE}: ", id="truncated image read"),
        pytest.param(cut_image, [*EVALUATE, "kr.pth"], f"{IMAGE}: ", id="truncated image"),
        pytest.param(no_image, [*READ, "kr.pth"], f"{IMAGE}: ", id="missing image read"),
        pytest.param(no_image, [*EVALUATE, "kr.pth"], "'000000.jpg' is missing", id="no image"),
        pytest.param(
            enlarged_image, [*EVALUATE, "kr.pth"], "640x480 pixels, not 320x240", id="wrong size"
        ),
        pytest.param(
            shape_with(label="wheel"),
            [*EVALUATE, "kr.pth"],
            "000000.json: shape 1: unknown label 'wheel'; the model reads plates of kr",
            id="unknown label",
        ),
        pytest.param(
            shape_with(points=[[1, 1], [9, 9]]),
            [*EVALUATE, "kr.pth"],
            "its polygon has 2 points",
            id="polygon of two points",
        ),
        pytest.param(
            empty_directory,
            ["evaluate", "empty", "--model", "kr.pth"],
            "empty: no label file",
            id="empty directory",
        ),
        pytest.param(
            in_order,
            [*EVALUATE, "tiny.pth"],
            "; the model reads plates of tiny",
            id="another plate standard",
        ),
        pytest.param(cut_checkpoint, [*EVALUATE, "kr.pth"], "kr.pth: damaged", id="cut checkpoint"),
        pytest.param(
            cut_checkpoint, [*READ, "kr.pth"], "kr.pth: damaged", id="cut checkpoint to read with"
        ),
        pytest.param(
            in_order,
            ["upload-and-run", "--set", "dataset.annotation=set"],
            "dataset.annotations",
            id="typo in --set",
        ),
    ],
)
def test_bad_input(
    labelled: Shell, spoil: Callable[[], None], arguments: list[str], words: str
) -> None:
    spoil()
    before = sorted(Path().rglob("*"))
    assert words in labelled.fails(*arguments)
    assert sorted(Path().rglob("*")) == before, "nothing half-written stays"


def test_evaluate_has_every_figure(labelled: Shell) -> None:
    code, output, errors = labelled(*EVALUATE, "kr.pth", "--json")
    assert (code, errors) == (0, "")
    figures = json.loads(output)
    assert list(figures)[:3] == ["mAP", "dv_mAP", "EIR"]
    assert figures["dv_mAP"] is None
    assert figures["num_images"] == 2
    _, output, _ = labelled(*EVALUATE, "kr.pth")
    assert ["dv_mAP", "none", "(no", "masks)"] in [line.split() for line in output.splitlines()]


def test_evaluate_takes_photographs_with_text_files(labelled: Shell) -> None:
    Path("photos").mkdir()
    Image.new("RGB", (160, 120)).save("photos/a.png")
    Path("photos/a.txt").write_text("a.png\t20\t40\t80\t20\t12A3456\n")
    arguments = ["evaluate", "photos", "--model", "kr.pth", "--report", "page"]
    code, output, errors = labelled(*arguments, "--json")
    assert (code, errors) == (0, f"report: {Path('page', 'report.html')}\n")
    figures = json.loads(output)
    assert figures["exact"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert figures["num_plates"] == 1
    assert "12A3456" in Path("page/report.html").read_text()
    assert json.loads(Path("page/report.json").read_text())["about"]["model"] == "kr.pth"
    _, output, _ = labelled(*arguments)
    assert ["exact", "0.0", "%", "0.0", "to", "0.0", "%"] in [
        line.split() for line in output.splitlines()
    ]
    Path("photos/a.txt").write_text("a.png 20 40 80 20 12A3456\n")
    assert "a.txt, line 1: 1 fields" in labelled.fails(*arguments)


def test_evaluate_writes_a_report_of_an_annotation_set_too(labelled: Shell) -> None:
    assert labelled(*EVALUATE, "kr.pth", "--report", "page")[0] == 0
    figures = json.loads(Path("page/report.json").read_text())["figures"]
    assert {"EIR", "mAP", "recall", "ece"} <= set(figures)
