"""What a checkpoint says of its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from sub_module.engine.checkpoint import attach


class DescriptionHook(Hook):  # type: ignore[misc]
    """Writes config, class list and plate standard into every checkpoint."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._description = description

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Called by the Runner."""
        attach(checkpoint, self._description)
