"""Runs and models in a catalog, on MariaDB and on SQLite."""

from __future__ import annotations

import threading

import pytest

from dataset_tools.catalog import Catalog, ModelRow, RunRow, open_catalog
from sub_module.errors import CatalogError
from sub_module.settings import Settings
from tests.dataset_tools.catalog.sets import add_training_set

RUN = RunRow("plate_training-0123", "plate_training", "v1", "running")
SHA256 = "0" * 64


def model(path: str, **figures: float) -> ModelRow:
    return ModelRow(path, RUN.name, None, SHA256, figures)


def test_a_run_is_noted_and_noted_again(catalog: Catalog) -> None:
    add_training_set(catalog, "v1", None)
    catalog.note_run(RUN)
    [noted] = catalog.runs()
    assert (noted.state, noted.training_tag, noted.metrics) == ("running", None, {})
    catalog.note_run(
        RunRow(RUN.name, RUN.pipeline, RUN.version, "succeeded", "train-v1", {"EIR": 0.93})
    )
    [again] = catalog.runs()
    assert again.id == noted.id
    assert (again.state, again.training_tag, again.metrics) == (
        "succeeded",
        "train-v1",
        {"EIR": 0.93},
    )
    assert again.created_at == noted.created_at < again.updated_at


def test_what_is_not_said_stays(catalog: Catalog) -> None:
    add_training_set(catalog, "v1", None)
    catalog.note_run(RunRow(RUN.name, "p", "v", "running", "train-v1", {"EIR": 0.5}))
    catalog.note_run(RunRow(RUN.name, "p", "v", "failed"))
    [run] = catalog.runs()
    assert (run.state, run.training_tag, run.metrics) == ("failed", "train-v1", {"EIR": 0.5})


def test_models_are_noted_and_noted_again(catalog: Catalog) -> None:
    add_training_set(catalog, "v1", None)
    catalog.note_run(RUN)
    catalog.note_models([])
    catalog.note_models([model("gs://b/best"), model("gs://b/last")])
    catalog.note_models([model("gs://b/best", EIR=0.9)])
    catalog.note_models([model("gs://b/best", EIR=0.95, mAP=0.5)])
    catalog.note_models([ModelRow("gs://b/best", RUN.name, "train-v1", "1" * 64)])
    best, last = catalog.models()
    assert (best.path, best.run.name, best.training_tag) == ("gs://b/best", RUN.name, "train-v1")
    assert best.metrics == {"EIR": 0.95, "mAP": 0.5}
    assert best.checkpoint_sha256 == "1" * 64
    assert (last.path, last.metrics, last.training_tag) == ("gs://b/last", {}, None)
    assert not best.is_deployed


def test_a_figure_that_is_no_number_is_kept_as_none(catalog: Catalog) -> None:
    catalog.note_run(RUN)
    catalog.note_models([model("gs://b/m", mAP=float("nan"), EIR=float("inf"), loss=0.5)])
    assert catalog.models()[0].metrics == {"mAP": None, "EIR": None, "loss": 0.5}


def test_one_model_is_deployed(catalog: Catalog) -> None:
    catalog.note_run(RUN)
    catalog.note_models([model("gs://b/1"), model("gs://b/2")])
    for path in ("gs://b/1", "gs://b/2", "gs://b/3", "gs://b/3", "gs://b/1"):
        catalog.note_deployed(model(path))
        assert [m.path for m in catalog.models() if m.is_deployed] == [path]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ModelRow("gs://b/m", "other", None, SHA256), r"no run other; the newest are plate_train"),
        (ModelRow("gs://b/m", RUN.name, "train-v9", SHA256), r"no training set train-v9; there is"),
    ],
    ids=["run", "training set"],
)
def test_a_model_of_something_unknown_is_refused(
    catalog: Catalog, row: ModelRow, message: str
) -> None:
    catalog.note_run(RUN)
    with pytest.raises(CatalogError, match=message):
        catalog.note_models([model("gs://b/first"), row])
    assert catalog.models() == []


def test_a_run_noted_by_several_at_once_is_one_run(settings: Settings) -> None:
    catalog = open_catalog(settings)
    barrier = threading.Barrier(4)
    failures: list[Exception] = []

    def note() -> None:
        barrier.wait()
        try:
            catalog.note_run(RUN)
        except CatalogError as error:
            failures.append(error)

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [run.name for run in catalog.runs()] == [RUN.name]
