"""Pictures of what the model reads on validation images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from numpy.typing import NDArray

from sub_module.files import write_bytes
from sub_module.plates import PlateStandard
from sub_module.plates.picture import annotate, outlined

_MAX_SIDE_PX = 640


class PictureHook(Hook):  # type: ignore[misc]
    """Draws the findings on some validation images, the same ones at each validation.

    TensorBoard keeps those of all validations, `<work_dir>/pictures` the newest.
    """

    def __init__(
        self, num_pictures: int, names: Mapping[int, str], standard: PlateStandard
    ) -> None:
        """Draw on the first `num_pictures` images; `names` has a file name for each image id."""
        self._num_pictures = num_pictures
        self._names = names
        self._standard = standard

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Mapping[str, Any] | None = None,
        outputs: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Called by the Runner; validation takes one image at a time."""
        if batch_idx >= self._num_pictures or not is_main_process() or not (data_batch and outputs):
            return
        for image, output in zip(data_batch["images"], outputs, strict=True):
            found = output["findings"]
            drawn = outlined(image, found.instances, self._standard)
            picture = _small(annotate(drawn, found.readings, self._standard))
            name = self._names[output["image_id"]]
            board = runner.visualizer.get_backend("TensorboardVisBackend")
            board.add_image(f"val/{name}", picture, runner.iter)
            _, jpeg = cv2.imencode(".jpg", picture[..., ::-1])
            write_bytes(Path(runner.work_dir, "pictures", f"{name}.jpg"), jpeg.tobytes())


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = _MAX_SIDE_PX / max(picture.shape[:2])
    if scale >= 1:
        return picture
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
