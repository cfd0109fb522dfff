"""The component `evaluate`: the best of the trained candidates, by the configured keys."""

from kfp import dsl


@dsl.component(base_image="plateflow-python:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def evaluate(
    run: str,
    volume: str,
    training_set: dsl.Input[dsl.Dataset],
    candidates: dsl.Input[dsl.Model],
    best: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """mAP, dv_mAP and EIR on the validation images; curves and the hardest images of the best."""
    from components.evaluate.calibration import write_calibration
    from components.evaluate.candidates import best_candidate, figures_of
    from components.evaluate.curves import precision_curves, write_curves
    from components.evaluate.hardest import write_hardest
    from components.publish import publishing
    from components.step import Result, Step, run_step

    step = Step("evaluate", volume, run)

    def work() -> Result:
        val, own = step.path_of(training_set) / "val.json", step.read_paths(candidates)
        with publishing(step, training_set) as publish:
            checkpoint, scores, found = best_candidate(step, own, val)
            write_curves(step.folder, precision_curves(found, step.standard))
            write_hardest(step, found)
            write_calibration(step, found)
            publish.checkpoints(figures_of(step, [*own, checkpoint]))
        return Result({"best": checkpoint}, scores)

    inputs = [training_set, candidates]
    run_step(step, work, inputs=inputs, outputs={"best": best}, metrics=metrics)
