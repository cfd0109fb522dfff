"""The main job: from an annotation set to a model in use.

`python -m pipelines.plate_training` prints it compiled; that renews the tests' golden file.
"""

from typing import Any

from kfp import dsl

from components.deploy.component import deploy
from components.evaluate.component import evaluate
from components.record.component import record
from components.test.component import test
from components.train.component import train


@dsl.pipeline(name="plate-training")  # type: ignore[untyped-decorator]
def plate_training(run: str, volume: str, config: str, overrides: dict[str, Any]) -> None:
    """Record, train, evaluate, test and deploy in one shared volume.

    Args:
        run: Name of the run; its files lie in `runs/<run>` of the volume.
        volume: Where the volume is mounted.
        config: Name of a pipeline config, or its path on the volume.
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
    deploy(run=run, volume=volume, training_set=training_set, model=best).after(tested)


if __name__ == "__main__":
    from pipelines.registry import compiled

    print(compiled(plate_training), end="")
