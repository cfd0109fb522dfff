"""`write_report`: everything of a run gathered into its page and its JSON file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.report.charts import precision_chart, reliability_chart, training_charts
from components.report.confusion import confusion_table
from components.report.evaluation import HardImage
from components.report.run_files import RunFiles, read_files
from components.report.samples import Pieces, Sample, picture_of, pieces_of, sample
from components.report.summary import summarize
from components.report.template import template
from components.report.trust import trust
from sub_module.files import write_json, write_text
from sub_module.metrics.calibration import Reliability
from sub_module.metrics.readings import Match, Outcome, ReadingScores, score_readings
from sub_module.plates import PlateStandard
from sub_module.plates.geometry import box_iou

_MAX_SAMPLES = 12
# Up to which a plate counts as not read, so that it is marked itself.
_MAX_OVERLAP = 0.5
_OUTCOMES: tuple[Outcome, ...] = ("wrong", "missed", "false", "right")


@dataclass(frozen=True)
class _HardRow:
    """A row of the table of the hardest images; `picture` is a data URL or None."""

    image: HardImage
    picture: str | None
    truth: tuple[Pieces, ...]
    read: tuple[Pieces, ...]


def write_report(run_dir: Path) -> Path:
    """Write `report.html` and `report.json` into a run's directory.

    Reads `config.json`, and as far as the run came `run.json`, `steps/*.json`, the training's
    scalars (`train/**/vis_data/scalars.json`), `record/rejected.json`, `candidates.json`,
    `pr_curves.json`, `hardest.json` and `calibration.json` of `evaluate/`, and
    `test/readings.json` with its images.

    Returns:
        The page: one file that needs no other.

    Raises:
        RunError: It is not the directory of a run.
        ConfigError: Its config or its plate standard cannot be used.
        DataError: Another of its files is damaged.
    """
    run = read_files(run_dir)
    standard = _standard(run)
    scores = score_readings(
        [image.truth for image in run.images], [image.readings for image in run.images]
    )
    curves = trust(run, scores)
    summary = summarize(run) | {"ece": {name: curve.ece for name, curve in curves.items()}}
    page = _page(run, summary, scores, curves, standard)
    write_json(run_dir / "report.json", summary)
    write_text(run_dir / "report.html", page)
    return run_dir / "report.html"


def _page(
    run: RunFiles,
    summary: dict[str, Any],
    scores: ReadingScores,
    curves: dict[str, Reliability],
    standard: PlateStandard | None,
) -> str:
    matches = {outcome: _of(scores.matches, outcome) for outcome in _OUTCOMES}
    return template("report.html.j2").render(
        summary=summary,
        scores=scores,
        num_images=len(run.images),
        num_rejected=len(run.rejected),
        finished=_finished(run),
        measured=[step for step in run.steps if step.metrics and step.component != "record"],
        candidates=run.evaluation.candidates,
        precision=precision_chart(run.evaluation.curves),
        hardest=[_hard_row(image, standard) for image in run.evaluation.hardest if standard],
        charts=training_charts(run.curves),
        reliability=reliability_chart(curves),
        trusted=curves,
        confusion=confusion_table(scores.confusion, standard) if standard else None,
        numbers={outcome: len(matches[outcome]) for outcome in _OUTCOMES},
        samples={
            outcome: [_sample(run, match, standard) for match in _spread(matches[outcome])]
            for outcome in _OUTCOMES
            if standard is not None
        },
    )


def _standard(run: RunFiles) -> PlateStandard | None:
    """None: the run shows no plate, and its config may have been cut to nothing."""
    if not run.images and not run.evaluation.hardest:
        return None
    return PlateStandard.from_config(run.config["plates"])


def _hard_row(image: HardImage, standard: PlateStandard) -> _HardRow:
    boxes = [reading.box for reading in image.readings]
    missed = [
        plate
        for plate in image.truth
        if all(box_iou(plate.box, box) < _MAX_OVERLAP for box in boxes)
    ]
    truth, read = ([plate.text for plate in plates] for plates in (image.truth, image.readings))
    return _HardRow(
        image=image,
        picture=picture_of(image.path, [*image.readings, *missed], standard),
        truth=pieces_of(truth, read),
        read=pieces_of(read, truth),
    )


def _of(matches: Sequence[Match], outcome: Outcome) -> list[Match]:
    return [match for match in matches if match.outcome == outcome]


def _spread(matches: Sequence[Match]) -> list[Match]:
    """At most `_MAX_SAMPLES`, evenly over the whole test."""
    count = min(_MAX_SAMPLES, len(matches))
    return [matches[number * len(matches) // count] for number in range(count)]


def _sample(run: RunFiles, match: Match, standard: PlateStandard) -> Sample:
    image = run.images[match.image]
    truth = None if match.truth is None else image.truth[match.truth]
    reading = None if match.reading is None else image.readings[match.reading]
    return sample(image.path, truth, reading, standard)


def _finished(run: RunFiles) -> str:
    moments = [step.finished for step in run.steps if step.finished is not None]
    return f"{datetime.fromtimestamp(max(moments), UTC):%d %B %Y, %H:%M UTC}" if moments else ""
