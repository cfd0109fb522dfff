"""The component `deploy`: the best model, exported and checked, becomes the model in use."""

from kfp import dsl


@dsl.component(base_image="plateflow-python-deploy:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def deploy(
    run: str,
    volume: str,
    training_set: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    deployed: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Export to ONNX, compare with the checkpoint, gate on EIR, put in place."""
    from components.deploy.gate import check_eir
    from components.deploy.release import export_checked, put_in_place
    from components.step import Result, Step, run_step

    step = Step("deploy", volume, run)

    def work() -> Result:
        splits = step.path_of(training_set)
        exported, different = export_checked(step, step.path_of(model), splits / "val.json")
        scores = check_eir(step, exported, splits / "test.json") | {"read_otherwise": different}
        return Result({"deployed": put_in_place(exported, step.volume / "models", run)}, scores)

    inputs = [training_set, model]
    run_step(step, work, inputs=inputs, outputs={"deployed": deployed}, metrics=metrics)
