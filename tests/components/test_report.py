"""The report of a run: from its files to one page and one JSON file."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from kfp import dsl

from components.report import write_report
from components.report.component import report
from components.report.confusion import confusion_table
from components.report.run_files import read_files
from components.report.samples import sample
from sub_module.errors import PlateflowError
from tests.components.finished_run import STANDARD, make_run, reading_of, write
from tests.components.html_page import Page


def test_the_page_is_one_whole_file_that_fetches_nothing(tmp_path: Path) -> None:
    path = write_report(make_run(tmp_path / "runs" / "r"))
    page = Page(path)
    assert path == tmp_path / "runs" / "r" / "report.html"
    assert page.open == []
    assert page.fetched == []
    assert "script" not in page.num
    assert not re.search(r"url\((?!#)|@import", path.read_text("utf-8"))


def test_the_page_shows_what_the_run_achieved(tmp_path: Path) -> None:
    page = Page(write_report(make_run(tmp_path / "runs" / "r")))
    text = " ".join(page.text.split())
    assert "87.5 %" in text
    assert "21 of 24 plates in 24 unseen images" in text
    assert "2 wrong 1 missed 1 false reading" in text
    assert "Read wrongly 2 " in text
    assert "Read exactly 21, 12 shown" in text
    assert "layout one_line read as two_line" in text
    assert "6 min 12 s" in text
    assert "train.max_epochs=3" in text
    assert "annotation set ann-v3 training set train-v7" in text
    assert "in the store gs://plates/models/r/onnx-1" in text
    assert page.num["svg"] == 4 + 1 + 1, "training, precision, reliability"
    assert page.num["img"] == 2 + 1 + 1 + 12 + 2


def test_the_page_shows_what_was_evaluated(tmp_path: Path) -> None:
    path = write_report(make_run(tmp_path / "runs" / "r"))
    text = " ".join(Page(path).text.split())
    assert "runs/r/train/best.pth PlateNet \N{EN DASH} 0.883 \N{EN DASH} 0.9834 0.01 chosen" in text
    assert "searches/t/4/best.pth MaskRCNNSwin 7 0.883 0.8125 0.97 0.01" in text
    assert text.count("chosen") == 2, "the best, and the heading that says whose curves they are"
    assert "IoU 0.50:0.95: AP 0.750" in text
    assert "characters (boxes)" in text
    assert "000009.jpg" in text
    assert "12A3456 missed a <b>sign</b> read where no plate is" in text
    assert "<b>sign" not in path.read_text("utf-8"), "escaped, not run"
    assert "read right 0.62" in text
    candidates = json.loads((path.parent / "report.json").read_text())["candidates"]
    assert [(row["family"], row["best"]) for row in candidates] == [
        ("PlateNet", True),
        ("MaskRCNNSwin", False),
    ]


def test_the_json_has_the_promised_keys(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "runs" / "r")
    write_report(run_dir)
    report = json.loads((run_dir / "report.json").read_text())
    assert report["metrics"]["mAP"] == 0.871, "the test's, not the validation's"
    assert report["metrics"]["dv_mAP"] is None
    assert report["metrics"]["EIR"] == 0.875
    assert set(report["ece"]) == {"scores"}, "nothing was corrected"
    assert report["seconds"]["train"] == 371.9
    assert list(report["seconds"]) == ["record", "train", "evaluate", "test", "deploy"]
    assert report["model"]["path"] == str(tmp_path / "models" / "r")
    assert report["dataset"]["name"] == "drawn, 3000 images, seed 7"
    assert report["dataset"]["annotation_set"] == "ann-v3"
    assert report["dataset"]["training_set"] == "train-v7"
    assert report["model"]["url"] == "gs://plates/models/r/onnx-1"
    assert report["dataset"]["counts"]["num_train"] == 2400
    assert report["overrides"] == {"train.max_epochs": 3}
    assert {"python", "torch", "mmengine", "onnxruntime", "plateflow"} <= set(report["versions"])
    assert report["machine"]["num_cores"] >= 1
    assert report["machine"]["memory_gb"] > 0


def test_run_on_a_cluster_is_known_by_its_steps(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "runs" / "plate_training-v1-abcdef12")
    (run_dir / "run.json").unlink()
    for component, commit in (("record", "a1b2c3d"), ("train", "a1b2c3d"), ("test", "c0ffee0")):
        file = run_dir / f"steps/{component}.json"
        overrides = {"train.lr": 0.5} if component == "record" else {}
        write(file, {**json.loads(file.read_text()), "commit": commit, "overrides": overrides})
    text = Page(write_report(run_dir)).text
    assert "plate_training, version v1" in text
    assert "train.lr=0.5" in text
    assert "a1b2c3d, c0ffee0" in text
    report = json.loads((run_dir / "report.json").read_text())
    assert (report["pipeline"], report["version"]) == ("plate_training", "v1")
    assert report["commits"] == {"record": "a1b2c3d", "train": "a1b2c3d", "test": "c0ffee0"}


def test_component(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "runs" / "r", num_images=4)
    page = dsl.HTML(uri=str(tmp_path / "kfp.html"))

    def run() -> None:
        report.python_func("r", str(tmp_path), page)

    run()
    shown = Path(page.path).read_bytes()
    assert shown == (run_dir / "report.html").read_bytes()
    steps = json.loads((run_dir / "steps/report.json").read_text())["outputs"]
    assert steps == {"page": "runs/r/report.html", "figures": "runs/r/report.json"}
    assert list(json.loads((run_dir / "report.json").read_text())["seconds"])[-1] == "deploy"
    deploy = run_dir / "steps/deploy.json"
    write(deploy, {**json.loads(deploy.read_text()), "error": "EIR 0.1 is below"})
    run()
    assert "EIR 0.1 is below" in Path(page.path).read_text(), "each attempt's is written anew"


def test_component_of_a_run_that_came_to_no_test(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "runs" / "r", num_images=1)
    shutil.rmtree(run_dir / "test")
    report.python_func("r", str(tmp_path), dsl.HTML(uri=str(tmp_path / "kfp.html")))
    assert not (run_dir / "report.html").exists()
    assert not (run_dir / "steps/report.json").exists(), "a step that did nothing"


def _without(*paths: str) -> Callable[[Path], None]:
    def change(run_dir: Path) -> None:
        for path in paths:
            target = run_dir / path
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink()

    return change


def _only_images(keep: Callable[[int], bool]) -> Callable[[Path], None]:
    def change(run_dir: Path) -> None:
        results = json.loads((run_dir / "test/readings.json").read_text())
        results["images"] = [im for n, im in enumerate(results["images"]) if keep(n)]
        write(run_dir / "test/readings.json", results)

    return change


def _train_failed(run_dir: Path) -> None:
    _without("test", "steps/evaluate.json", "steps/test.json", "steps/deploy.json")(run_dir)
    state = {"component": "train", "started": 1001.0, "finished": 1002.0, "seconds": 1.0}
    write(run_dir / "steps/train.json", {**state, "error": "<b>disk & co</b> is full"})


def _still_training(run_dir: Path) -> None:
    _without("test", "steps/evaluate.json", "steps/test.json", "steps/deploy.json")(run_dir)
    state = {"component": "train", "started": 1001.0, "finished": None, "error": None}
    write(run_dir / "steps/train.json", state)


@pytest.mark.parametrize(
    ("change", "shown", "absent", "reason"),
    [
        (_without("evaluate"), "Symbols", "Hardest", "the evaluation left figures only"),
        (_without("train"), "Symbols", "Learning rate", "no scalars: no charts"),
        (_without("test"), "has not finished", "Symbols", "stopped before its test"),
        (_without("steps"), "Symbols", "Time", "no step has a record"),
        (_without("run.json"), "overrides none", "version v1", "no backend started it"),
        (_without("record/images"), "picture not found", "<img", "the data set was deleted"),
        (
            _without("steps", "test", "train"),
            "has not finished",
            "Metrics",
            "a config and nothing else",
        ),
        (_only_images(lambda n: n < 3), "Missed 0 None.", "read as", "no mistake at all"),
        (_only_images(lambda n: n == 9), "0 of 1 plates", "Symbols", "nothing read"),
        (_only_images(lambda n: False), "no test readings", "Plates", "an empty test set"),
        (_train_failed, "train failed. <b>disk & co</b> is full", "<b>disk", "escaped, not run"),
        (_still_training, "train 0.0 s", "failed.", "a step that has no seconds yet"),
    ],
)
def test_what_is_not_there_is_left_out(
    change: Callable[[Path], None], shown: str, absent: str, reason: str, tmp_path: Path
) -> None:
    run_dir = make_run(tmp_path / "runs" / "r")
    change(run_dir)
    path = write_report(run_dir)
    page = Page(path)
    assert page.open == [], reason
    assert shown in " ".join(page.text.split()), reason
    assert absent not in path.read_text("utf-8"), reason
    assert json.loads((run_dir / "report.json").read_text())["metrics"]["dv_mAP"] is None


@pytest.mark.parametrize(
    ("file", "content", "says", "reason"),
    [
        ("config.json", None, "config.json is missing", "some other directory"),
        ("config.json", "{", "config.json: not a usable config", "cut short"),
        ("test/readings.json", "{", "readings.json: damaged", "cut short"),
        ("record/rejected.json", "[{}]", "rejected.json: damaged", "a key is missing"),
        ("test/readings.json", "[]", "readings.json: damaged", "another shape"),
        ("test/readings.json", '{"images": [{}]}', "readings.json: damaged", "a key is missing"),
        ("evaluate/candidates.json", '{"candidates": [{}]}', "candidates.json: damaged", "no key"),
        ("evaluate/pr_curves.json", '{"curves": [1]}', "pr_curves.json: damaged", "no curve"),
        ("evaluate/hardest.json", '{"images": {"a": 1}}', "hardest.json: damaged", "no list"),
        ("steps/train.json", '{"seconds": 1}', "train.json: damaged", "a step without its name"),
    ],
)
def test_a_damaged_run_is_named_and_its_report_stays(
    file: str, content: str | None, says: str, reason: str, tmp_path: Path
) -> None:
    run_dir = make_run(tmp_path / "runs" / "r", num_images=1)
    before = write_report(run_dir).read_bytes()
    if content is None:
        (run_dir / file).unlink()
    else:
        (run_dir / file).write_text(content)
    with pytest.raises(PlateflowError, match=re.escape(says)) as error:
        write_report(run_dir)
    assert str(run_dir) in str(error.value), reason
    assert "\n" not in str(error.value), reason
    assert (run_dir / "report.html").read_bytes() == before
    assert sorted(p.name for p in run_dir.glob("*report*")) == ["report.html", "report.json"]


def test_what_the_record_step_left_out_is_listed(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "runs" / "r", num_images=1)
    file = run_dir / "record/rejected.json"
    write(file, [])
    assert "Left out" not in Page(write_report(run_dir)).text
    rejected = [{"file": f"{n}.json", "reason": f"shape {n}: <b>"} for n in range(25)]
    write(file, rejected)
    page = Page(write_report(run_dir))
    text = " ".join(page.text.split())
    assert "0.json shape 0: <b> 1.json" in text
    assert f"25 files of the annotation set in all: {file}" in text
    dataset = json.loads((run_dir / "report.json").read_text())["dataset"]
    assert dataset["rejected"] == rejected[:20]
    assert dataset["rejected_file"] == str(file)


def test_the_same_run_gives_the_same_page(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "runs" / "r")
    assert write_report(run_dir).read_bytes() == write_report(run_dir).read_bytes()


def test_scalars_of_a_resumed_training_are_joined(tmp_path: Path) -> None:
    run_dir = make_run(tmp_path / "runs" / "r", num_images=1)
    shutil.rmtree(run_dir / "train")
    starts = {
        "reader/20261121_020000": '{"loss": 3.0, "iter": 10, "step": 10}\n'
        '{"loss": 2.0, "iter": 20, "step": 20}\n{"EIR": 0.5, "step": 1}\n{"loss": 1.5, "it',
        "reader/20261121_030000": '{"loss": 1.8, "iter": 20, "step": 20}\n'
        '{"loss": NaN, "iter": 30, "step": 30}\n',
    }
    for folder, text in starts.items():
        path = run_dir / "train" / folder / "vis_data" / "scalars.json"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    curves = read_files(run_dir).curves
    assert curves["reader/loss"] == {10: 3.0, 20: 1.8}, "the later start counts, NaN does not"
    assert curves["reader/EIR"] == {20: 0.5}, "a validation stands at the iteration before it"


def test_confusion_follows_the_standard_and_counts_mistakes() -> None:
    table = confusion_table({("7", "1"): 3, ("7", "7"): 1, ("A", ""): 1, ("1", "1"): 9}, STANDARD)
    assert table is not None
    assert table.read == ("1", "7", "A", "∅")
    assert [(truth, [c.count for c in cells]) for truth, cells in table.rows] == [
        ("1", [9, 0, 0, 0]),
        ("7", [3, 1, 0, 0]),
        ("A", [0, 0, 0, 1]),
        ("∅", [0, 0, 0, 0]),
    ]
    assert table.mistakes == (("7", "1", 3), ("A", "∅", 1))
    assert confusion_table({}, STANDARD) is None


@pytest.mark.parametrize(
    ("truth", "read", "pieces", "reason"),
    [
        ("12A10", "12A01", (("12A", False), ("10", True)), "texts of one length: place by place"),
        ("12A345", "12345", (("12", False), ("A", True), ("345", False)), "one was left out"),
        ("12", "12", (("12", False),), "nothing differs"),
        ("12", "", (("12", False),), "nothing to compare with"),
        ("", "12", (), "nothing there"),
    ],
)
def test_a_sample_marks_what_differs(
    truth: str, read: str, pieces: tuple[tuple[str, bool], ...], reason: str, tmp_path: Path
) -> None:
    whole = reading_of("12A3456", 0, 0, 1.0)
    plates = [replace(whole, text=text) if text else None for text in (truth, read)]
    shown = sample(tmp_path / "none.jpg", plates[0], plates[1], STANDARD)
    assert shown.truth == pieces, reason
    assert shown.picture is None
