"""`add` killed by SIGKILL at random moments, then run again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from dataset_tools.versions import DataSets
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import add, files, leftovers, noted, small_set, stored, tags
from tests.standards import REPOSITORY

_NUM_KILLS = 10
# On one home as many, before the run that finishes the job.
_KILLS_A_HOME = 3
_ADD = """
import sys
from pathlib import Path
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import add
print("begun", flush=True)
add(Settings(home=Path(sys.argv[1])), Path(sys.argv[2]))
"""


def test_killed_at_random_moments_and_run_again(tmp_path: Path) -> None:
    directory = small_set(tmp_path / "set")
    rng = random.Random(4)
    seconds = _seconds_of_one_add(tmp_path / "first", directory)
    num_killed = num_homes = 0
    while num_killed < _NUM_KILLS:
        num_homes += 1
        settings = Settings(home=tmp_path / f"home{num_homes}")
        for _ in range(min(_KILLS_A_HOME, _NUM_KILLS - num_killed)):
            # One in each tenth of the time that an add takes.
            moment = (num_killed + rng.random()) / _NUM_KILLS * seconds
            if not _is_killed(settings.home, directory, moment, also_children=rng.random() < 0.5):
                # It was quicker than the first, which had the disk's caches to fill.
                seconds *= 0.9
                break
            num_killed += 1
            # The tag is the truth: never rows without one.
            assert set(noted(settings)) <= set(tags(settings))
        _check_that_it_can_be_finished(settings, directory, tmp_path / f"out{num_homes}")


def _check_that_it_can_be_finished(settings: Settings, directory: Path, out: Path) -> None:
    published = add(settings, directory)
    assert tags(settings) == noted(settings) == [published.tag] == ["ann-v1"]
    objects = {
        name: content for name, content in stored(settings).items() if not name.endswith(".tmp")
    }
    assert len(objects) == len(files(directory)) + 1
    assert leftovers(settings) == []
    # From the store alone.
    elsewhere = Settings(
        home=out.with_name(f"{out.name}-home"),
        datasets=str(settings.home / "datasets.git"),
        store=f"file://{settings.home}/store",
    )
    DataSets(elsewhere).pull("v1", out)
    assert files(out) == files(directory)


def _seconds_of_one_add(home: Path, directory: Path) -> float:
    process = _started(home, directory)
    begun = time.monotonic()
    assert process.wait() == 0
    return time.monotonic() - begun


def _is_killed(home: Path, directory: Path, moment: float, also_children: bool) -> bool:
    """Whether an add was still at work when it was killed, so many seconds after it began."""
    process = _started(home, directory)
    try:
        process.wait(moment)
        return False
    except subprocess.TimeoutExpired:
        if also_children:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        return True


def _started(home: Path, directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _ADD, str(home), str(directory)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process
