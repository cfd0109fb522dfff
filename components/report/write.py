"""`write_report`: everything of a run gathered into its page and its JSON file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.report.charts import precision_chart, training_charts
from components.report.confusion import confusion_table
from components.report.evaluation import HardImage
from components.report.run_files import RunFiles, read_files
from components.report.samples import Pieces, Sample, picture_of, pieces_of, sample
from components.report.summary import summarize
from sub_module.files import write_json, write_text
from sub_module.metrics.readings import Match, Outcome, ReadingScores, score_readings
from sub_module.plates import PlateStandard
from sub_module.plates.geometry import box_iou

_MAX_SAMPLES = 12
_ABSENT = "\N{EN DASH}"
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
    `pr_curves.json` and `hardest.json` of `evaluate/`, and `test/readings.json` with its images.

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
    summary = summarize(run)
    page = _page(run, summary, scores, standard)
    write_json(run_dir / "report.json", summary)
    write_text(run_dir / "report.html", page)
    return run_dir / "report.html"


def _page(
    run: RunFiles, summary: dict[str, Any], scores: ReadingScores, standard: PlateStandard | None
) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": _duration, "figure": _figure, "share": _share}
    matches = {outcome: _of(scores.matches, outcome) for outcome in _OUTCOMES}
    return environment.get_template("report.html.j2").render(
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


def _duration(seconds: float) -> str:
    """`4 min 12 s`, `8.3 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def _share(value: float | None) -> str:
    """`98.8 %`; a dash for what there is not."""
    return _ABSENT if value is None else f"{100 * value:.1f} %"


def _figure(value: Any) -> str:
    """A number as short as it stays exact enough; a dash for what there is not."""
    if value is None:
        return _ABSENT
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)
