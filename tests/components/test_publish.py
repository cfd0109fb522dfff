"""What a run says of itself in the catalog, and what it puts into the store."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest
from kfp import dsl

from components.publish import publishing
from components.step import Step
from dataset_tools.catalog import Catalog, NewTrainingSet, open_catalog
from sub_module.errors import CatalogError, DataError, RunError
from sub_module.files import write_json
from sub_module.settings import Settings

RUN = "plates-v1-0a1b2c3d"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def catalog(home: Path) -> Catalog:
    """The home's, which knows a training set."""
    catalog = open_catalog(Settings(home=home))
    new = NewTrainingSet(
        "board_dataset", "v1", "train-v1", None, None, {"train": 1.0}, {"train": 0}, None
    )
    with catalog.transaction() as session:
        catalog.add_training_set(session, new, [])
    return catalog


def _step(home: Path, component: str = "train", run: str = RUN) -> Step:
    step = Step(component, str(home), run)
    write_json(step.run_dir / "config.json", {"name": "plates"})
    return step


def _training_set() -> dsl.Dataset:
    return dsl.Dataset(metadata={"path": "r", "made": 1.0, "training_set": "train-v1"})


def _checkpoint(path: Path, content: bytes = b"weights") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _states(catalog: Catalog) -> list[tuple[str, str]]:
    return [(run.name, run.state) for run in catalog.runs()]


def test_states_of_a_run(home: Path, catalog: Catalog) -> None:
    with publishing(_step(home, "record")):
        assert _states(catalog) == [(RUN, "running")]
    assert _states(catalog) == [(RUN, "running")], "there are steps to come"
    step = _step(home)
    with pytest.raises(RunError, match="not my day"), publishing(step, _training_set()):
        raise RunError("not my day")
    assert _states(catalog) == [(RUN, "failed")]
    with publishing(step, _training_set()):
        assert _states(catalog) == [(RUN, "running")], "started again"


def test_a_killed_step_leaves_its_run_running(home: Path, catalog: Catalog) -> None:
    with pytest.raises(KeyboardInterrupt), publishing(_step(home, "record")):
        raise KeyboardInterrupt
    assert _states(catalog) == [(RUN, "running")]


def test_a_finished_run_has_its_figures(home: Path, catalog: Catalog) -> None:
    step = _step(home, "deploy")
    write_json(step.run_dir / "steps/evaluate.json", {"metrics": {"EIR": 0.5, "mAP": 0.25}})
    write_json(step.run_dir / "steps/test.json", {"metrics": {"EIR": 0.75}})
    checkpoint = _checkpoint(step.run_dir / "train/best.pth")
    (exported := step.folder / "model").mkdir(parents=True)
    (exported / "detect.onnx").write_bytes(b"graph")
    with publishing(step, _training_set()) as publish:
        url = publish.model(exported)
        publish.deployed(url, checkpoint, {"EIR": 0.75})
    (run,) = catalog.runs()
    assert (run.state, run.pipeline, run.version) == ("succeeded", "plates", "v1")
    assert run.metrics == {"EIR": 0.75, "mAP": 0.25}, "of unseen images, where they are known"
    (model,) = catalog.models()
    assert (model.path, model.is_deployed) == (url, True)
    pushed = list((home / "store/models" / RUN).glob("onnx-*/detect.onnx"))
    assert [file.read_bytes() for file in pushed] == [b"graph"]


def test_pipeline_that_was_given_another_name(home: Path, catalog: Catalog) -> None:
    step = _step(home)
    write_json(step.run_dir / "run.json", {"pipeline": "my-plates", "version": "1-beta"})
    with publishing(step, _training_set()):
        pass
    (run,) = catalog.runs()
    assert (run.pipeline, run.version) == ("my-plates", "1-beta")


def test_checkpoints(home: Path, catalog: Catalog) -> None:
    step = _step(home)
    best = _checkpoint(step.run_dir / "train/best.pth", b"best")
    last = _checkpoint(step.run_dir / "train/last.pth", b"last")
    with publishing(step, _training_set()) as publish:
        publish.checkpoints({best: {}, last: {}})
    pushed = home / "store/models" / RUN / "train"
    written = (pushed / "best.pth").stat().st_mtime_ns
    with publishing(_step(home, "evaluate"), _training_set()) as publish:
        publish.checkpoints({best: {"EIR": 0.5}, last: {"EIR": 0.25}})
    assert (pushed / "best.pth").stat().st_mtime_ns == written, "what is there is not pushed again"
    assert (pushed / "last.pth").read_bytes() == b"last"
    models = {model.path: model for model in catalog.models()}
    assert [(Path(path).name, model.metrics) for path, model in sorted(models.items())] == [
        ("best.pth", {"EIR": 0.5}),
        ("last.pth", {"EIR": 0.25}),
    ]
    (noted,) = [model for path, model in models.items() if path.endswith("best.pth")]
    assert noted.checkpoint_sha256 == hashlib.sha256(b"best").hexdigest()
    assert noted.training_tag == "train-v1"


def test_checkpoint_of_another_origin_keeps_its_training_set(home: Path, catalog: Catalog) -> None:
    other = _step(home, run="plates-v1-ffffffff")
    of_run = _checkpoint(other.run_dir / "train/best.pth", b"of a run")
    of_search = _checkpoint(home / "searches/t/4/best.pth", b"of a search")
    with publishing(other, _training_set()) as publish:
        publish.checkpoints({of_run: {}})
    with publishing(_step(home, "evaluate")) as publish:
        publish.checkpoints({of_run: {}, of_search: {}})
    tags = {model.path: model.training_tag for model in catalog.models() if RUN in model.path}
    base = (home / "store").as_uri()
    assert tags == {
        f"{base}/models/{RUN}/runs/plates-v1-ffffffff/train/best.pth": "train-v1",
        f"{base}/models/{RUN}/searches/t/4/best.pth": None,
    }


def test_nothing_is_done_without_a_catalog(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        url = f"mysql+pymysql://someone:secret@127.0.0.1:{port}/plates"
        monkeypatch.setenv("PLATEFLOW_DATABASE_URL", url)
        with pytest.raises(CatalogError) as caught, publishing(_step(home)):
            pytest.fail("the work began")
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_catalog_that_was_lost_on_the_way(home: Path) -> None:
    words = rf"catalog\.sqlite3: has lost the training set train-v1; delete the run {RUN}"
    with pytest.raises(CatalogError, match=words), publishing(_step(home), _training_set()):
        pytest.fail("the work began")
    assert open_catalog(Settings(home=home)).runs() == []


def test_failure_counts_more_than_a_lost_catalog(home: Path, catalog: Catalog) -> None:
    def work() -> None:
        for file in home.glob("catalog.sqlite3*"):
            file.write_bytes(b"not a database any more" * 400)
        raise DataError("a.jpg: truncated")

    with pytest.raises(DataError, match="truncated"), publishing(_step(home)):
        work()
