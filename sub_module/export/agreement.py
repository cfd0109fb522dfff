"""The proof that an exported model reads as its checkpoint does."""

from __future__ import annotations

from pathlib import Path

from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.engine.infer import load_detector
from sub_module.errors import ModelError
from sub_module.plates.reading import texts_of
from sub_module.progress import Progress, silent


def check_same_readings(
    checkpoint: Path,
    exported: Path,
    coco_file: Path,
    max_different: float,
    progress: Progress = silent,
) -> float:
    """Read images with both models and compare layouts and texts.

    The two compute the same to about six digits. That can still turn over a reading about which
    the model is in doubt, so a small share of images may differ.

    Args:
        checkpoint: The model as trained.
        exported: The directory that `export` wrote.
        coco_file: A recorded set of the model's plate standard.
        max_different: The largest share of images that may be read otherwise, 0 to 1.
        progress: Told of images.

    Returns:
        The share of images that are read otherwise.

    Raises:
        ModelError: It is larger than `max_different`.
    """
    trained, deployed = load_detector(checkpoint), load_detector(exported)
    images = load_plate_images(coco_file, trained.standard)
    different = []
    for done, record in enumerate(images, start=1):
        image = load_image(record.path)
        wanted, found = (texts_of(model.predict([image])[0]) for model in (trained, deployed))
        if wanted != found:
            different.append(record.path.name)
        progress(done, len(images), "comparing")
    share = len(different) / max(len(images), 1)
    if share > max_different:
        raise ModelError(
            f"{exported}: reads {len(different)} of {len(images)} images otherwise than "
            f"{checkpoint.name} (allowed: {max_different:.1%}), such as {different[0]}"
        )
    return share
