"""Which checkpoints a run compares: its own, and further ones that its config names."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sub_module.errors import ConfigError, ModelError
from sub_module.plates import PlateStandard

KEY = "evaluate.candidates"
_RUN = "{run}"


@dataclass(frozen=True)
class Candidate:
    """A checkpoint to score.

    Attributes:
        path: Its file.
        family: The type of its model.
        epoch: After how many epochs it was written; None: it does not say.
    """

    path: Path
    family: str
    epoch: int | None


def further_checkpoints(
    config: Mapping[str, Any], volume: Path, run: str | None = None
) -> list[Path]:
    """The files that `evaluate.candidates` names, each once, pattern by pattern.

    Args:
        config: Of the run.
        volume: What relative paths and patterns start from; all steps of a run see it, wherever
            they run, so every candidate must lie on it.
        run: Name of the run, which `{run}` stands for; None: such patterns are left out, for the
            run has not trained yet.

    Raises:
        ConfigError: The key holds no list of paths, one of them fits no file, or leads elsewhere.
    """
    patterns = config.get("evaluate", {}).get("candidates", [])
    if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
        raise ConfigError(f"{KEY}: expected a list of paths, got {json.dumps(patterns)}")
    root = volume.resolve()
    found: dict[Path, None] = {}
    for pattern in patterns:
        if _RUN in pattern:
            if run is None:
                continue
            pattern = pattern.replace(_RUN, glob.escape(run))
        # Only the user's part is a pattern; an absolute one replaces the root.
        paths = sorted(glob.glob(str(Path(glob.escape(str(root))) / pattern), recursive=True))
        files = [path for path in map(Path, paths) if path.is_file()]
        if not files:
            raise ConfigError(f"{KEY}: there is no file {pattern} in {root}")
        for path in files:
            if not path.resolve().is_relative_to(root):
                raise ConfigError(f"{KEY}: {path} does not lie in {root}; copy it there")
            found[path.resolve()] = None
    return list(found)


def described(checkpoints: Sequence[Path], standard: PlateStandard) -> list[Candidate]:
    """Load every checkpoint once, so that a bad one is told of before any is scored.

    Raises:
        ModelError: One is missing, damaged, or of another plate standard.
    """
    return [_described(checkpoint, standard) for checkpoint in checkpoints]


def _described(path: Path, standard: PlateStandard) -> Candidate:
    # Importing torch takes seconds, which whoever only looks for files need not wait for.
    from sub_module.engine.checkpoint import load_checkpoint, load_model

    model = load_model(path)
    # How plates are drawn, and grammars, matter to no checkpoint.
    if model.standard.fingerprint != standard.fingerprint:
        raise ModelError(
            f"{path}: reads plates of the standard {model.standard.name} "
            f"({model.standard.fingerprint}), not {standard.name} ({standard.fingerprint})"
        )
    meta = load_checkpoint(path).get("meta")
    epoch = meta.get("epoch") if isinstance(meta, dict) else None
    return Candidate(path, type(model).__name__, epoch if isinstance(epoch, int) else None)
