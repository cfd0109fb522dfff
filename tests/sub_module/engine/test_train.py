"""Training: to the end, through a kill, and over bad input."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from sub_module.engine.checkpoint import load_checkpoint, load_model, publish
from sub_module.engine.train import train
from sub_module.errors import ConfigError, DataError, ModelError, PlateflowError
from tests.standards import REPOSITORY, kr_standard, tiny_standard
from tests.sub_module.engine.logs import scalars
from tests.sub_module.engine.test_checkpoint import saved
from tests.sub_module.small import drawn_set, small_config


def test_one_process_trains_logs_and_leaves_candidates(training_set: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    config = small_config(kr_standard(), max_epochs=2, num_processes=1)
    result = train(config, training_set, tmp_path, lambda *state: seen.append(state))
    assert result.num_epochs == 2
    assert 0 <= result.metrics["EIR"] <= 1
    # 24 images in batches of 8.
    assert [done for done, _, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert "EIR" in seen[-1][2]
    for candidate in result.candidates:
        assert set(load_checkpoint(candidate)) == {"state_dict", "plateflow", "meta"}
        assert load_model(candidate).standard == kr_standard()
    logged = {key for record in scalars(tmp_path) for key in record}
    assert {"loss", "loss_heat", "lr", "mAP", "EIR", "process_memory_mib"} <= logged
    assert list(tmp_path.glob("*/vis_data/events.out.tfevents.*"))


SUMS = """
import json, sys
from pathlib import Path
import sub_module.engine.train as training

run = training._run

def told(*arguments):
    runner = run(*arguments)
    rank = arguments[4]
    total = sum(p.double().abs().sum().item() for p in runner.model.parameters())
    Path(sys.argv[3], f"rank{rank}").write_text(repr(total))
    return runner

training._run = told
if __name__ == "__main__":
    config = json.loads(Path(sys.argv[1]).read_text())
    print("EPOCHS", training.train(config, Path(sys.argv[2]), Path(sys.argv[3])).num_epochs)
"""


@dataclass(frozen=True)
class ByTwo:
    """A training by two processes, each with one that loads its data, over another standard."""

    work_dir: Path
    output: str


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> ByTwo:
    folder = tmp_path_factory.mktemp("two")
    training_set = drawn_set(folder / "data", tiny_standard(), 24)
    config = small_config(tiny_standard(), max_epochs=1, num_processes=2, num_workers=1)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "job.py").write_text(SUMS)
    arguments = [str(folder / "config.json"), str(training_set), str(folder / "work")]
    done = subprocess.run(
        [sys.executable, str(folder / "job.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return ByTwo(folder / "work", done.stdout)


def test_processes_train_one_model(by_two: ByTwo) -> None:
    """Both see other images, so only shared gradients leave both with the same weights."""
    sums = [float((by_two.work_dir / f"rank{rank}").read_text()) for rank in (0, 1)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-12)


def test_two_processes_train_another_standard(by_two: ByTwo) -> None:
    assert load_model(by_two.work_dir / "best.pth").standard == tiny_standard()


def test_data_can_be_loaded_by_processes_of_their_own(by_two: ByTwo) -> None:
    assert "EPOCHS 1" in by_two.output


def test_training_learns(training_set: Path, tmp_path: Path) -> None:
    config = small_config(kr_standard(), max_epochs=10, val_interval=10, num_processes=1)
    train(config, training_set, tmp_path)
    losses = [record["loss"] for record in scalars(tmp_path) if "loss" in record]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


SCRIPT = """
import json, sys
from pathlib import Path
from sub_module.engine.train import train

if __name__ == "__main__":
    config = json.loads(Path(sys.argv[1]).read_text())
    result = train(config, Path(sys.argv[2]), Path(sys.argv[3]))
    print("EPOCHS", result.num_epochs)
"""


def test_a_killed_training_goes_on_where_it_was(training_set: Path, tmp_path: Path) -> None:
    """Within an epoch, by two processes."""
    config = small_config(
        kr_standard(), max_epochs=4, num_processes=2, val_unit="iteration", val_interval=4
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "job.py").write_text(SCRIPT)
    work_dir = tmp_path / "work"
    arguments = [str(tmp_path / "config.json"), str(training_set), str(work_dir)]
    command = [sys.executable, str(tmp_path / "job.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        command, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    deadline = time.monotonic() + 180
    while not (work_dir / "iter_4.pth").exists():
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _wait_until_alone(process.pid, deadline)
    # Files that were being written when the power went away.
    for half in ("epoch_9.pth", "iter_99.pth"):
        (work_dir / half).write_bytes(b"half a checkp")
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert again.returncode == 0, again.stderr
    assert "EPOCHS 4" in again.stdout
    second = sorted(work_dir.glob("*/vis_data/scalars.json"))[-1]
    validation, first_trained, *_ = map(json.loads, second.read_text().splitlines())
    assert "EIR" in validation, "the kill may have cut the checkpoint's validation off"
    assert first_trained["iter"] >= 5


def _wait_until_alone(session: int, deadline: float) -> None:
    """No process of the killed training lives on: the others notice that the first is gone."""
    while True:
        alive = subprocess.run(["pgrep", "-s", str(session)], capture_output=True, check=False)
        if alive.returncode != 0:
            return
        assert time.monotonic() < deadline, "a training process outlived the kill"
        time.sleep(0.1)


def test_an_image_that_another_process_cannot_read_is_named(tmp_path: Path) -> None:
    training_set = drawn_set(tmp_path / "data", kr_standard(), 24)
    for image in (training_set / "images" / "train").iterdir():
        image.write_bytes(image.read_bytes()[:3000])
    config = small_config(kr_standard(), max_epochs=1, num_processes=2)
    with pytest.raises(PlateflowError, match=r"\.jpg: the image is damaged"):
        train(config, training_set, tmp_path / "work")


SETTINGS = [
    ("max_epochs", 0, "train.max_epochs must be at least 1, not 0"),
    ("val_interval", 0, "train.val_interval must be at least 1, not 0"),
    ("val_unit", "step", "train.val_unit must be one of epoch, iteration, not 'step'"),
    ("num_pictures", -1, "train.num_pictures must be at least 0, not -1"),
    ("deterministic", 1, "train.deterministic must be true or false, not 1"),
    ("weights", 3, "train.weights must be a path or null, not 3"),
    (
        "memory",
        {"skip_validation": 0.9, "stop": 95},
        "train.memory.stop must be above 0 and at most 1, not 95",
    ),
    ("memory", {"stop": 0.9}, "train.memory.skip_validation is missing"),
    ("log_interval", 0, "train.log_interval must be at least 1, not 0"),
    ("lr", -1.0, "train.lr must be from 1e-09 to 10.0, not -1.0"),
    (
        "precision",
        "bf16",
        "train.precision must be one of auto, float32, bfloat16, float16, not 'bf16'",
    ),
    ("best_metric", "eir", "train.best_metric must be one of EIR, mAP, dv_mAP, not 'eir'"),
    ("num_processes", -1, "train.num_processes must be at least 1 or null, not -1"),
]


@pytest.mark.parametrize(("name", "value", "message"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_settings_out_of_range_are_named(
    training_set: Path, tmp_path: Path, name: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        train(small_config(kr_standard(), **{name: value}), training_set, tmp_path / "work")
    assert str(caught.value) == message
    assert not (tmp_path / "work").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU computes in float16")
def test_a_precision_that_the_machine_lacks(training_set: Path, tmp_path: Path) -> None:
    config = small_config(kr_standard(), precision="float16")
    with pytest.raises(ConfigError, match=r"train\.precision: float16 needs a GPU"):
        train(config, training_set, tmp_path)


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(path)["state_dict"])


def test_the_same_seed_gives_the_same_weights(training_set: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_epochs": 1, "num_processes": 1, "deterministic": True}
    first, again, other = (
        weights_of(train(config, training_set, tmp_path / name).candidates[-1])
        for name, config in (
            ("first", small_config(kr_standard(), **settings)),
            ("again", small_config(kr_standard(), **settings)),
            ("other", small_config(kr_standard(), **settings, seed=1)),
        )
    )
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in first.items())
    assert not torch.are_deterministic_algorithms_enabled(), "torch is left as it was"


def test_a_full_disk_while_publishing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = saved(tmp_path / "epoch_1.pth")

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        publish(source, tmp_path / "best.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_bad_input_is_named_before_training_starts(training_set: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.json: No such file"):
        train(small_config(kr_standard()), tmp_path / "nowhere", tmp_path / "work")
    with pytest.raises(DataError, match="plate standard"):
        train(small_config(tiny_standard()), training_set, tmp_path / "work")
    broken = small_config(kr_standard())
    broken["model"]["widths"] = {"detector": 8}
    with pytest.raises(ModelError, match="model PlateNet: 'refiner'"):
        train(broken, training_set, tmp_path / "work")
