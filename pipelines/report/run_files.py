"""What a run left in its directory, read into plain data; `write_report` names the files."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.runs import RunRecord, read_run
from sub_module.errors import RunError
from sub_module.plates import PlateReading

Curve = dict[int, float]
"""Value by training step."""

# mmengine names the folder of each start after the moment.
_START_FOLDER = re.compile(r"\d{8}_\d{6}")


@dataclass(frozen=True)
class Step:
    """One component of the run.

    Attributes:
        component: Its name.
        seconds: How long it took; 0 while it runs.
        finished: When, in seconds since the epoch; None while it runs.
        metrics: Name to number.
        outputs: Name to path, relative to the volume.
        error: Why it failed; None when it did not.
    """

    component: str
    seconds: float
    finished: float | None
    metrics: dict[str, Any]
    outputs: dict[str, Any]
    error: str | None


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
        record: Its pipeline, version and overrides; None when it was not started by a backend.
        volume: The directory that the outputs of its steps are relative to.
        config: The resolved config.
        steps: In the order in which they started.
        curves: By name, such as `loss`, or `detector/loss` where several models are trained.
        images: Empty when the run did not come to its test.
        test_metrics: As the test wrote them.
    """

    name: str
    record: RunRecord | None
    volume: Path
    config: dict[str, Any]
    steps: tuple[Step, ...]
    curves: dict[str, Curve]
    images: tuple[TestImage, ...]
    test_metrics: dict[str, Any]


def read_files(run_dir: Path) -> RunFiles:
    """Read a run's directory; only `config.json` must be there.

    Raises:
        RunError: It is not the directory of a run, or one of its files is damaged.
    """
    if not (run_dir / "config.json").is_file():
        raise RunError(f"{run_dir}: not the directory of a run (config.json is missing)")
    test = run_dir / "test" / "readings.json"
    results = _read_json(test) if test.is_file() else {}
    try:
        return RunFiles(
            name=run_dir.resolve().name,
            record=read_run(run_dir),
            volume=run_dir.resolve().parents[1],
            config=_read_json(run_dir / "config.json"),
            steps=_read_steps(run_dir / "steps"),
            curves=_read_curves(run_dir / "train"),
            images=tuple(_test_image(image, run_dir) for image in results.get("images", [])),
            test_metrics=results.get("metrics", {}),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{run_dir}: the run's files do not fit together: {error!r}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise RunError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: a JSON object is expected")
    return content


def _read_steps(folder: Path) -> tuple[Step, ...]:
    states = [_read_json(path) for path in folder.glob("*.json")]
    states.sort(key=lambda state: state["started"])
    return tuple(
        Step(
            component=state["component"],
            seconds=float(state.get("seconds") or 0),
            finished=state.get("finished"),
            metrics=dict(state.get("metrics") or {}),
            outputs=dict(state.get("outputs") or {}),
            error=state.get("error"),
        )
        for state in states
    )


def _test_image(image: dict[str, Any], run_dir: Path) -> TestImage:
    return TestImage(
        path=run_dir / image["file"],
        truth=tuple(_reading(reading) for reading in image["truth"]),
        readings=tuple(_reading(reading) for reading in image["readings"]),
    )


def _reading(values: dict[str, Any]) -> PlateReading:
    x1, y1, x2, y2 = values["box"]
    first, second, third, fourth = ((float(x), float(y)) for x, y in values["corners"])
    return PlateReading(
        **{**values, "box": (x1, y1, x2, y2), "corners": (first, second, third, fourth)}
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
