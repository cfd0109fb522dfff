"""The component `test`: the best model reads the test images."""

from kfp import dsl


@dsl.component(base_image="plateflow-python:0.1.0", install_kfp_package=False)  # type: ignore[untyped-decorator]
def test(
    run: str,
    volume: str,
    training_set: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    readings: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Readings as JSON, annotated pictures, and the figures on images that training never saw."""
    from components.publish import publishing
    from components.step import Result, Step, run_step
    from components.test.readings import read_test_images

    step = Step("test", volume, run)

    def work() -> Result:
        test_set = step.path_of(training_set) / "test.json"
        with publishing(step, training_set):
            file, scores = read_test_images(step, step.path_of(model), test_set)
        return Result({"readings": file}, scores)

    inputs = [training_set, model]
    run_step(step, work, inputs=inputs, outputs={"readings": readings}, metrics=metrics)
