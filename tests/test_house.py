"""The repository's own rules that no tool of `make check` holds."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[1]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
_LOCK = (_ROOT / "requirements.lock").read_text().splitlines()
_EXTRAS = [extra for extras in _PROJECT["optional-dependencies"].values() for extra in extras]
_DIRECT = [*_PROJECT["dependencies"], *(e for e in _EXTRAS if not e.startswith("plateflow["))]


def test_the_lock_has_names_and_versions_only() -> None:
    assert _LOCK, "an empty lock locks nothing"
    for line in _LOCK:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+", line)
    names = [canonicalize_name(line.split("==")[0]) for line in _LOCK]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("dependency", _DIRECT)
def test_the_lock_holds_a_fitting_version_of(dependency: str) -> None:
    wanted = Requirement(dependency)
    locked = {canonicalize_name(n): v for n, v in (line.split("==") for line in _LOCK)}
    assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)])


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(["make"], cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.+)$", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    targets = re.findall(r"^make ([\w-]+) +\S", listed, re.MULTILINE)
    assert sorted(targets) == sorted(phony[1].split())


def test_ci_runs_checks_and_tests() -> None:
    script = _ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.findall(r"make (\w+)", script.read_text()) == ["check", "test"]


def test_every_folder_of_a_room_is_a_package() -> None:
    """import-linter does not look into a folder without `__init__.py`."""
    rooms = [
        "sub_module",
        "dataset_tools",
        "cluster",
        "serving",
        "components",
        "pipelines",
        "katib",
        "commands",
    ]
    files = [file for room in rooms for file in (_ROOT / room).rglob("*.py")]
    assert files
    assert {str(f.parent) for f in files if not (f.parent / "__init__.py").is_file()} == set()


def test_the_licence_is_the_one_that_is_named() -> None:
    assert _PROJECT["license"] == "Apache-2.0"
    text = (_ROOT / "LICENSE").read_text()
    assert text.split()[:6] == ["Apache", "License", "Version", "2.0,", "January", "2004"]
    assert "END OF TERMS AND CONDITIONS" in text
