"""mask_rcnn_swin's reader and samples: what stands between images and its networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pycocotools import mask as run_lengths

from dataset_tools.record import record
from sub_module.datasets.coco import PlateImage, load_image, load_plate_images
from sub_module.datasets.letterbox import fit_scale, letterbox
from sub_module.errors import ConfigError
from sub_module.models.mask_rcnn_swin.heads import masks_in_boxes
from sub_module.models.mask_rcnn_swin.reading import MaskRCNNReader, build, outline
from sub_module.models.mask_rcnn_swin.samples import (
    MASK_CELLS,
    InstanceTrainingSet,
    collate_samples,
    instance_targets,
)
from sub_module.plates import PlateStandard
from tests.factories import write_set
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.models.micro_mask_rcnn import SAMPLES, micro_config
from tests.sub_module.small import drawn_set

SIZE = (128, 96)
CELLS = 28
STANDARDS = pytest.mark.parametrize(
    "standard", [kr_standard(), tiny_standard()], ids=lambda standard: standard.name
)
Floats = NDArray[np.floating]


class KnownNetworks:
    """A graph whose answer is known beforehand."""

    def __init__(self, boxes: Any, labels: Any, scores: Any, masks: Any) -> None:
        self.outputs = (
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(labels, np.int64),
            np.array(scores, np.float32),
            np.array(masks, np.float32).reshape(-1, CELLS, CELLS),
        )
        self.inputs: list[NDArray[Any]] = []

    def run(self, graph: str, inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        assert graph == "detect"
        self.inputs.append(inputs)
        return self.outputs


def _reader(networks: KnownNetworks) -> MaskRCNNReader:
    standard = kr_standard()
    return build(micro_config(input_size=list(SIZE)), standard, networks, standard)


def _full() -> Floats:
    return np.ones((CELLS, CELLS), np.float32)


def _half(side: str) -> Floats:
    mask = np.zeros((CELLS, CELLS), np.float32)
    rows = {"top": slice(None, CELLS // 2), "left": slice(None)}[side]
    columns = {"top": slice(None), "left": slice(None, CELLS // 2)}[side]
    mask[rows, columns] = 1
    return mask


@pytest.mark.parametrize("box", [(0, 0, 8, 12), (3.5, 7.25, 103.5, 30), (10, 10, 2000, 900)])
@pytest.mark.parametrize(
    ("mask", "part"),
    [
        (_full(), (0, 0, 1, 1)),
        (_half("left"), (0, 0, 0.5, 1)),
        (_half("top"), (0, 0, 1, 0.5)),
        (_half("top")[::-1], (0, 0.5, 1, 1)),
    ],
    ids=["full", "left", "top", "bottom"],
)
def test_an_outline_is_that_part_of_the_box(mask: Floats, part: Floats, box: Floats) -> None:
    origin, sides = np.array(box[:2]), np.array(box[2:]) - box[:2]
    x1, y1, x2, y2 = part
    wanted = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]) * sides + origin
    found = outline(np.ascontiguousarray(mask, np.float32), np.array(box))
    assert found is not None
    order = [int(np.argmin(np.linalg.norm(found - corner, axis=1))) for corner in wanted]
    # A step of the grid where a mask ends within its box, nothing at the box's own edges.
    assert np.abs(found[order] - wanted).max() <= 0.01 * sides.max() + 1e-3
    assert len(found) == 4


def test_an_outline_is_that_of_the_largest_part() -> None:
    mask = np.zeros((CELLS, CELLS), np.float32)
    mask[2:6, 2:6] = 1
    mask[10:26, 10:26] = 1
    found = outline(mask, np.array((0, 0, 28, 28)))
    assert found is not None
    assert found.min() == pytest.approx(10, abs=0.5)
    assert found.max() == pytest.approx(26, abs=0.5)


def test_an_empty_mask_has_no_outline() -> None:
    assert outline(np.full((CELLS, CELLS), 0.4, np.float32), np.array((0, 0, 9, 9))) is None


def test_instances_are_in_pixels_of_the_image_and_inside_it() -> None:
    # 64x96: fitted to 128x96 at scale 1, the right half of the canvas is grey.
    image = np.zeros((96, 64, 3), np.uint8)
    boxes = [(10, 20, 30, 60), (50, 50, 90, 90), (70, 10, 100, 30), (5, 5, 25, 25)]
    masks = [_full(), _full(), _full(), np.zeros((CELLS, CELLS))]
    networks = KnownNetworks(boxes, [1, 16, 3, 4], [0.9, 0.8, 0.7, 0.6], masks)
    (found,) = _reader(networks).find([image])
    assert found.instances is not None
    # The third lies in the grey, the fourth has no pixel.
    assert found.instances.labels == ("0", "r_board")
    assert found.instances.scores == pytest.approx([0.9, 0.8])
    assert found.instances.boxes_xyxy == pytest.approx(
        np.array([(10, 20, 30, 60), (50, 50, 64, 90)])
    )
    for polygon, box in zip(found.instances.polygons, found.instances.boxes_xyxy, strict=True):
        assert (*polygon.min(0), *polygon.max(0)) == pytest.approx(tuple(box))


def test_classes_of_another_standard_go_by_their_meaning() -> None:
    trained = kr_standard()
    config = trained.to_config()
    two_line = {**config["layouts"][0], "label": "board"}
    classes = [
        "board",
        *[label for label in trained.classes if not label.startswith(("l_", "r_b"))],
    ]
    other = PlateStandard.from_config({**config, "layouts": [two_line], "classes": classes})
    boxes = [(10, 20, 30, 60), (50, 50, 90, 90), (70, 10, 100, 30), (5, 5, 25, 25)]
    numbers = [1 + trained.classes.index(label) for label in ("7", "r_board", "l_board", "r_s_n")]
    networks = KnownNetworks(boxes, numbers, [0.9] * 4, [_full()] * 4)
    reader = build(micro_config(input_size=list(SIZE)), other, networks, trained)
    assert reader.categories == tuple(classes)
    (found,) = reader.find([np.zeros((96, 128, 3), np.uint8)])
    assert found.instances is not None
    # The other standard has no l_board.
    assert found.instances.labels == ("7", "board", "r_s_n")


def test_a_large_image_is_shrunk_to_the_canvas_and_back() -> None:
    image = np.random.default_rng(0).integers(0, 256, (960, 1280, 3), dtype=np.uint8)
    networks = KnownNetworks([(12.8, 9.6, 64, 48)], [1], [0.9], [_full()])
    (found,) = _reader(networks).find([image])
    assert found.instances is not None
    assert found.instances.boxes_xyxy == pytest.approx(np.array([(128, 96, 640, 480)]), rel=1e-5)
    (inputs,) = networks.inputs
    assert inputs.dtype == np.uint8
    assert (inputs[0].transpose(1, 2, 0) == letterbox(image, SIZE)).all()


def test_nothing_found() -> None:
    reader = _reader(KnownNetworks([], [], [], []))
    assert reader.find([]) == []
    (found,) = reader.find([np.zeros((1, 1, 3), np.uint8)])
    assert found.readings == ()
    assert found.instances is not None
    assert len(found.instances) == 0
    assert reader.has_masks
    assert reader.categories == kr_standard().classes


def test_a_canvas_that_no_network_divides_is_refused() -> None:
    config = micro_config(input_size=[128, 90])
    with pytest.raises(ConfigError, match="128x90"):
        build(config, kr_standard(), KnownNetworks([], [], [], []), kr_standard())


def _perfect_networks(
    truth: PlateImage, standard: PlateStandard, size: tuple[int, int]
) -> KnownNetworks:
    """What a model answers that has learnt its targets to the last cell."""
    scale = fit_scale((truth.height, truth.width), size)
    targets = instance_targets(
        [(1 + standard.classes.index(label), polygon * scale) for label, polygon in truth.shapes],
        size,
    )
    tensors = {key: torch.from_numpy(value) for key, value in targets.items()}
    every = torch.arange(len(targets["labels"]))
    masks = masks_in_boxes(tensors, every, tensors["boxes"], CELLS)
    return KnownNetworks(targets["boxes"], targets["labels"], np.ones(len(every)), masks.numpy())


@STANDARDS
def test_perfect_networks_give_perfect_readings(standard: PlateStandard, tmp_path: Path) -> None:
    """Targets, outlines and post-processing undo each other, for any standard."""
    training_set = drawn_set(tmp_path, standard, 24)
    size = (1024, 768)
    ious: dict[bool, list[float]] = {True: [], False: []}
    for truth in load_plate_images(training_set / "train.json", standard):
        networks = _perfect_networks(truth, standard, size)
        reader = MaskRCNNReader(standard, standard, size, networks, min_score=0.3, overlap=0.5)
        (found,) = reader.find([load_image(truth.path)])
        assert sorted(r.text for r in found.readings) == sorted(r.text for r in truth.readings)
        assert found.instances is not None
        for (label, wanted), polygon in zip(truth.shapes, found.instances.polygons, strict=True):
            ious[standard.character_of(label) is None].append(_iou(wanted, polygon))
    assert np.mean(ious[True]) > 0.95
    # Strokes of two pixels; see the targets' masks, which are four times as fine.
    assert np.mean(ious[False]) > 0.85


def _iou(a: Floats, b: Floats) -> float:
    """Of two outlines, each pixel of the image divided into 64."""
    canvas = 8 * 640, 8 * 640
    first, second = (
        run_lengths.frPyObjects([(8 * polygon).ravel().astype(float).tolist()], *canvas)
        for polygon in (a, b)
    )
    return float(run_lengths.iou(first, second, [0])[0, 0])


def _square(x1: float, y1: float, x2: float, y2: float) -> Floats:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)


def test_targets_of_known_shapes() -> None:
    triangle = np.array([(20, 20), (40, 20), (20, 60)], np.float32)
    targets = instance_targets([(3, _square(10.5, 20, 30, 44.25)), (7, triangle)], SIZE)
    assert targets["boxes"] == pytest.approx(np.array([(10.5, 20, 30, 44.25), (20, 20, 40, 60)]))
    assert targets["labels"].tolist() == [3, 7]
    assert targets["masks"].shape == (2, MASK_CELLS, MASK_CELLS)
    assert targets["masks"][0].all()
    assert targets["masks"][1].mean() == pytest.approx(0.5, abs=0.01)
    assert targets["masks"][1][0, :-2].all()
    assert not targets["masks"][1][-1, 2:].any()


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (_square(-2, 10, 18, 30), (0, 10, 18, 30)),
        (_square(-15, 10, 5, 30), None),
        (_square(200, 10, 220, 30), None),
        (_square(10, 10, 10.5, 30), None),
        (_square(110, 80, 130, 97), (110, 80, 128, 96)),
    ],
    ids=["a little outside", "mostly outside", "outside", "a hair", "over the corner"],
)
def test_shapes_at_the_edge(shape: Floats, box: tuple[float, ...] | None) -> None:
    targets = instance_targets([(1, shape)], SIZE)
    assert targets["boxes"].tolist() == ([list(box)] if box else [])
    assert targets["masks"].all()


def test_an_image_without_plates_has_empty_targets() -> None:
    targets = instance_targets([], SIZE)
    assert {key: value.shape for key, value in targets.items()} == {
        "boxes": (0, 4),
        "labels": (0,),
        "masks": (0, MASK_CELLS, MASK_CELLS),
    }


def test_masks_follow_a_shifted_box() -> None:
    target = {
        "boxes": torch.tensor([(0.0, 0.0, 8.0, 8.0), (10.0, 10.0, 30.0, 50.0)]),
        "masks": torch.ones(2, MASK_CELLS, MASK_CELLS, dtype=torch.uint8),
    }
    boxes = torch.tensor([(10.0, 10.0, 30.0, 50.0), (20.0, 10.0, 40.0, 50.0)])
    own, shifted = masks_in_boxes(target, torch.tensor([1, 1]), boxes, CELLS)
    assert own.eq(1).all()
    assert shifted[:, : CELLS // 2].eq(1).all()
    assert shifted[:, CELLS // 2 + 1 :].eq(0).all()


@pytest.fixture(scope="module")
def white_boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set whose boards are the only white in its images."""
    directory = tmp_path_factory.mktemp("boards")
    write_set(directory / "annotations", kr_standard(), 10)
    settings = {"split": {"train": 1.0, "val": 0.0, "test": 0.0}}
    record(directory / "annotations", directory / "set", kr_standard(), settings, num_threads=1)
    return directory / "set" / "train.json"


def test_samples_follow_the_picture_however_it_is_moved(white_boards: Path) -> None:
    np.random.seed(0)
    settings = {"zoom": [0.6, 1.3], "shift": 0.2, "contrast": 0.0, "brightness": 0.0}
    size = (320, 256)
    samples = InstanceTrainingSet(white_boards, kr_standard(), size, settings)
    boards = [kr_standard().classes.index(label) + 1 for label in kr_standard().board_labels]
    seen = 0
    for index in [*range(len(samples))] * 3:
        sample = samples[index]
        rows, columns = np.nonzero((sample["images"] > 225).all(0))
        inside = columns.min() > 1 and columns.max() < 318 and rows.min() > 1 and rows.max() < 254
        if not inside:
            continue
        (board,) = np.flatnonzero(np.isin(sample["labels"], boards))
        white = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert sample["boxes"][board] == pytest.approx(white, abs=2.5)
        seen += 1
    assert seen > 8


def test_samples_without_chance_are_what_a_reader_sees(white_boards: Path) -> None:
    samples = InstanceTrainingSet(white_boards, kr_standard(), SIZE, SAMPLES)
    truth = load_plate_images(white_boards, kr_standard())[0]
    sample = samples[0]
    assert (sample["images"].transpose(1, 2, 0) == letterbox(load_image(truth.path), SIZE)).all()
    scale = fit_scale((truth.height, truth.width), SIZE)
    names = [kr_standard().classes[label - 1] for label in sample["labels"]]
    assert names == [label for label, _ in truth.shapes]
    for (_, polygon), box in zip(truth.shapes, sample["boxes"], strict=True):
        assert box == pytest.approx((*polygon.min(0) * scale, *polygon.max(0) * scale), abs=1e-3)


def test_a_batch_keeps_images_apart(white_boards: Path) -> None:
    samples = InstanceTrainingSet(white_boards, kr_standard(), SIZE, SAMPLES)
    batch = collate_samples([samples[0], samples[1]])
    assert batch["images"].shape == (2, 3, SIZE[1], SIZE[0])
    assert batch["images"].dtype == torch.uint8
    for index, target in enumerate(batch["targets"]):
        assert torch.equal(target["boxes"], torch.from_numpy(samples[index]["boxes"]))
        assert target["labels"].dtype == torch.int64


def test_a_missing_sample_setting_is_named(white_boards: Path) -> None:
    settings = {key: value for key, value in SAMPLES.items() if key != "zoom"}
    with pytest.raises(ConfigError, match=r"train\.samples: 'zoom'"):
        InstanceTrainingSet(white_boards, kr_standard(), SIZE, settings)
