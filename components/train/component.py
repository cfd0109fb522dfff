"""The component `train`: a training set becomes candidate models."""

from kfp import dsl


@dsl.component(base_image="plateflow-python-train:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def train(
    run: str,
    volume: str,
    training_set: dsl.Input[dsl.Dataset],
    candidates: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """mmengine's Runner; killed and started again, it goes on where it was."""
    from components.step import Result, Step, run_step
    from components.train.training import train_candidates

    step = Step("train", volume, run)

    def work() -> Result:
        return train_candidates(step, step.path_of(training_set))

    outputs = {"candidates": candidates}
    run_step(step, work, inputs=[training_set], outputs=outputs, metrics=metrics)
