"""What a run left in its directory, read into plain data; `write_report` names the files."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.records import RunRecord, StepRecord, pipeline_of, read_run, read_steps
from components.report.evaluation import EvaluationFiles, read_evaluation
from sub_module.engine.config import load_config
from sub_module.errors import DataError, RunError
from sub_module.files import read_json
from sub_module.plates import PlateReading

Curve = dict[int, float]
"""Value by training step."""

# mmengine names the folder of each start after the moment.
_START_FOLDER = re.compile(r"\d{8}_\d{6}")


@dataclass(frozen=True)
class TestImage:
    """One image of the test: its plates, and what the model read."""

    __test__ = False  # Not for pytest to collect.

    path: Path
    truth: tuple[PlateReading, ...]
    readings: tuple[PlateReading, ...]


@dataclass(frozen=True)
class RunFiles:
    """One run.

    Attributes:
        name: Of the run's directory.
        record: Its pipeline, version and overrides.
        volume: The directory that the outputs of its steps are relative to.
        config: The resolved config.
        steps: In the order in which they started, without the one that writes the report.
        curves: By name, such as `loss`, or `detector/loss` where several models are trained.
        evaluation: What the evaluate step left beside its figures.
        images: Empty when the run did not come to its test.
        test_metrics: As the test wrote them.
        rejected: `file` and `reason` of what the record step left out.
        rejected_file: Which holds all of these; None when the run has no such file.
    """

    name: str
    record: RunRecord
    volume: Path
    config: dict[str, Any]
    steps: tuple[StepRecord, ...]
    curves: dict[str, Curve]
    evaluation: EvaluationFiles
    images: tuple[TestImage, ...]
    test_metrics: dict[str, Any]
    rejected: tuple[dict[str, str], ...]
    rejected_file: Path | None


def read_files(run_dir: Path) -> RunFiles:
    """Read a run's directory; only `config.json` must be there.

    Raises:
        RunError: It is not the directory of a run.
        ConfigError: Its config is damaged.
        DataError: Another of its files is.
    """
    config_file = run_dir / "config.json"
    if not config_file.is_file():
        raise RunError(f"{run_dir}: not the directory of a run (config.json is missing)")
    run_dir = run_dir.resolve()
    config, steps = load_config(str(config_file)), tuple(read_steps(run_dir).values())
    images, test_metrics = _read_test(run_dir)
    rejected_file = run_dir / "record" / "rejected.json"
    return RunFiles(
        name=run_dir.name,
        record=read_run(run_dir) or _record_of(run_dir, config, steps),
        volume=run_dir.parents[1],
        config=config,
        steps=tuple(step for step in steps if step.component != "report"),
        curves=_read_curves(run_dir / "train"),
        evaluation=read_evaluation(run_dir),
        images=images,
        test_metrics=test_metrics,
        rejected=_read_rejected(rejected_file),
        rejected_file=rejected_file if rejected_file.is_file() else None,
    )


def _record_of(run_dir: Path, config: dict[str, Any], steps: tuple[StepRecord, ...]) -> RunRecord:
    """What the steps know of a run that no backend noted, as on a cluster."""
    pipeline, version = pipeline_of(run_dir, config)
    return RunRecord(run_dir.name, pipeline, version, steps[0].overrides if steps else {})


def _read_rejected(file: Path) -> tuple[dict[str, str], ...]:
    try:
        return tuple(
            {"file": str(problem["file"]), "reason": str(problem["reason"])}
            for problem in read_json(file) or ()
        )
    except (KeyError, TypeError) as error:
        raise DataError(f"{file}: damaged: {error!r}") from error


def _read_test(run_dir: Path) -> tuple[tuple[TestImage, ...], dict[str, Any]]:
    file = run_dir / "test" / "readings.json"
    results = read_json(file)
    if results is None:
        return (), {}
    try:
        images = tuple(_test_image(image, run_dir) for image in results["images"])
        return images, dict(results["metrics"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: damaged: {error!r}") from error


def _test_image(image: dict[str, Any], run_dir: Path) -> TestImage:
    return TestImage(
        path=run_dir / image["file"],
        truth=tuple(map(PlateReading.from_dict, image["truth"])),
        readings=tuple(map(PlateReading.from_dict, image["readings"])),
    )


def _read_curves(folder: Path) -> dict[str, Curve]:
    """All finite scalars; of an iteration that a resumed training did again, the later ones."""
    curves: dict[str, Curve] = defaultdict(dict)
    for path in sorted(folder.glob("**/vis_data/scalars.json")):
        parts = path.relative_to(folder).parts[:-2]
        model = "/".join(part for part in parts if not _START_FOLDER.fullmatch(part))
        step = 0
        for line in path.read_text("utf-8").splitlines():
            scalars = _scalars(line)
            # Validation counts epochs in `step`, training counts iterations: only the latter has
            # `iter`, and a validation belongs to the iteration before it.
            step = int(scalars.pop("iter", step))
            for name in scalars.keys() - {"step", "epoch"}:
                curves[f"{model}/{name}" if model else name][step] = scalars[name]
    return {name: dict(sorted(curve.items())) for name, curve in sorted(curves.items())}


def _scalars(line: str) -> dict[str, float]:
    try:
        values = json.loads(line)
    except ValueError:  # The last line of a run that was killed while it wrote.
        return {}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }
