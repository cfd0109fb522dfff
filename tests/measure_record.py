"""The record step's figures of docs/benchmarks.md: `python -m tests.measure_record`.

Nothing else should run on the machine meanwhile. Prints one Markdown row a figure:
how fast an annotation set is validated and recorded, how that compares with a loop in the style of
labelme's example labelme2coco, and what memory a large set takes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from dataset_tools.draw import draw_dataset
from dataset_tools.record import record
from dataset_tools.validation import validate
from sub_module.engine.config import load_config
from sub_module.machine import num_cores
from sub_module.plates import PlateStandard

# The example's loop is slow: it has its rate after so many.
NUM_IN_LOOP = 1000
# Different images and label files of the generated sets; the rest are links and copies.
NUM_KINDS = 64


def main() -> None:
    """Measure speed on a drawn set, then memory on generated ones."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--records", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--drawn", type=Path, help="a drawn set, rather than a new one")
    parser.add_argument("--only-record", type=Path, help="record this generated set, print memory")
    arguments = parser.parse_args()
    config = load_config("plate_training")
    standard = PlateStandard.from_config(config["plates"])
    if arguments.only_record:
        _record_and_print(arguments.only_record, standard, config["dataset"])
        return
    print("| figure | measured |\n|---|---|")
    # Beside what is linked: links do not reach from one file system to another.
    beside = arguments.drawn.parent if arguments.drawn else None
    with tempfile.TemporaryDirectory(dir=beside) as folder:
        drawn = arguments.drawn or Path(folder, "drawn")
        if not arguments.drawn:
            dataset = config["dataset"]
            draw_dataset(drawn, arguments.images, 1, standard, dataset["draw"], dataset["split"])
        _speed(drawn, Path(folder), standard, config["dataset"])
        for num_records in arguments.records:
            _memory(drawn, Path(folder, str(num_records)), num_records)


def _row(figure: str, measured: str) -> None:
    print(f"| {figure} | {measured} |", flush=True)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that pass, and seconds of all cores, of this process and those that it starts."""

    def cpu_seconds() -> float:
        usages = [
            resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    start, cpu_start = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - start, cpu_seconds() - cpu_start


def _speed(drawn: Path, folder: Path, standard: PlateStandard, settings: dict[str, Any]) -> None:
    num_images = len(list(drawn.rglob("*.jpg")))

    def measure(what: str, number: int, work: Callable[[], object]) -> float:
        """Images a second."""
        seconds, cpu = _timed(work)
        each = f"{number / seconds:.0f} images/s, {cpu / number * 1000:.2f} ms of a core an image"
        _row(f"{what}, {number:,} images", each)
        return number / seconds

    measure("validate", num_images, lambda: validate(drawn, standard))
    ours = measure("record", num_images, lambda: record(drawn, folder / "set", standard, settings))
    label_files = sorted(drawn.rglob("*.json"))[:NUM_IN_LOOP]
    for is_encoding, how in ((True, "pictures encoded again"), (False, "pictures linked")):
        out = folder / f"loop-{is_encoding}"

        def loop(out: Path = out, is_encoding: bool = is_encoding) -> None:
            _labelme2coco(label_files, out, standard, is_encoding)

        theirs = measure(f"loop like labelme2coco, {how}", len(label_files), loop)
        _row(f"record over that loop, {how}", f"{ours / theirs:.1f} times as fast")


def _labelme2coco(
    label_files: list[Path], out: Path, standard: PlateStandard, is_encoding: bool
) -> None:
    """One file after the other; each shape becomes a mask, which gives its area and its box.

    As the example does it, but for merging shapes of one group: ours are all on their own.
    """
    (out / "images").mkdir(parents=True)
    category_ids = {label: i for i, label in enumerate(standard.classes, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, label_file in enumerate(label_files, start=1):
        label = json.loads(label_file.read_text())
        picture = Image.open(label_file.parent / label["imagePath"]).convert("RGB")
        pixels = np.asarray(picture)
        target = out / "images" / f"{label_file.stem}.jpg"
        if is_encoding:
            Image.fromarray(pixels).save(target)
        else:
            os.link(label_file.parent / label["imagePath"], target)
        height, width = pixels.shape[:2]
        images.append({"id": image_id, "file_name": target.name, "width": width, "height": height})
        for shape in label["shapes"]:
            canvas = Image.new("L", (width, height), 0)
            points = [(x, y) for x, y in shape["points"]]
            ImageDraw.Draw(canvas).polygon(points, fill=1, outline=1)
            encoded = coco_mask.encode(np.asfortranarray(np.array(canvas, dtype=np.uint8)))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": category_ids[shape["label"]],
                    "segmentation": [np.asarray(shape["points"]).flatten().tolist()],
                    "area": float(coco_mask.area(encoded)),
                    "bbox": coco_mask.toBbox(encoded).flatten().tolist(),
                    "iscrowd": 0,
                }
            )
    coco = {"images": images, "annotations": annotations}
    (out / "annotations.json").write_text(json.dumps(coco))


def _memory(drawn: Path, folder: Path, num_records: int) -> None:
    """Records a generated set in a process of its own, which prints its peak memory."""
    sources = sorted(drawn.rglob("*.json"))[:NUM_KINDS]
    labels = [json.loads(source.read_text()) for source in sources]
    (folder / "set").mkdir(parents=True)
    for i in range(num_records):
        source, label = sources[i % len(sources)], labels[i % len(sources)]
        name = f"{i:06d}.jpg"
        os.link(source.parent / label["imagePath"], folder / "set" / name)
        text = json.dumps(label | {"imagePath": name})
        (folder / "set" / name).with_suffix(".json").write_text(text)
    command = [sys.executable, "-m", "tests.measure_record", "--only-record", str(folder / "set")]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    _row(f"memory, {num_records:,} records", ran.stdout.strip())


def _record_and_print(annotations: Path, standard: PlateStandard, settings: dict[str, Any]) -> None:
    out = annotations.with_name("recorded")
    seconds, _ = _timed(lambda: record(annotations, out, standard, settings))
    own, largest = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    coco_mib = sum(file.stat().st_size for file in out.glob("*.json")) / 2**20
    # Each of its processes counts the modules that they share as its own.
    number = num_cores()
    print(
        f"at most {own + number * largest:.0f} MiB: {own:.0f}, and {largest:.0f} in each of "
        f"{number} processes; "
        f"{coco_mib:.0f} MiB of COCO in {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
