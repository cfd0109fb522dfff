"""The component `record`: an annotation set, drawn if none is given, becomes a training set."""

from typing import Any

from kfp import dsl


@dsl.component(base_image="plateflow-python-record:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def record(
    run: str,
    volume: str,
    config: str,
    overrides: dict[str, Any],
    training_set: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Labelme to COCO; the run's first step also resolves its config."""
    from components.record.annotations import annotation_set
    from components.step import Result, Step, run_step
    from dataset_tools.record import record as record_set

    step = Step("record", volume, run)

    def work() -> Result:
        source = annotation_set(step.config, step.volume, step.progress)
        out, settings = step.empty_folder(), step.config["dataset"]
        summary = record_set(source, out, step.standard, settings, progress=step.progress)
        counts = {f"num_images_{split}": n for split, n in summary.num_images.items()}
        return Result({"training_set": out}, {**counts, "num_rejected": len(summary.rejected)})

    outputs = {"training_set": training_set}
    run_step(step, work, outputs=outputs, metrics=metrics, resolve=(config, overrides))
