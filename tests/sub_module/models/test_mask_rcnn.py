"""mask_rcnn_swin as a whole: builds from every setting, learns, exports, takes a backbone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from torch.nn.parallel import DistributedDataParallel
from torchvision.models import swin_t
from torchvision.models.swin_transformer import SwinTransformer

from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.engine.checkpoint import build_model, description, load_model
from sub_module.engine.config import load_config
from sub_module.errors import ModelError, PlateflowError
from sub_module.export.onnx import export
from sub_module.export.runtime import OnnxDetector
from sub_module.models.mask_rcnn_swin.model import MaskRCNNSwin
from sub_module.models.mask_rcnn_swin.settings import LOSSES
from tests.standards import kr_standard
from tests.sub_module.models.micro_mask_rcnn import batch_of, micro_config, micro_model
from tests.sub_module.small import drawn_set

SEARCHED = [
    *[("swin_window_size", value) for value in (3, 5, 7, 9, 11)],
    *[("swin_mlp_ratio", value) for value in (3, 4, 5)],
    *[("swin_drop_rate", value) for value in (0.0, 0.1, 0.2, 0.3, 0.4)],
]


@pytest.fixture(scope="module", autouse=True)
def _few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_set(tmp_path_factory.mktemp("drawn"), kr_standard(), 24)


@pytest.fixture(scope="module")
def with_plates(training_set: Path) -> list[int]:
    images = load_plate_images(training_set / "train.json", kr_standard())
    return [index for index, image in enumerate(images) if image.readings]


@pytest.fixture(scope="module")
def trained(training_set: Path, with_plates: list[int]) -> tuple[MaskRCNNSwin, list[float]]:
    """A model that knows two images by heart, and the total loss of each step."""
    torch.manual_seed(0)
    model = micro_model(kr_standard()).train()
    batch = batch_of(model, training_set, *with_plates[:2])
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    totals = []
    for _ in range(40):
        total = sum(model(mode="loss", **batch).values())
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        totals.append(total.item())
    return model.eval(), totals


def _step(model: MaskRCNNSwin, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    losses: dict[str, torch.Tensor] = model.train()(mode="loss", **batch)
    sum(losses.values()).backward()  # type: ignore[union-attr]
    return losses


@pytest.mark.parametrize(("name", "value"), SEARCHED)
def test_every_value_of_the_search_trains_and_reads(
    name: str, value: float, training_set: Path
) -> None:
    torch.manual_seed(0)
    model = micro_model(kr_standard(), **{name: value})
    batch = batch_of(model, training_set, 0, 1)
    losses = _step(model, batch)
    assert set(losses) == set(LOSSES)
    assert all(math.isfinite(loss.item()) for loss in losses.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    (found,) = model.eval().find([np.zeros((60, 200, 3), np.uint8)])
    assert found.instances is not None


def test_a_searched_value_changes_the_networks() -> None:
    """A field that is read and forgotten would search for nothing."""
    shapes = {
        window: micro_model(kr_standard(), swin_window_size=window)
        .state_dict()["backbone.features.1.0.attn.relative_position_bias_table"]
        .shape[0]
        for window in (3, 11)
    }
    assert shapes == {3: 25, 11: 441}
    widths = {
        ratio: micro_model(kr_standard(), swin_mlp_ratio=ratio)
        .state_dict()["backbone.features.1.0.mlp.0.weight"]
        .shape[0]
        for ratio in (3, 5)
    }
    assert widths == {3: 48, 5: 80}
    images = torch.zeros(1, 3, 96, 128, dtype=torch.uint8)
    for rate, differs in ((0.0, False), (0.4, True)):
        model = micro_model(kr_standard(), swin_drop_rate=rate).train()
        first, second = (model.backbone(images)["0"] for _ in range(2))
        assert bool((first != second).any()) == differs


def test_two_images_are_learnt_by_heart(trained: tuple[MaskRCNNSwin, list[float]]) -> None:
    _, totals = trained
    assert all(math.isfinite(total) for total in totals)
    assert np.mean(totals[-5:]) < 0.6 * np.mean(totals[:5])


@pytest.mark.parametrize("num_empty", [1, 2])
def test_images_without_plates_reach_every_weight(
    num_empty: int, training_set: Path, with_plates: list[int]
) -> None:
    """Parallel training waits for all gradients, whatever is in a batch."""
    torch.manual_seed(0)
    model = micro_model(kr_standard())
    batch = batch_of(model, training_set, *with_plates[:2])
    for target in batch["targets"][:num_empty]:
        target.update({key: value[:0] for key, value in target.items()})
    losses = _step(model, batch)
    assert all(math.isfinite(loss.item()) for loss in losses.values())
    assert (losses["loss_mask"].item() == 0) == (num_empty == 2)
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_parallel_training_finds_no_idle_weight(training_set: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'meeting'}", rank=0, world_size=1
    )
    try:
        model = micro_model(kr_standard()).train()
        parallel = DistributedDataParallel(model)
        # A weight without a gradient in the first step is an error in the second.
        for index in (0, 1, 2):
            sum(parallel(mode="loss", **batch_of(model, training_set, index)).values()).backward()
    finally:
        torch.distributed.destroy_process_group()


def test_gradients_add_up_over_steps_of_the_runner(training_set: Path) -> None:
    torch.manual_seed(0)
    model = micro_model(kr_standard()).train()
    batch = batch_of(model, training_set, 0, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    wrapper = OptimWrapper(optimizer, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    weight = model.rpn.head.cls_logits.weight
    seen = [weight.detach().clone()]
    for _ in range(4):
        log = model.train_step(batch, wrapper)
        assert set(log) == {*LOSSES, "loss"}
        seen.append(weight.detach().clone())
    moved = [bool((a != b).any()) for a, b in itertools.pairwise(seen)]
    assert moved == [False, True, False, True]


def test_losses_in_bfloat16_are_those_in_float32(training_set: Path) -> None:
    model = micro_model(kr_standard()).train()
    batch = batch_of(model, training_set, 0, 1)
    losses = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            losses.append(model(mode="loss", **batch))
    for name in ("loss_objectness", "loss_classifier"):
        plain, short = (each[name].item() for each in losses)
        assert short == pytest.approx(plain, rel=0.05), name


def test_a_seed_gives_the_same_weights(training_set: Path) -> None:
    torch.use_deterministic_algorithms(True)
    try:
        runs = []
        for _ in range(2):
            torch.manual_seed(7)
            np.random.seed(7)
            model = micro_model(kr_standard(), swin_drop_rate=0.2, drop_path=0.2)
            optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
            for _ in range(2):
                optimizer.zero_grad()
                _step(model, batch_of(model, training_set, 0, 1))
                optimizer.step()
            runs.append(model.state_dict())
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(runs[0][key], runs[1][key]) for key in runs[0])


def test_losses_are_weighted_by_name(training_set: Path) -> None:
    totals = []
    for weight in (1.0, 3.0):
        torch.manual_seed(0)
        model = micro_model(kr_standard(), loss_weights__loss_mask=weight).train()
        batch = batch_of(model, training_set, 0, 1)
        torch.manual_seed(1)
        totals.append(model(mode="loss", **batch))
    once, thrice = ({name: loss.item() for name, loss in each.items()} for each in totals)
    assert thrice["loss_mask"] == pytest.approx(3 * once["loss_mask"], rel=1e-5)
    assert thrice["loss_box_reg"] == once["loss_box_reg"]


def test_weights_have_torchvision_names() -> None:
    keys = micro_model(kr_standard()).state_dict().keys()
    swin = SwinTransformer([4, 4], 16, [2, 1, 1, 1], [1, 2, 4, 8], [7, 7]).features
    own = {key for key in keys if key.startswith("backbone.features.")}
    assert own == {f"backbone.features.{key}" for key in swin.state_dict()}
    assert {key.split(".")[0] for key in keys} == {"backbone", "rpn", "roi_heads"}


def test_head_sizes_follow_the_standard() -> None:
    assert micro_model(kr_standard()).head_sizes() == {"classes": (22, 22), "masks": (22, 22)}


def test_the_gpu_model_takes_a_swin_t(tmp_path: Path) -> None:
    torch.manual_seed(0)
    swin = swin_t(weights=None)
    path = tmp_path / "swin_t.pth"
    torch.save(swin.state_dict(), path)
    model = build_model(load_config("mask_rcnn_tiny")["model"], kr_standard())
    model.load_backbone(path)
    own = model.state_dict()
    for key, value in swin.features.state_dict().items():
        assert torch.equal(own[f"backbone.features.{key}"], value), key


def _swin(**changes: Any) -> dict[str, torch.Tensor]:
    sizes = {"embed_dim": 16, "depths": [2, 1, 1, 1], "window_size": [7, 7], **changes}
    weights: dict[str, torch.Tensor] = SwinTransformer(
        [4, 4], num_heads=[1, 2, 4, 8], **sizes
    ).state_dict()
    return weights


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_swin(window_size=[5, 5]), r"features\.1\.0\.attn\.relative_position_bias_table is of sh"),
        (_swin(embed_dim=32), r"features\.0\.0\.weight is of shape \(32, 3, 4, 4\)"),
        (_swin(depths=[2, 2, 1, 1]), r"has features\.3\.1\.\S+, which the model has not"),
        (_swin(depths=[1, 1, 1, 1]), r"has no features\.1\.1\."),
        ({"conv1.weight": torch.zeros(1)}, r"has no features\.0\.0\.weight"),
        ({"state_dict": {}}, "no state dict"),
        ([1, 2], "no state dict"),
        (b"no such thing", "damaged"),
        (None, "No such file"),
    ],
)
def test_other_backbones_are_refused(content: Any, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    model = micro_model(kr_standard())
    before = model.state_dict()["backbone.features.0.0.weight"].clone()
    with pytest.raises(ModelError, match=reason) as caught:
        model.load_backbone(path)
    assert str(path) in str(caught.value)
    assert torch.equal(model.state_dict()["backbone.features.0.0.weight"], before)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"input_size": [100, 96]}, "input_size"),
        ({"input_size": [96000, 96]}, "input_size"),
        ({"input_size": [96]}, "input_size"),
        ({"embed_dim": 0}, "embed_dim"),
        ({"depths": [2, 2]}, "depths"),
        ({"num_heads": [3, 3, 3, 3]}, "num_heads"),
        ({"swin_window_size": 0}, "swin_window_size"),
        ({"swin_drop_rate": 1.0}, "swin_drop_rate"),
        ({"fpn_channels": 20}, "fpn_channels"),
        ({"anchors__sizes": [[8], [16]]}, "anchors.sizes"),
        ({"anchors__sizes": [[8], [16], [32, 64], [64]]}, "anchors.sizes"),
        ({"anchors__ratios": []}, "anchors.ratios"),
        ({"proposals__after_nms_train": 0}, "proposals.after_nms_train"),
        ({"proposals__negative_iou": 0.9}, "proposals"),
        ({"loss_weights__loss_mask": -1.0}, "loss_weights.loss_mask"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(PlateflowError, match=rf"model\.{field}"):
        micro_model(kr_standard(), **changes)


def test_missing_and_unknown_settings_are_named() -> None:
    config = micro_config()
    del config["box_head"]["width"]
    with pytest.raises(PlateflowError, match=r"model\.box_head\.width is missing"):
        build_model(config, kr_standard())
    config = micro_config()
    config["detections"]["min_scor"] = 0.5
    with pytest.raises(PlateflowError, match=r"model\.detections\.min_scor: there is no such"):
        build_model(config, kr_standard())


@pytest.mark.parametrize("name", ["input_size", "depths", "box_head", "reading"])
def test_missing_and_unknown_settings_are_named_at_the_top_too(name: str) -> None:
    config = micro_config()
    value = config.pop(name)
    with pytest.raises(PlateflowError, match=rf"model\.{name}\S* is missing"):
        build_model(config, kr_standard())
    for unknown in (value, {}):
        with pytest.raises(PlateflowError, match=rf"model\.{name}s\S*: there is no such setting"):
            build_model({**config, name: value, f"{name}s": unknown}, kr_standard())


def _saved(model: MaskRCNNSwin, path: Path, **changes: Any) -> Path:
    described = description(micro_config(**changes), model.standard)
    torch.save({"state_dict": model.state_dict(), "plateflow": described}, path)
    return path


@pytest.fixture(scope="module")
def both(
    trained: tuple[MaskRCNNSwin, list[float]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[MaskRCNNSwin, OnnxDetector]:
    """The trained model, loaded from its checkpoint, and its export."""
    directory = tmp_path_factory.mktemp("model")
    checkpoint = _saved(trained[0], directory / "model.pth")
    export(checkpoint, directory / "exported")
    model = load_model(checkpoint)
    assert isinstance(model, MaskRCNNSwin)
    return model, OnnxDetector(directory / "exported", 1)


def test_the_exported_graph_gives_the_same(
    both: tuple[MaskRCNNSwin, OnnxDetector], training_set: Path, with_plates: list[int]
) -> None:
    model, exported = both
    for index in with_plates[:3]:
        inputs = batch_of(model, training_set, index)["images"]
        with torch.inference_mode():
            wanted = model.detect(inputs)
        found = exported.networks.run("detect", inputs.numpy())
        assert [array.shape for array in found] == [tuple(tensor.shape) for tensor in wanted]
        assert len(found[0]) > 3
        for array, tensor in zip(found, wanted, strict=True):
            assert array == pytest.approx(tensor.numpy(), abs=1e-3)


def test_the_exported_model_finds_the_same(
    both: tuple[MaskRCNNSwin, OnnxDetector], training_set: Path, with_plates: list[int]
) -> None:
    model, exported = both
    assert exported.has_masks
    assert exported.categories == model.categories == kr_standard().classes
    images = load_plate_images(training_set / "train.json", kr_standard())
    pictures = [load_image(images[index].path) for index in with_plates[:3]]
    for picture in [*pictures, np.zeros((7, 300, 3), np.uint8)]:
        (ours,), (theirs,) = model.find([picture]), exported.find([picture])
        assert ours.instances is not None
        assert theirs.instances is not None
        assert ours.instances.labels == theirs.instances.labels
        assert theirs.instances.scores == pytest.approx(ours.instances.scores, abs=1e-3)
        assert theirs.instances.boxes_xyxy == pytest.approx(ours.instances.boxes_xyxy, abs=1e-2)


def test_nothing_found_is_no_error_in_either_runtime(
    trained: tuple[MaskRCNNSwin, list[float]], tmp_path: Path
) -> None:
    checkpoint = _saved(trained[0], tmp_path / "model.pth", detections__min_score=1.0)
    export(checkpoint, tmp_path / "exported")
    picture = np.full((96, 128, 3), 90, np.uint8)
    for detector in (load_model(checkpoint), OnnxDetector(tmp_path / "exported", 1)):
        (found,) = detector.find([picture])
        assert found.readings == ()
        assert found.instances is not None
        assert len(found.instances) == 0
