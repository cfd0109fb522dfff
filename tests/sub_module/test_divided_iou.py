"""The divided IoU against cases worked by hand and a naive implementation, and its speed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw
from pycocotools import mask as rle
from pycocotools.coco import COCO

from sub_module.metrics.average_precision import precisions
from sub_module.metrics.divided_iou import divided_boxes, divided_boxes_of, divided_iou
from tests.measure_metrics import STANDARD, best_seconds, divided_precision, scene

SEGMENTS = {
    "top": (0, 0, 9, 2),
    "upper left": (0, 0, 2, 9),
    "upper right": (7, 0, 9, 9),
    "middle": (0, 7, 9, 9),
    "lower left": (0, 7, 2, 16),
    "lower right": (7, 7, 9, 16),
    "bottom": (0, 14, 9, 16),
}


def _digit(*without):
    """A digit of seven segments, strokes of 3 px in a 10 x 17 box with a margin."""
    image = Image.new("L", (20, 25))
    draw = ImageDraw.Draw(image)
    for name, (x1, y1, x2, y2) in SEGMENTS.items():
        if name not in without:
            draw.rectangle((x1 + 5, y1 + 4, x2 + 5, y2 + 4), fill=1)
    return np.array(image)


def _block(x, y, width, height):
    mask = np.zeros((12, 12), bool)
    mask[y : y + height, x : x + width] = True
    return mask


def test_divided_boxes_by_hand():
    # A solid 3 x 3 block: its boundary is the ring of 8 pixels. Sorted by y, then x, and cut at 2
    # and 5: two pixels of the top row; its third with both of the middle row; the bottom row.
    assert divided_boxes(_block(0, 0, 3, 3)).tolist() == [
        [0, 0, 2, 1],
        [0, 0, 3, 2],
        [0, 2, 3, 3],
        [0, 0, 1, 2],
        [0, 0, 2, 3],
        [2, 0, 3, 3],
    ]


@pytest.mark.parametrize(
    ("mask_a", "mask_b", "expected", "reason"),
    [
        (_block(2, 3, 3, 3), _block(2, 3, 3, 3), 1, "the same"),
        # The six boxes above against themselves moved by one: 1/3 1/2 1/2 and 0 1/3 0.
        (_block(0, 0, 3, 3), _block(1, 0, 3, 3), (1 / 3 + 1 / 2 + 1 / 2 + 1 / 3) / 6, "moved by 1"),
        (_block(0, 0, 3, 3), _block(6, 6, 3, 3), 0, "apart"),
        # One pixel has a last run only; three in a row have three runs of one each.
        (_block(4, 4, 1, 1), _block(4, 4, 1, 1), 1, "one pixel"),
        (_block(4, 4, 3, 1), _block(4, 4, 3, 1), 1, "three pixels"),
        (_block(4, 4, 1, 1), _block(4, 4, 3, 1), 0, "one pixel is only the first of three"),
        (_block(0, 0, 0, 0), _block(4, 4, 3, 3), 0, "an empty mask"),
        (_block(0, 0, 0, 0), _block(0, 0, 0, 0), 0, "two empty masks"),
    ],
)
def test_divided_iou_by_hand(mask_a, mask_b, expected, reason):
    assert divided_iou(mask_a, mask_b) == pytest.approx(expected), reason
    assert divided_iou(mask_b, mask_a) == pytest.approx(expected), reason


def test_divided_iou_tells_a_6_from_an_8_in_the_same_box():
    eight, six = _digit(), _digit("upper right")
    for axis in (0, 1):
        assert (eight.any(axis=axis) == six.any(axis=axis)).all()
    # Four to six: where the boundary's thirds end moves with the stroke that is missing.
    assert 0.5 < divided_iou(eight, six) < 0.9
    assert divided_iou(eight, eight) == divided_iou(six, six) == 1


def test_divided_iou_of_masks_of_two_images():
    with pytest.raises(ValueError, match="one shape"):
        divided_iou(np.ones((4, 4)), np.ones((4, 5)))


def test_divided_average_precision_sees_what_boxes_do_not():
    eight, six = _digit(), _digit("upper right")
    encoded = [rle.encode(np.asfortranarray(mask)) for mask in (eight, six)]
    box = {"image_id": 1, "category_id": 1, "bbox": [5, 4, 10, 17]}
    coco = COCO()
    coco.dataset = {
        "images": [{"id": 1, "width": 20, "height": 25}],
        "categories": [{"id": 1, "name": "a"}],
        "annotations": [box | {"id": 1, "area": 170, "iscrowd": 0, "segmentation": encoded[0]}],
    }
    coco.createIndex()
    for mask, segmentation in zip((eight, six), encoded, strict=True):
        found = [box | {"score": 0.9, "segmentation": segmentation}]
        assert precisions(coco, found, ["a"], "box").mean == pytest.approx(1)
        passed = np.mean(divided_iou(eight, mask) >= np.linspace(0.5, 0.95, 10))
        assert precisions(coco, found, ["a"], "divided").mean == pytest.approx(passed)
    assert passed < 0.9


def _naive_boxes(mask):
    """The definition written down with loops, one mask at a time."""
    height, width = mask.shape

    def outside(y, x):
        return not (0 <= y < height and 0 <= x < width and mask[y, x])

    points = [
        (y, x)
        for y, x in zip(*np.nonzero(mask), strict=True)
        if outside(y - 1, x) or outside(y + 1, x) or outside(y, x - 1) or outside(y, x + 1)
    ]
    boxes = np.full((6, 4), np.nan)
    for first, ordered in ((0, sorted(points)), (3, sorted(points, key=lambda p: p[::-1]))):
        for i in range(3):
            run = ordered[i * len(points) // 3 : (i + 1) * len(points) // 3]
            if run:
                ys, xs = zip(*run, strict=True)
                boxes[first + i] = min(xs), min(ys), max(xs) + 1, max(ys) + 1
    return boxes


_MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda s: arrays(bool, s))


@settings(max_examples=60, deadline=None)
@given(st.lists(_MASKS, max_size=6))
def test_many_masks_at_once_agree_with_the_naive_one(masks):
    encoded = [rle.encode(np.asfortranarray(mask, dtype=np.uint8)) for mask in masks]
    expected = np.array([_naive_boxes(mask) for mask in masks]).reshape(-1, 6, 4)
    np.testing.assert_array_equal(divided_boxes_of(encoded), expected)


def test_masks_that_do_not_share_a_canvas():
    # Wide, high and dotted ones: long numbers in the encoding, and more than one canvas.
    rng = np.random.default_rng(0)
    sizes = [(3, 2000), (1500, 2), (300, 400), (40, 30), (900, 700)]
    masks = [rng.random(size) < share for size in sizes for share in (0.02, 0.98)]
    encoded = [rle.encode(np.asfortranarray(mask, dtype=np.uint8)) for mask in masks]
    for found, mask in zip(divided_boxes_of([*encoded] * 3), masks * 3, strict=True):
        np.testing.assert_array_equal(found, divided_boxes(mask))
    for mask in masks[:8]:
        np.testing.assert_array_equal(divided_boxes(mask), _naive_boxes(mask))


def test_time_against_the_boxes():
    coco, found = scene(200, seed=1)
    box = best_seconds(lambda: precisions(coco, found, STANDARD.classes, "box").mean)
    divided = best_seconds(lambda: divided_precision(coco, found))
    # At 1,000 images it is about 2; one image's masks decoded one by one made it 9.
    assert divided / box <= 3
