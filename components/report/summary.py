"""The figures of a run, as `report.json` holds them and the page shows them."""

from __future__ import annotations

import math
import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from components.report.run_files import RunFiles
from sub_module.machine import num_cores

_DISTRIBUTIONS = ("plateflow", "torch", "mmengine", "onnxruntime", "opencv-python", "numpy", "kfp")
_MAX_REJECTED = 20
# Which output of which step is the model that the run ended with; the first that there is counts.
_MODEL_OUTPUTS = (("deploy", "deployed"), ("evaluate", "best"))


def summarize(run: RunFiles) -> dict[str, Any]:
    """What `report.json` says.

    Returns:
        Plain data: `run`, `metrics` (`mAP`, `dv_mAP` and `EIR` always, null where the model or the
        run has none), `candidates` (each with `checkpoint`, `family`, `epoch`, `metrics` and
        whether it was the `best`), `seconds` (of the last attempt), `errors` by
        component, `model.path` and `.url` (in the store), `dataset.name`, `.annotation_set` and
        `.training_set` (tags of the data set repository), `.counts`, `.rejected` (the first files
        that were left out, each with `file` and `reason`) and `.rejected_file` (which names all of
        them), `pipeline`, `version`, `overrides`, `commits` (of the code that each component ran),
        `versions`, `machine.num_cores` and `.memory_gb`.
    """
    steps = {step.component: step for step in run.steps}
    metrics: dict[str, Any] = dict.fromkeys(("mAP", "dv_mAP", "EIR", "wrong_share"))
    # Figures of unseen images count before those of validation.
    for name in ("evaluate", "test"):
        metrics |= steps[name].metrics if name in steps else {}
    metrics |= run.test_metrics
    published = {name: at for step in run.steps for name, at in step.published.items()}
    return {
        "run": run.name,
        "metrics": {name: _finite(value) for name, value in metrics.items()},
        "candidates": [asdict(candidate) for candidate in run.evaluation.candidates],
        "seconds": {step.component: step.seconds for step in run.steps},
        "errors": {step.component: step.error for step in run.steps if step.error},
        "model": {"path": _model_path(run), "url": published.get("model")},
        "dataset": {
            "name": _dataset_name(run.config.get("dataset", {})),
            "annotation_set": published.get("annotation_set"),
            "training_set": published.get("training_set"),
            "counts": steps["record"].metrics if "record" in steps else {},
            "rejected": list(run.rejected[:_MAX_REJECTED]),
            "rejected_file": str(run.rejected_file) if run.rejected else None,
        },
        "pipeline": run.record.pipeline,
        "version": run.record.version,
        "overrides": run.record.overrides,
        "commits": {step.component: step.commit for step in run.steps if step.commit},
        "versions": _versions(),
        "machine": {
            "num_cores": num_cores(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        },
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _model_path(run: RunFiles) -> str | None:
    outputs = {
        (step.component, name): out for step in run.steps for name, out in step.outputs.items()
    }
    path = next((outputs[key] for key in _MODEL_OUTPUTS if key in outputs), None)
    return None if path is None else str(run.volume / path)


def _dataset_name(dataset: dict[str, Any]) -> str:
    if dataset.get("version") is not None:
        return f"version {dataset['version']}"
    if dataset.get("annotations") is not None:
        return Path(dataset["annotations"]).name
    draw = dataset.get("draw", {})
    return f"drawn, {draw.get('num_images')} images, seed {draw.get('seed')}"


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for distribution in _DISTRIBUTIONS:
        try:
            versions[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:  # Plateflow itself, run from its source folder.
            versions[distribution] = None
    return versions
