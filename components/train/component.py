"""The component `train`: a training set becomes candidate models."""

from kfp import dsl


@dsl.component(base_image="plateflow-python:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def train(
    run: str,
    volume: str,
    training_set: dsl.Input[dsl.Dataset],
    candidates: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """mmengine's Runner; killed and started again, it goes on where it was."""
    from components.publish import publishing
    from components.step import Result, Step, run_step
    from components.user_data import with_weight_files
    from sub_module.engine.train import train as train_model

    step = Step("train", volume, run)

    def work() -> Result:
        with publishing(step, training_set) as publish:
            publish.store.check()
            config = with_weight_files(step.config, step.volume)
            result = train_model(config, step.path_of(training_set), step.folder, step.progress)
            publish.checkpoints({path: {} for path in result.candidates})
        found = step.write_paths("candidates", result.candidates)
        return Result({"candidates": found}, result.metrics)

    outputs = {"candidates": candidates}
    run_step(step, work, inputs=[training_set], outputs=outputs, metrics=metrics)
