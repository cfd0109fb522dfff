"""What versions cost the record step: `python -m tests.measure_versions --images 4000`.

Draws a set with the main job's settings into a home of its own, then takes the time of recording
alone, of the record step's work with versions, and of the same work again, when all is there.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from components.publish import publishing
from components.record.annotations import annotation_set
from components.record.versions import record_versions
from components.run_config import run_config
from components.step import Step
from dataset_tools.record import record
from sub_module.files import write_json


def main() -> None:
    """Print a line for each of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--home", type=Path, help="Kept; default: a temporary directory.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _measure(arguments.home or Path(folder, "home"), arguments.images)


def _measure(home: Path, num_images: int) -> None:
    step = Step("record", str(home), "measured-v1-00000000")
    config = run_config("plate_training", {"dataset.draw.num_images": num_images})
    write_json(step.run_dir / "config.json", config)

    def drawing() -> None:
        annotation_set(step.config, step.volume)

    def recording() -> None:
        out = step.empty_folder()
        record(annotation_set(step.config, step.volume), out, step.standard, config["dataset"])

    def publishing_too() -> None:
        with publishing(step) as publish:
            publish.store.check()
            source = annotation_set(step.config, step.volume)
            print("   ", record_versions(step, source, publish.catalog)[1])

    _timed(f"drawing {num_images} images", drawing)
    _timed("recording alone", recording)
    _timed("the record step, new versions", publishing_too)
    _timed("the record step, versions that are there", publishing_too)


def _timed(what: str, work: Callable[[], None]) -> None:
    began, cpu = time.perf_counter(), _cpu_seconds()
    work()
    seconds = time.perf_counter() - began
    load = os.getloadavg()[0]
    used = _cpu_seconds() - cpu
    print(f"{what}: {seconds:.1f} s ({used:.1f} s of the processor; load {load:.1f})", flush=True)


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
