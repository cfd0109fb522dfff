"""The main job: from an annotation set to a model in use.

`python -m pipelines.plate_training [CONFIG] [--backend kubeflow [--code volume]]` prints it
compiled; that renews the tests' golden files.
"""

from typing import Any

from kfp import dsl

from components.deploy.component import deploy
from components.evaluate.component import evaluate
from components.record.component import record
from components.report.component import report
from components.test.component import test
from components.train.component import train
from pipelines.placement import Placing


def plate_training(placing: Placing | None = None) -> Any:
    """The pipeline: record, train, evaluate, test, deploy and report in one shared volume.

    Args:
        placing: How its tasks run on a cluster; None: on this machine.

    Raises:
        ConfigError: `placing` has no place for a task.
    """

    @dsl.pipeline(name="plate-training")  # type: ignore[untyped-decorator]
    def pipeline(run: str, volume: str, config: str, overrides: dict[str, Any]) -> None:
        """Record, train, evaluate, test, deploy and report in one shared volume.

        Args:
            run: Name of the run; its files lie in `runs/<run>` of the volume.
            volume: Where the volume is mounted.
            config: Name of a pipeline config, or its path on the volume; `compiled`: the one that
                the version was uploaded with.
            overrides: Dotted config key to value.
        """
        recorded = record(run=run, volume=volume, config=config, overrides=overrides)
        training_set = recorded.outputs["training_set"]
        trained = train(run=run, volume=volume, training_set=training_set)
        evaluated = evaluate(
            run=run,
            volume=volume,
            training_set=training_set,
            candidates=trained.outputs["candidates"],
        )
        best = evaluated.outputs["best"]
        tested = test(run=run, volume=volume, training_set=training_set, model=best)
        deployed = deploy(run=run, volume=volume, training_set=training_set, model=best)
        deployed.after(tested)
        reported = report(run=run, volume=volume).after(deployed)
        if placing is not None:
            # A model that was refused is looked at, too; on this machine the backend sees to that.
            reported.ignore_upstream_failure()
            tasks = [recorded, trained, evaluated, tested, deployed, reported]
            placing.place(tasks, volume)

    return pipeline


def print_compiled(config: str, *options: str) -> None:
    """Print it as a config's version.

    Args:
        config: Its name.
        options: `--backend kubeflow`: as a cluster's; `--code volume` with it: for code that is on
            no volume, only to look at.
    """
    from pipelines.code import Code
    from pipelines.registry import make_package

    code = Code("0" * 64, "volume", "0000000") if "--code" in options else None
    package = make_package(config, None, None, None, code, for_cluster="--backend" in options)
    print(package.yaml, end="")


if __name__ == "__main__":
    import sys

    print_compiled(*(sys.argv[1:] or ["plate_training"]))
