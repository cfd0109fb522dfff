"""Figures against cases worked by hand, and mAP against a second, naive implementation."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as rle
from pycocotools.coco import COCO

from dataset_tools.record import coco_of
from sub_module.datasets.coco import load_plate_images
from sub_module.errors import DataError
from sub_module.metrics.average_precision import load_coco, precisions
from sub_module.metrics.detections import board_detections
from sub_module.metrics.plate_metric import PlateMetric
from sub_module.metrics.readings import Match, score_readings
from sub_module.metrics.scores import score
from sub_module.plates.instances import Findings, Instances
from sub_module.plates.reading import PlateReading
from tests.factories import write_pair, write_set
from tests.standards import tiny_standard


def _coco(boxes, num_images=1, names=("a", "b")):
    """Ground truth of (image id, category id, x, y, width, height)."""
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i + 1, "width": 400, "height": 400} for i in range(num_images)],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
        "annotations": [
            {
                "id": i,
                "image_id": image,
                "category_id": category,
                "bbox": list(box),
                "area": box[2] * box[3],
                "iscrowd": 0,
                "segmentation": [_corners(*box)],
            }
            for i, (image, category, *box) in enumerate(boxes)
        ],
    }
    coco.createIndex()
    return coco


def _corners(x, y, width, height):
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def _found(*rows):
    return [
        {"image_id": image, "category_id": category, "score": score, "bbox": list(box)}
        for image, category, score, *box in rows
    ]


SQUARE, OTHER = (0, 0, 100, 100), (200, 200, 100, 100)


@pytest.mark.parametrize(
    ("truth", "found", "names", "expected", "reason"),
    [
        ([(1, 1, *SQUARE)], _found((1, 1, 0.9, *SQUARE)), "ab", 1, "perfect"),
        # IoU 0.78 is enough for the thresholds 0.50 to 0.75, six of ten.
        ([(1, 1, *SQUARE)], _found((1, 1, 0.9, 0, 0, 100, 78)), "ab", 0.6, "six thresholds"),
        # Recall ends at 1/2: 51 of the 101 recall points.
        (
            [(1, 1, *SQUARE), (1, 1, *OTHER)],
            _found((1, 1, 0.9, *SQUARE)),
            "ab",
            51 / 101,
            "one of two",
        ),
        (
            [(1, 1, *SQUARE)],
            _found((1, 1, 0.9, *OTHER), (1, 1, 0.8, *SQUARE)),
            "ab",
            0.5,
            "a false one first",
        ),
        (
            [(1, 1, *SQUARE)],
            _found((1, 1, 0.9, *SQUARE), (1, 1, 0.8, *SQUARE)),
            "ab",
            1,
            "a second one later costs nothing",
        ),
        (
            [(1, 1, *SQUARE), (1, 2, *OTHER)],
            _found((1, 1, 0.9, *SQUARE)),
            "ab",
            0.5,
            "mean of 1, 0",
        ),
        (
            [(1, 1, *SQUARE), (1, 2, *OTHER)],
            _found((1, 1, 0.9, *SQUARE), (1, 2, 1.0, *SQUARE)),
            "a",
            1,
            "b is not declared",
        ),
        ([(1, 1, *SQUARE)], [], "ab", 0, "nothing found"),
    ],
)
def test_average_precision_by_hand(truth, found, names, expected, reason):
    coco = _coco(truth)
    before = copy.deepcopy((coco.dataset, found))
    assert precisions(coco, found, names, "box").mean == pytest.approx(expected), reason
    assert (coco.dataset, found) == before, "arguments stay as they were"


def test_average_precision_of_nothing_is_an_error():
    with pytest.raises(DataError, match="no ground truth of b: mAP is undefined"):
        precisions(_coco([(1, 1, *SQUARE)]), [], ["b"], "box")


def _naive_average_precision(truth, found, category):
    """COCO's definition for one category, written down without pycocotools."""
    truth = [t for t in truth if t[1] == category]
    found = sorted((f for f in found if f["category_id"] == category), key=lambda f: -f["score"])
    precisions = []
    for threshold in np.linspace(0.5, 0.95, 10):
        left = defaultdict(list)
        for image, _, *box in truth:
            left[image].append(box)
        hits = []
        for f in found:
            ious = [_iou(f["bbox"], box) for box in left[f["image_id"]]]
            hit = bool(ious) and max(ious) >= threshold
            if hit:
                left[f["image_id"]].pop(int(np.argmax(ious)))
            hits.append(hit)
        num_hits = np.cumsum(hits)
        curve = num_hits / np.arange(1, len(hits) + 1)
        recalls = num_hits / len(truth)
        precisions += [max(curve[recalls >= point], default=0) for point in np.linspace(0, 1, 101)]
    return np.mean(precisions)


def _iou(a, b):
    width = max(0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    height = max(0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_agrees_with_a_naive_one(seed):
    rng = np.random.default_rng(seed)
    truth = [
        (int(rng.integers(1, 6)), int(rng.integers(1, 3)), *rng.uniform(20, 120, 4))
        for _ in range(30)
    ]
    found = [
        {
            "image_id": image,
            "category_id": category if rng.random() < 0.9 else 3 - category,
            "score": float(rng.random()),
            "bbox": [float(v + rng.normal(0, 4)) for v in box],
        }
        for image, category, *box in truth
        if rng.random() < 0.8
    ]
    expected = np.mean([_naive_average_precision(truth, found, category) for category in (1, 2)])
    coco = _coco(truth, num_images=5)
    assert precisions(coco, found, ["a", "b"], "box").mean == pytest.approx(expected, abs=1e-9)
    assert 0.05 < expected < 0.95


def test_divided_average_precision_takes_polygons_as_ground_truth():
    coco = _coco([(1, 1, *SQUARE), (1, 1, *OTHER)])
    mask = np.zeros((400, 400), np.uint8, order="F")
    mask[:100, :100] = 1
    found = [
        {"image_id": 1, "category_id": 1, "score": 0.5, "segmentation": rle.encode(mask)},
        {"image_id": 1, "category_id": 2, "score": 0.9, "segmentation": rle.encode(mask)},
    ]
    assert precisions(coco, found, "ab", "divided").mean == pytest.approx(51 / 101)


def _reading(text, x=0.0, score=1.0, layout="flat"):
    box = (x, 0.0, x + 100, 50.0)
    corners = ((x, 0.0), (x + 100, 0.0), (x + 100, 50.0), (x, 50.0))
    return PlateReading(layout, box, corners, "", "", text, text, score)


@pytest.mark.parametrize(
    ("truth", "found", "outcomes", "rate", "wrong_share", "reason"),
    [
        ([], [], [], 0, 0, "empty image"),
        ([_reading("W0")], [_reading("W0", 5, 0.5)], ["right"], 1, 0, "overlaps enough"),
        ([_reading("W0")], [_reading("W1")], ["wrong"], 0, 1, "one character off"),
        ([_reading("W0")], [_reading("W0", layout="stacked")], ["wrong"], 0, 1, "layout off"),
        ([_reading("W0")], [_reading("W0", 40)], ["false", "missed"], 0, 1, "IoU 60/140"),
        ([_reading("W0")], [], ["missed"], 0, 0, "nothing read"),
        ([], [_reading("W0")], ["false"], 0, 1, "a sign taken for a plate"),
        (
            [_reading("W0")],
            [_reading("W0", 5, 0.8), _reading("W1", 0, 0.9)],
            ["wrong", "false"],
            0,
            1,
            "the better score has the plate",
        ),
        (
            [_reading("W0"), _reading("W1", 200)],
            [_reading("W1", 210), _reading("W0")],
            ["right", "right"],
            1,
            0,
            "two plates in any order",
        ),
        (
            [_reading("W0"), _reading("W1", 30)],
            [_reading("W1", 30)],
            ["right", "missed"],
            0.5,
            0,
            "of two that overlap it takes the nearer",
        ),
    ],
)
def test_score_readings(truth, found, outcomes, rate, wrong_share, reason):
    scores = score_readings([truth], [found])
    assert [match.outcome for match in scores.matches] == outcomes, reason
    assert (scores.EIR, scores.wrong_share) == (rate, wrong_share), reason
    assert (scores.num_plates, scores.num_readings) == (len(truth), len(found))
    assert sorted(m.truth for m in scores.matches if m.truth is not None) == list(range(len(truth)))


def test_matches_and_confusion_over_images():
    scores = score_readings(
        [[_reading("W01")], [_reading("XY2"), _reading("Z3", 300)]],
        [[_reading("W07")], [_reading("Z3", 300), _reading("Y2", 0, 0.3), _reading("0", 700, 0.1)]],
    )
    assert scores.matches == (
        Match(0, 0, 0, "wrong"),
        Match(1, 1, 0, "right"),
        Match(1, 0, 1, "wrong"),
        Match(1, None, 2, "false"),
    )
    assert (scores.EIR, scores.wrong_share) == pytest.approx((1 / 3, 3 / 4))
    assert scores.confusion == {
        **{("W", "W"): 1, ("0", "0"): 1, ("1", "7"): 1},
        # A text that lost its first letter is not wrong throughout.
        **{("X", ""): 1, ("Y", "Y"): 1, ("2", "2"): 1},
        **{("Z", "Z"): 1, ("3", "3"): 1},
    }


def test_different_numbers_of_images():
    with pytest.raises(ValueError, match="zip"):
        score_readings([[], []], [[]])


def test_plate_metric_over_a_recorded_set(tmp_path):
    standard = tiny_standard()
    write_set(tmp_path, standard, 4)
    write_pair(tmp_path, "none", [])
    coco_file = tmp_path / "all.json"
    coco_file.write_text(json.dumps(coco_of(tmp_path, standard)))
    images = load_plate_images(coco_file, standard)
    metric = PlateMetric(coco_file, standard, standard.board_labels)
    samples = [{"image_id": i.image_id, "findings": Findings(i.readings)} for i in images]
    for sample in samples:
        metric.process(None, [sample])
    assert metric.evaluate(len(images)) == {"mAP": 1, "EIR": 1, "wrong_share": 0}
    # Of four plates one is misread, one missed; its image comes with no sample at all.
    misread = replace(images[1].readings[0], text="?")
    samples[1]["findings"] = Findings((misread,))
    metric.process(None, [sample for i, sample in enumerate(samples) if i != 2])
    measured = metric.evaluate(len(images) - 1)
    assert measured["EIR"] == 0.5
    assert measured["wrong_share"] == pytest.approx(1 / 3)
    assert measured["mAP"] == pytest.approx((1 + 51 / 101) / 2)


def test_score_looks_at_declared_categories_only(tmp_path):
    standard = tiny_standard()
    write_set(tmp_path, standard, 4)
    (tmp_path / "all.json").write_text(json.dumps(coco_of(tmp_path, standard)))
    images = load_plate_images(tmp_path / "all.json", standard)
    # The images of one layout are read, those of the other are not.
    findings = [Findings(tuple(r for r in i.readings if r.layout == "flat")) for i in images]
    coco = load_coco(tmp_path / "all.json")
    by_categories = {
        labels: score(coco, images, findings, standard, labels)
        for labels in (("f_board",), ("s_board",), ("f_board", "s_board"))
    }
    assert [scores.mAP for scores in by_categories.values()] == pytest.approx([1, 0, 0.5])
    assert {scores.readings.EIR for scores in by_categories.values()} == {0.5}
    assert {scores.dv_mAP for scores in by_categories.values()} == {None}
    with pytest.raises(ValueError, match="zip"):
        score(coco, images, findings[:-1], standard, ("f_board",))


def test_board_detections_use_the_standards_categories():
    standard = tiny_standard()
    (detection,) = board_detections(7, [_reading("W0", 10, 0.25)], standard)
    assert detection == {
        "image_id": 7,
        "category_id": 1 + standard.classes.index("f_board"),
        "bbox": [10, 0, 100, 50],
        "score": 0.25,
    }


def _instances(image, off=0.0):
    """Everything labelled in an image, every outline moved a little."""
    polygons = tuple(polygon + np.float32(off) for _, polygon in image.shapes)
    boxes = [[*polygon.min(axis=0), *polygon.max(axis=0)] for polygon in polygons]
    return Instances(
        labels=tuple(label for label, _ in image.shapes),
        scores=np.full(len(polygons), 0.9, np.float32),
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        polygons=polygons,
    )


def test_plate_metric_of_a_model_with_masks(tmp_path):
    standard = tiny_standard()
    write_set(tmp_path, standard, 4)
    write_pair(tmp_path, "none", [])
    coco_file = tmp_path / "all.json"
    coco_file.write_text(json.dumps(coco_of(tmp_path, standard)))
    images = load_plate_images(coco_file, standard)
    metric = PlateMetric(coco_file, standard, standard.classes)

    def figures(off):
        findings = [Findings(i.readings, _instances(i, off)) for i in images]
        ids = [i.image_id for i in images]
        samples = zip(ids, findings, strict=True)
        metric.process(None, [{"image_id": i, "findings": f} for i, f in samples])
        return metric.evaluate(len(images))

    # Not quite 1: COCO's truth has two decimals, which move a pixel of some outline.
    exact, moved = figures(0), figures(4)
    assert list(exact) == ["mAP", "dv_mAP", "EIR", "wrong_share"]
    assert (exact["mAP"], exact["EIR"], exact["wrong_share"]) == (pytest.approx(1), 1, 0)
    assert exact["dv_mAP"] > 0.95
    assert 0 < moved["dv_mAP"] < moved["mAP"] < 1, "four pixels cost the thirds more than the boxes"


def test_findings_without_any_instance_have_a_dv_mAP(tmp_path):  # noqa: N802
    standard = tiny_standard()
    write_set(tmp_path, standard, 2)
    (tmp_path / "all.json").write_text(json.dumps(coco_of(tmp_path, standard)))
    images = load_plate_images(tmp_path / "all.json", standard)
    nothing = Instances((), np.zeros(0, np.float32), np.zeros((0, 4), np.float32), ())
    coco = load_coco(tmp_path / "all.json")
    scores = score(coco, images, [Findings((), nothing)] * 2, standard, standard.classes)
    assert (scores.mAP, scores.dv_mAP) == (0, 0), "a model with masks that found nothing"
    scores = score(coco, images, [Findings(())] * 2, standard, standard.board_labels)
    assert (scores.mAP, scores.dv_mAP) == (0, None)


def test_curves_of_groups_of_categories():
    # Of `a` half is found, at IoU 0.78; of `b` all of it, exactly; of `c` there is none.
    coco = _coco([(1, 1, *SQUARE), (1, 1, *OTHER), (1, 2, *SQUARE)], names="abc")
    found = _found((1, 1, 0.9, 0, 0, 100, 78), (1, 2, 0.8, *SQUARE), (1, 3, 0.7, *SQUARE))
    curves = precisions(coco, found, "abc", "box")
    assert curves.categories == ("a", "b")
    half = np.where(np.arange(101) <= 50, 1.0, 0.0)
    assert curves.curve("a", 0.5) == pytest.approx(half)
    assert curves.curve("a", 0.75) == pytest.approx(half)
    assert curves.curve("a", 0.8).sum() == 0
    assert curves.curve("a") == pytest.approx(0.6 * half)
    assert curves.curve("ab", 0.5) == pytest.approx((half + 1) / 2)
    assert curves.curve("c") is None
    assert curves.mean == pytest.approx((0.6 * 51 / 101 + 1) / 2)
    nothing = precisions(coco, found[2:], "abc", "box")
    assert (nothing.categories, nothing.mean) == (("a", "b"), 0)
