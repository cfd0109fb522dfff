"""The workflows of GitHub Actions: that they are sound, pinned, and ask for little."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.settings import cluster_of
from sub_module.engine.config import load_config

_ROOT = Path(__file__).parents[1]
_FILES = sorted((_ROOT / ".github" / "workflows").glob("*.yaml"))
_RELEASE = _ROOT / ".github" / "workflows" / "release.yaml"
_BASE = re.search(r"^ARG BASE=(\S+)$", (_ROOT / "components" / "Dockerfile").read_text(), re.M)


def read(file: Path) -> dict[str, Any]:
    # BaseLoader: YAML 1.1 takes the key `on` for true.
    workflow: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), yaml.BaseLoader)
    return workflow


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read(file)["jobs"]
    return found


def scripts(file: Path) -> str:
    return "\n".join(
        step["run"] for job in jobs(file).values() for step in job["steps"] if "run" in step
    )


def test_there_is_one_for_each_of_what_users_need() -> None:
    assert [file.stem for file in _FILES] == ["check", "images", "release", "test"]


def test_actionlint_is_content() -> None:
    actionlint = Path(sys.executable).parent / "actionlint"
    done = subprocess.run(
        [actionlint, "-no-color", "-shellcheck=", "-pyflakes=", *map(str, _FILES)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_actionlint_looks_at_what_it_is_given(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(_FILES[0].read_text().replace("runs-on:", "run-on:"))
    actionlint = Path(sys.executable).parent / "actionlint"
    done = subprocess.run([actionlint, "-no-color", wrong], capture_output=True, text=True)
    assert done.returncode == 1
    assert "run-on" in done.stdout


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_everything_from_outside_is_pinned(file: Path) -> None:
    for job in jobs(file).values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
        if "container" in job:
            assert _BASE is not None
            assert job["container"] == _BASE[1], "the base of the images"


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_no_job_may_or_does_more_than_it_must(file: Path) -> None:
    assert read(file)["permissions"] == {"contents": "read"}
    assert read(file)["concurrency"]["group"]
    for name, job in jobs(file).items():
        assert 0 < int(job["timeout-minutes"]) <= 60
        writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
        assert writes <= ({"packages"} if name == "push" else set())
        for step in job["steps"]:
            if "checkout" in step.get("uses", ""):
                assert step["with"] == {"persist-credentials": "false"}


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_secrets_reach_a_step_through_its_environment_only(file: Path) -> None:
    """An expression within a script is pasted into it, whatever it holds."""
    assert not re.search(r"\$\{\{\s*(secrets|vars|github)\b", scripts(file))
    for job in jobs(file).values():
        assert "secrets." not in str({key: job[key] for key in job if key != "steps"})


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_ci_calls_targets_that_make_has(file: Path) -> None:
    makefile = (_ROOT / "Makefile").read_text(encoding="utf-8")
    called = re.findall(r"\bmake (\w+)", scripts(file).replace("git make", ""))
    assert called
    for target in called:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_nothing_is_pushed_or_uploaded_but_of_a_tag() -> None:
    leaving = [
        file.stem
        for file in _FILES
        if re.search(r"docker push|docker login|upload --backend", scripts(file))
    ]
    assert leaving == ["release"]
    assert read(_RELEASE)["on"] == {"push": {"tags": ["v*"]}}


def test_the_pipeline_runs_the_images_that_were_pushed() -> None:
    assert '"$REGISTRY/plateflow-*"' in scripts(_RELEASE)
    assert '--set "cluster.registry=$REGISTRY"' in scripts(_RELEASE)
    assert jobs(_RELEASE)["upload"]["needs"] == "push", "no run finds half of them"
    config = load_config("plate_training", {"cluster.registry": "host/team"})
    images = {placement.image for placement in cluster_of(config).components.values()}
    assert images
    assert all(image.startswith("host/team/plateflow-python:") for image in images)
