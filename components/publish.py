"""What a run tells the world: its state, models and figures in the catalog, its files in the store.

A run is noted as `running` by each step that begins to work, as `failed` by one that fails and as
`succeeded` by the one that deploys; steps do it, because they run wherever the pipeline runs. What
a killed run leaves is `running`, as in its `run.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from components.records import pipeline_of
from components.step import Artifact, Step
from dataset_tools.catalog.rows import ModelRow, RunRow
from sub_module.errors import CatalogError
from sub_module.files import read_json, tree_hash
from sub_module.settings import Settings

# Figures of unseen images count before those of validation.
_MEASURED = ("evaluate", "test")


class Publisher:
    """One step's way to the catalog and the store."""

    def __init__(self, step: Step, training_tag: str | None) -> None:
        """Connect to the catalog.

        Args:
            step: Its run's name stands in the catalog, and in the store before what it pushes.
            training_tag: The training set's, as soon as there is one.

        Raises:
            CatalogError: The catalog cannot be used.
            StoreError: The store's URL is none.
        """
        # They take seconds to import, which a step that is done already need not wait for.
        from dataset_tools.catalog import open_catalog
        from dataset_tools.store import open_store

        settings = Settings(home=step.volume)
        self._step = step
        self._training_tag = training_tag
        self.catalog = open_catalog(settings)
        self.store = open_store(settings)

    def run(self, state: str) -> None:
        """Note the run's state, and the figures that it has come to.

        Raises:
            CatalogError: It cannot be noted.
        """
        step = self._step
        metrics: dict[str, float] = {}
        for name in _MEASURED if state != "running" else ():
            metrics |= (read_json(step.run_dir / "steps" / f"{name}.json") or {}).get("metrics", {})
        pipeline, version = pipeline_of(step.run_dir, step.config)
        row = RunRow(step.run, pipeline, version, state, self._training_tag, metrics)
        self.catalog.note_run(row)

    def checkpoints(self, figures: Mapping[Path, Mapping[str, float]]) -> None:
        """Push checkpoints of the volume and note them as models, each with its figures.

        Raises:
            StoreError, CatalogError: One of the two cannot be written.
        """
        rows = []
        for path, metrics in figures.items():
            own = path.is_relative_to(self._step.run_dir)
            name = path.relative_to(self._step.run_dir if own else self._step.volume)
            rows.append(self._model(self._push(path, name.as_posix()), path, metrics))
        self.catalog.note_models(rows)

    def model(self, exported: Path) -> str:
        """Push an exported model's directory, under a name that says its content; gives its URL.

        Raises:
            StoreError: The store cannot be written.
        """
        return self._push(exported, f"onnx-{tree_hash(exported)[:8]}")

    def deployed(self, url: str, checkpoint: Path, metrics: Mapping[str, float]) -> None:
        """Note the model at `url`, exported from the checkpoint, as the one in use; ends the run.

        Raises:
            CatalogError: It cannot be noted.
        """
        self.catalog.note_deployed(self._model(url, checkpoint, metrics))
        self.run("succeeded")

    def _push(self, path: Path, name: str) -> str:
        # What is there already is not copied again.
        return self.store.put(path, f"models/{self._step.run}/{name}", self._step.progress)

    def _model(self, url: str, checkpoint: Path, metrics: Mapping[str, float]) -> ModelRow:
        with checkpoint.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        training_tag = self._training_tag
        if not checkpoint.is_relative_to(self._step.run_dir):
            # Another run's, or a search's, which only the catalog may know.
            known = (m.training_tag for m in self.catalog.models() if m.checkpoint_sha256 == digest)
            training_tag = next((tag for tag in known if tag is not None), None)
        return ModelRow(url, self._step.run, training_tag, digest, dict(metrics))


@contextmanager
def publishing(step: Step, training_set: Artifact | None = None) -> Iterator[Publisher]:
    """Note the run as `running`, and as `failed` when what is done inside fails.

    Args:
        step: The one that begins to work.
        training_set: As the record step left it; None: this is the record step.

    Raises:
        CatalogError: The catalog cannot be used, or does not know the training set; nothing has
            been done then.
        StoreError: The store's URL is none.
    """
    tag: Any = None if training_set is None else training_set.metadata.get("training_set")
    publisher = Publisher(step, tag)
    if tag is not None and publisher.catalog.training_set(tag) is None:
        raise CatalogError(
            f"{publisher.catalog.name}: has lost the training set {tag}; delete the run {step.run} "
            "and start it again"
        )
    publisher.run("running")
    try:
        yield publisher
    except (Exception, SystemExit):
        # Why the work failed counts more.
        with suppress(CatalogError):
            publisher.run("failed")
        raise
