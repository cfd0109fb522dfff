"""A pipeline of two steps that do what a test asks them to."""

# KFP reads annotations as they are at run time, so they are no strings here.

from typing import Any

from kfp import dsl

from pipelines.registry import Package, compiled

CONFIG = {
    "name": "tiny",
    "first": {"does": "count", "number": 3},
    "second": {"does": "count", "number": 4},
    "dataset": {"annotations": None, "draw": {"photos": None}},
}


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def first(
    run: str,
    volume: str,
    config: str,
    overrides: dict[str, Any],
    numbers: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    from components.step import Step, run_step
    from tests.pipelines.tiny_work import work

    step, outputs = Step("first", volume, run), {"numbers": numbers}
    resolve = (config, overrides)
    run_step(step, lambda: work(step), outputs=outputs, metrics=metrics, resolve=resolve)


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def second(
    run: str, volume: str, numbers: dsl.Input[dsl.Dataset], more: dsl.Output[dsl.Dataset]
) -> None:
    from components.step import Step, run_step
    from tests.pipelines.tiny_work import work

    step = Step("second", volume, run)
    run_step(step, lambda: work(step), inputs=[numbers], outputs={"numbers": more})


@dsl.pipeline(name="tiny")
def tiny(run: str, volume: str, config: str, overrides: dict[str, Any]) -> None:
    made = first(run=run, volume=volume, config=config, overrides=overrides)
    second(run=run, volume=volume, numbers=made.outputs["numbers"])


def tiny_package(version: str = "v1", **changes: Any) -> Package:
    """The pipeline as a version; `changes` replace top-level keys of its config."""
    return Package("tiny", version, compiled(tiny), {**CONFIG, **changes})
