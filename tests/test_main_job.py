"""The main job from end to end, in small, with each family of model: drawn, trained, killed,
resumed, deployed, read; the one on this machine alone, the other with MariaDB and Google Cloud
Storage."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dataset_tools.catalog import open_catalog
from dataset_tools.store import open_store
from dataset_tools.versions import DataSets
from sub_module.files import read_json
from sub_module.settings import Settings
from tests.dataset_tools.drawn import digests
from tests.servers.gcs import Gcs
from tests.servers.mariadb import PASSWORD, MariaDB

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "tests" / "pipelines"
# Config to whether its model has masks.
FAMILIES = {"small_training": False, "small_mask_rcnn": True}
WITH_SERVERS = "small_training"


@dataclass
class Job:
    """A home and the command lines typed there, for a run of a config."""

    folder: Path
    name: str
    servers: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> str:
        return str(CONFIGS / f"{self.name}.py")

    @property
    def has_masks(self) -> bool:
        return FAMILIES[self.name]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "pipeline_utils.py"), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.servers, "PLATEFLOW_HOME": str(self.folder / "home")}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    def killed_at(self, pattern: str, *arguments: str) -> None:
        """Type a command and kill it as soon as there is a file of that pattern."""
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 300
        while not any(self.folder.glob(pattern)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
        process.wait()

    @property
    def run_dir(self) -> Path:
        (found,) = self.folder.glob(f"home/runs/{self.name}-*")
        return found

    @property
    def settings(self) -> Settings:
        """As the commands have them."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            return Settings()


@pytest.fixture(scope="module", params=FAMILIES)
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("job")
    if request.param != WITH_SERVERS:
        yield Job(folder, request.param)
        return
    mariadb: MariaDB = request.getfixturevalue("mariadb")
    gcs: Gcs = request.getfixturevalue("gcs_server")
    gcs.reset()
    servers = {
        "PLATEFLOW_DATABASE_URL": mariadb.url("main_job", with_password=False),
        "PLATEFLOW_DATABASE_PASSWORD": PASSWORD,
        "PLATEFLOW_STORE": gcs.store,
        "STORAGE_EMULATOR_HOST": gcs.url,
    }
    with pytest.MonkeyPatch.context() as patch:
        # For what is looked up in this process.
        patch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
        yield Job(folder, request.param, servers)


@pytest.fixture(scope="module")
def finished(job: Job) -> subprocess.CompletedProcess[str]:
    first_epoch = "home/runs/*/train/epoch_1.pth"
    job.killed_at(first_epoch, "upload-and-run", "--config", job.config)
    recorded = read_json(job.run_dir / "steps/record.json")
    assert read_json(job.run_dir / "steps/train.json")["finished"] is None
    done = job("upload-and-run", "--config", job.config)
    assert done.returncode == 0, done.stderr + (job.run_dir / "pipeline.log").read_text()[-3000:]
    assert read_json(job.run_dir / "steps/record.json") == recorded, "what was done stays done"
    return done


def test_ends_with_report_and_eir(job: Job, finished: subprocess.CompletedProcess[str]) -> None:
    report: dict[str, Any] = read_json(job.run_dir / "report.json")
    assert [line.split()[0] for line in finished.stdout.splitlines()] == ["EIR", "model", "report"]
    assert finished.stdout.splitlines()[-1].endswith(str(job.run_dir / "report.html"))
    assert set(report["seconds"]) == {"record", "train", "evaluate", "test", "deploy"}
    assert (report["metrics"]["dv_mAP"] is not None) is job.has_masks
    assert 0 <= report["metrics"]["EIR"] <= 1
    assert 0 <= report["metrics"]["mAP"] <= 1
    assert Path(report["model"]["path"]).is_dir()
    assert (job.folder / "home/models/current").resolve() == Path(report["model"]["path"])
    assert (job.folder / "home/runs/latest").resolve() == job.run_dir
    assert len(list((job.run_dir / "test/pictures").iterdir())) == 3


def test_training_went_on_with_the_second_epoch(
    job: Job, finished: subprocess.CompletedProcess[str]
) -> None:
    logs = [
        [json.loads(line) for line in log.read_text().splitlines()]
        for log in sorted(job.run_dir.glob("train/*/vis_data/scalars.json"))
    ]
    first, resumed = ([line for line in log if "loss" in line] for log in logs)
    assert first[0]["epoch"] == 1
    assert {line["epoch"] for line in resumed} == {2}, "the checkpoint of the first was taken up"
    num_iters = len(resumed)
    assert [line["iter"] for line in resumed] == list(range(num_iters + 1, 2 * num_iters + 1))


def test_nothing_half_written_stays(job: Job, finished: subprocess.CompletedProcess[str]) -> None:
    names = [path.name for path in (job.folder / "home").rglob("*")]
    assert [name for name in names if ".partial" in name or ".deleted-" in name] == []


def test_readings_are_of_the_test_split(
    job: Job, finished: subprocess.CompletedProcess[str]
) -> None:
    images = read_json(job.run_dir / "test/readings.json")["images"]
    coco = read_json(job.run_dir / "record/test.json")
    assert len(images) == len(coco["images"]) == 12
    assert all((job.run_dir / image["file"]).is_file() for image in images)
    plates = sum(len(image["truth"]) for image in images)
    assert plates == sum("reading" in annotation for annotation in coco["annotations"])


def test_data_sets_are_versions(
    job: Job, finished: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    """One of each, though the run was started twice; they can be had again, byte for byte."""
    data_sets = DataSets(job.settings)
    assert sorted(version.tag for version in data_sets.versions()) == ["ann-v1", "train-v1"]
    report = read_json(job.run_dir / "report.json")["dataset"]
    assert (report["annotation_set"], report["training_set"]) == ("ann-v1", "train-v1")
    (drawn,) = job.folder.glob("home/datasets/drawn-*")
    for tag, source in {"ann-v1": drawn, "train-v1": job.run_dir / "record"}.items():
        data_sets.pull(tag, tmp_path / tag)
        pulled, original = digests(tmp_path / tag), digests(source)
        assert pulled, tag
        assert pulled == {name: original[name] for name in pulled}, tag
    assert len(list((tmp_path / "ann-v1").rglob("*.jpg"))) == 60
    assert len(list((tmp_path / "train-v1/images").rglob("*.jpg"))) == 60


def test_catalog_knows_the_run(job: Job, finished: subprocess.CompletedProcess[str]) -> None:
    catalog = open_catalog(job.settings)
    assert ("mysql" in catalog.name) is bool(job.servers)
    (run,) = catalog.runs()
    report = read_json(job.run_dir / "report.json")
    assert (run.name, run.state, run.pipeline) == (job.run_dir.name, "succeeded", job.name)
    assert run.metrics["EIR"] == pytest.approx(report["metrics"]["EIR"])
    (annotation_set,) = catalog.annotation_sets()
    (training_set,) = catalog.training_sets()
    assert annotation_set.num_images == sum(training_set.num_images.values()) == 60
    models = {model.path: model for model in catalog.models()}
    assert {model.training_tag for model in models.values()} == {"train-v1"}
    deployed = models.pop(report["model"]["url"])
    assert deployed.is_deployed
    assert not any(model.is_deployed for model in models.values())
    candidates = read_json(job.run_dir / "evaluate/candidates.json")
    for number, row in enumerate(candidates["candidates"]):
        checkpoint = job.folder / "home" / row["checkpoint"]
        (model,) = [m for path, m in models.items() if path.endswith(f"train/{checkpoint.name}")]
        assert model.metrics == pytest.approx(row["metrics"])
        digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
        assert model.checkpoint_sha256 == digest
        if number == candidates["best"]:
            assert deployed.checkpoint_sha256 == digest
    assert len(models) == len(candidates["candidates"])


def test_store_has_the_models(
    job: Job, finished: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    store = open_store(job.settings)
    url = read_json(job.run_dir / "report.json")["model"]["url"]
    assert url.startswith(job.servers.get("PLATEFLOW_STORE", "file://"))
    store.get(url.removeprefix(f"{store.url}/"), tmp_path / "model")
    assert digests(tmp_path / "model") == digests(job.folder / "home/models/current")
    store.get(f"models/{job.run_dir.name}/train/best.pth", tmp_path / "best.pth")
    assert (tmp_path / "best.pth").read_bytes() == (job.run_dir / "train/best.pth").read_bytes()


def test_no_file_holds_a_password(job: Job, finished: subprocess.CompletedProcess[str]) -> None:
    files = [path for path in (job.folder / "home").rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


def test_unreachable_servers_are_one_line_before_any_work(
    job: Job, finished: subprocess.CompletedProcess[str]
) -> None:
    drawn = list(job.folder.glob("home/datasets/drawn-*"))
    nobody = Job(job.folder, job.name, job.servers | {"PLATEFLOW_STORE": "file:///dev/null/store"})
    failed = nobody("upload-and-run", "--config", job.config, "--set", "dataset.draw.seed=2")
    assert (failed.returncode, failed.stdout) == (2, "")
    error = failed.stderr.splitlines()[-1]
    assert error.startswith("error: record: ")
    assert "/dev/null/store: " in error
    assert "Traceback" not in failed.stderr
    assert list(job.folder.glob("home/datasets/drawn-*")) == drawn
    states = {run.name: run.state for run in open_catalog(job.settings).runs()}
    assert sorted(states.values()) == ["failed", "succeeded"]
    (name,) = [name for name, state in states.items() if state == "failed"]
    assert job("delete", "--yes", name).returncode == 0


def test_again_is_done_already(job: Job, finished: subprocess.CompletedProcess[str]) -> None:
    again = job("upload-and-run", "--config", job.config)
    assert (again.returncode, again.stdout) == (0, finished.stdout)
    assert "done already" in again.stderr
    assert len(DataSets(job.settings).versions()) == 2


def test_read(job: Job, finished: subprocess.CompletedProcess[str]) -> None:
    image = next((job.run_dir / "record/images/test").iterdir())
    shown = job("read", str(image), "--out", "pictures")
    assert shown.returncode == 0, shown.stderr
    assert (job.folder / "pictures" / f"{image.stem}.read.jpg").is_file()
    as_json = job("read", str(image), str(image), "--json")
    assert [row["file"] for row in json.loads(as_json.stdout)] == [str(image)] * 2
    assert not list(job.folder.glob("*.jpg")), "JSON only, no pictures"


def test_evaluate_agrees_with_the_run(job: Job, finished: subprocess.CompletedProcess[str]) -> None:
    (drawn,) = job.folder.glob("home/datasets/drawn-*/test")
    found = job("evaluate", str(drawn), "--json")
    assert found.returncode == 0, found.stderr
    figures = json.loads(found.stdout)
    assert (figures["dv_mAP"] is not None) is job.has_masks, "there, and empty without masks"
    tested = read_json(job.run_dir / "test/readings.json")["metrics"]
    assert figures["num_plates"] == tested["num_plates"]
    assert figures["EIR"] == pytest.approx(tested["EIR"], abs=0.1)
