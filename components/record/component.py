"""The component `record`: an annotation set, drawn if none is given, becomes a training set."""

from typing import Any

from kfp import dsl


@dsl.component(base_image="plateflow-python:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def record(
    run: str,
    volume: str,
    config: str,
    overrides: dict[str, Any],
    training_set: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Labelme to COCO, both as versions; the run's first step also resolves its config."""
    from components.publish import publishing
    from components.record.annotations import annotation_set
    from components.record.versions import record_versions
    from components.step import Result, Step, run_step

    step = Step("record", volume, run)

    def work() -> Result:
        with publishing(step) as publish:
            publish.store.check()
            source = annotation_set(step.config, step.volume, step.progress)
            summary, tags = record_versions(step, source, publish.catalog)
        counts = {f"num_images_{split}": n for split, n in summary.num_images.items()}
        counts["num_rejected"] = summary.num_rejected
        return Result({"training_set": step.folder}, counts, tags)

    outputs = {"training_set": training_set}
    run_step(step, work, outputs=outputs, metrics=metrics, resolve=(config, overrides))
