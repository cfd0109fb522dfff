"""The component `deploy`: the best model, exported and checked, becomes the model in use."""

from kfp import dsl


@dsl.component(base_image="plateflow-python:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def deploy(
    run: str,
    volume: str,
    training_set: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    deployed: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Export to ONNX, compare with the checkpoint, gate on EIR, put in store, place, service."""
    from components.deploy.gate import check_eir
    from components.deploy.place import put_in_place
    from components.deploy.release import export_checked
    from components.deploy.service import put_in_service
    from components.publish import publishing
    from components.step import Result, Step, run_step

    step = Step("deploy", volume, run)

    def work() -> Result:
        splits, checkpoint = step.path_of(training_set), step.path_of(model)
        with publishing(step, training_set) as publish:
            exported, different = export_checked(step, checkpoint, splits / "val.json")
            scores = check_eir(step, exported, splits / "test.json") | {"read_otherwise": different}
            url = publish.model(exported)
            target = put_in_place(exported, step.volume / "models", run)
            published = {"model": url, **put_in_service(target, url)}
            publish.deployed(url, checkpoint, scores)
        return Result({"deployed": target}, scores, published)

    inputs = [training_set, model]
    run_step(step, work, inputs=inputs, outputs={"deployed": deployed}, metrics=metrics)
