"""One trial: `python -m katib.trial`, the same in a cluster's Job and on this machine.

It trains a config with some values on the training set that all trials share, prints every
validation as lines `name=value`, which Katib's StdOut collector reads, and leaves `best.pth` in
`<PLATEFLOW_HOME>/searches/<search>/<trial>/`. Started again after a kill, it prints the validations
that were and goes on from the last whole epoch.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from components.parameters import COMPILED, compiled_config
from components.run_config import run_config
from components.user_data import with_weight_files
from katib.training_set import training_set
from sub_module.engine.config import parse_overrides
from sub_module.engine.logs import logged
from sub_module.engine.train_settings import METRICS
from sub_module.errors import PlateflowError, RunError
from sub_module.settings import Settings

# How often it is looked for new validations, and how often a line tells of progress.
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 10.0


class Reporter:
    """A `Progress` that prints validations as they come, and now and then how far the work is."""

    def __init__(self, work_dir: Path) -> None:
        """Follow the logs of all sessions of a training in `work_dir`."""
        self._work_dir = work_dir
        self._printed: set[int] = set()
        self._next_look = self._next_line = 0.0

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """See `Progress`."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS
            self.report()
        if now >= self._next_line:
            self._next_line = now + _TELL_SECONDS
            print(f"{done} of {total} {text}".rstrip(), flush=True)

    def report(self) -> None:
        """Print the validations that are new; each epoch's once."""
        for record in logged(self._work_dir):
            # A figure that this model does not have is missing, or null.
            found = {name: record[name] for name in METRICS if record.get(name) is not None}
            if found and record["step"] not in self._printed:
                self._printed.add(record["step"])
                _print(found)


def run_trial(config_name: str, pairs: Sequence[str], folder: Path, volume: Path) -> None:
    """Train, report, and leave the best checkpoint.

    Args:
        config_name: A pipeline config; or `compiled`, of which the environment holds the config.
        pairs: `KEY=VALUE` each.
        folder: The trial's.
        volume: What all trials share.

    Raises:
        PlateflowError: The config or the data cannot be used, or the training failed.
    """
    named = compiled_config() if config_name == COMPILED else config_name
    config = with_weight_files(run_config(named, parse_overrides(list(pairs))), volume)
    work_dir, best = folder / "train", folder / "best.pth"
    reporter = Reporter(work_dir)
    if not best.is_file():
        data = training_set(config, volume, reporter)
        # torch takes seconds to import.
        from sub_module.engine.train import train

        result = train(config, data, work_dir, reporter)
        if not result.candidates:
            raise RunError(f"{work_dir}: the training left no checkpoint")
        os.replace(result.candidates[0], best)
    reporter.report()
    # What a resumed training would need; of large models it is large.
    for checkpoint in work_dir.glob("*.pth"):
        checkpoint.unlink()


def main(arguments: Sequence[str]) -> NoReturn:
    """Run a trial; a user's mistake is one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="katib.trial")
    parser.add_argument("--config", required=True)
    parser.add_argument("--search", required=True)
    parser.add_argument("--trial", required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="pairs")
    asked = parser.parse_args(arguments)
    # An early stop is a SIGTERM; as an exception it ends the training's processes too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    volume = Settings().home.absolute()
    folder = volume / "searches" / asked.search / asked.trial
    try:
        run_trial(asked.config, asked.pairs, folder, volume)
    except PlateflowError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    sys.exit(0)


def _print(metrics: dict[str, float]) -> None:
    for name, value in metrics.items():
        if math.isfinite(value):
            print(f"{name}={value:.6f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
