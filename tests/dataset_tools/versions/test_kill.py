"""`add` killed by SIGKILL at random moments, then run again."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import time
from multiprocessing.context import ForkProcess
from pathlib import Path

# Children inherit what is imported here; importing it again would take each several seconds.
import alembic.command  # noqa: F401
from sqlalchemy import text as sql

from dataset_tools.catalog import open_catalog
from dataset_tools.versions import DataSets
from sub_module.settings import Settings
from tests.dataset_tools.versions.sets import add, files, leftovers, noted, small_set, stored, tags
from tests.servers.mariadb import MariaDB

_FORK = multiprocessing.get_context("fork")
_NUM_KILLS = 10
# On one home as many, before the run that finishes the job.
_KILLS_A_HOME = 5


def test_killed_at_random_moments_and_run_again(mariadb: MariaDB, tmp_path: Path) -> None:
    directory = small_set(tmp_path / "set", 2)
    rng = random.Random(4)
    seconds = _seconds_of_one_add(Settings(home=tmp_path / "first"), directory)
    num_killed = num_homes = 0
    while num_killed < _NUM_KILLS:
        num_homes += 1
        settings = Settings(
            home=tmp_path / f"home{num_homes}",
            # SQLite and a server by turns.
            database_url=None if num_homes % 2 else mariadb.new_url(),
        )
        for _ in range(_KILLS_A_HOME):
            # One in each tenth of the time that an add takes, early and late ones in each home.
            tenth = (3 * num_killed) % _NUM_KILLS
            moment = (tenth + rng.random()) / _NUM_KILLS * seconds
            if not _is_killed(settings, directory, moment, also_children=rng.random() < 0.5):
                # It was quicker than the first, which had the disk's caches to fill.
                seconds *= 0.9
                break
            num_killed += 1
            # The tag is the truth: never rows without one.
            assert set(noted(settings)) <= set(tags(settings))
            if num_killed == _NUM_KILLS:
                break
        _check_that_it_can_be_finished(settings, directory, tmp_path / f"out{num_homes}")
    assert num_homes >= 2


def _check_that_it_can_be_finished(settings: Settings, directory: Path, out: Path) -> None:
    published = add(settings, directory)
    assert tags(settings) == noted(settings) == [published.tag] == ["ann-v1"]
    with open_catalog(settings).transaction() as session:
        rows = session.execute(sql("SELECT image, image_md5 FROM annotations")).all()
    assert dict(map(tuple, rows)) == {
        path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in directory.glob("*.jpg")
    }
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


def _seconds_of_one_add(settings: Settings, directory: Path) -> float:
    begun = time.monotonic()
    process = _started(settings, directory)
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - begun


def _is_killed(settings: Settings, directory: Path, moment: float, also_children: bool) -> bool:
    """Whether an add was still at work when it was killed, so many seconds after it began."""
    process = _started(settings, directory)
    process.join(moment)
    if process.exitcode is not None:
        assert process.exitcode == 0
        return False
    assert process.pid is not None
    if also_children:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.join()
    return True


def _started(settings: Settings, directory: Path) -> ForkProcess:
    process = _FORK.Process(target=_add_in_a_group_of_its_own, args=(settings, directory))
    process.start()
    # From here on, so that it is there when it is killed.
    assert process.pid is not None
    deadline = time.monotonic() + 60
    while os.getpgid(process.pid) != process.pid:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return process


def _add_in_a_group_of_its_own(settings: Settings, directory: Path) -> None:
    os.setpgid(0, 0)
    add(settings, directory)
