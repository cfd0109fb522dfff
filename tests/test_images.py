"""The Dockerfile, what `make images` asks for, and what the configs and the pipeline name."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cluster.settings import cluster_of
from sub_module.engine.config import load_config

_ROOT = Path(__file__).parents[1]
_DOCKERFILES = sorted([*_ROOT.glob("components/Dockerfile"), *_ROOT.glob("serving/*/Dockerfile")])
_CONTENTS = [file.read_text(encoding="utf-8") for file in _DOCKERFILES]
each_image = pytest.mark.parametrize(
    "dockerfile", _CONTENTS, ids=[file.parent.name for file in _DOCKERFILES]
)
_PYPROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
_VERSION = _PYPROJECT["project"]["version"]


def made(**variables: str) -> list[dict[str, str]]:
    """The options of each build of `make images`; its program under `engine`."""
    # The variables of `make images` can come from the environment too, and MAKEFLAGS does.
    given = {"PATH": os.environ["PATH"]}
    command = ["make", "--dry-run", "images", *(f"{n}={v}" for n, v in variables.items())]
    said = subprocess.run(
        command, cwd=_ROOT, env=given, capture_output=True, text=True, check=True
    ).stdout
    builds = []
    for line in said.replace("$(git describe --always --dirty)", "COMMIT").splitlines():
        if " build " in line:
            words = shlex.split(line)
            arguments = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
            tag = words[words.index("--tag") + 1]
            file = words[words.index("--file") + 1]
            builds.append({**arguments, "engine": words[0], "tag": tag, "file": file})
    return builds


def runtime_of(dockerfile: str) -> str:
    """The last stage, which is the image."""
    return dockerfile.split("\nFROM ")[-1]


def makefile_words(name: str) -> list[str]:
    found = re.search(rf"^{name} := (.+)$", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1].split()


@pytest.mark.parametrize("file", _DOCKERFILES, ids=lambda file: file.parent.name)
def test_hadolint_is_content(file: Path) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, "--no-color", file], cwd=_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("engine", ["docker", "podman", "buildah"])
def test_two_variants_of_one_image(engine: str) -> None:
    cpu, cuda = made(ENGINE=engine, IMAGES="steps")
    assert cpu["engine"] == cuda["engine"] == engine
    assert (cpu["VARIANT"], cpu["tag"]) == ("cpu", f"plateflow-python:{_VERSION}")
    assert (cuda["VARIANT"], cuda["tag"]) == ("cuda", f"plateflow-python:{_VERSION}-cuda")
    assert cpu["COMMIT"] == "COMMIT"
    assert not {"BASE", "TORCH_INDEX", "SOURCE"} & {*cpu, *cuda}, "the Dockerfile's own"


def test_what_is_given_reaches_the_build_that_it_is_for() -> None:
    given = {"BASE": "b:1@sha256:c", "TORCH_INDEX_cpu": "file:///t", "REGISTRY": "r/o"}
    cpu, cuda, serving, demo = made(ENGINE="docker", SERVING_RUNTIME="openvino", **given)
    assert cpu["BASE"] == cuda["BASE"] == "b:1@sha256:c"
    assert cpu["TORCH_INDEX"] == "file:///t"
    assert "TORCH_INDEX" not in cuda
    assert cpu["tag"] == f"r/o/plateflow-python:{_VERSION}"
    (only,) = made(ENGINE="docker", IMAGES="steps", VARIANTS="cuda")
    assert only["VARIANT"] == "cuda"
    assert serving["tag"] == f"r/o/plateflow-serving:{_VERSION}"
    assert serving["RUNTIME"] == "openvino"
    assert demo["tag"] == f"r/o/plateflow-demo:{_VERSION}"


def test_without_a_program_to_build_with_make_says_so() -> None:
    done = subprocess.run(["make", "images", "ENGINE="], cwd=_ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "docker, podman or buildah" in done.stdout


def test_every_argument_of_make_is_one_of_the_dockerfile() -> None:
    given = {"BASE": "b", "SOURCE": "s", "TORCH_INDEX_cpu": "t", "SERVING_RUNTIME": "r"}
    builds = made(ENGINE="docker", VARIANTS="cpu", **given)
    assert sorted(_ROOT / build["file"] for build in builds) == _DOCKERFILES
    for build in builds:
        dockerfile = (_ROOT / build["file"]).read_text(encoding="utf-8")
        known = set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE))
        assert {*build} - {"engine", "tag", "file"} == known


@pytest.mark.parametrize("config", ["plate_training", "mask_rcnn_tiny"])
def test_the_configs_name_images_that_make_makes(config: str) -> None:
    tags = {build["tag"] for build in made(ENGINE="docker")}
    placements = cluster_of(load_config(config)).components.values()
    assert {placement.image for placement in placements} <= tags


def test_the_compose_file_names_images_that_make_makes() -> None:
    compose = (_ROOT / "serving" / "compose" / "compose.yaml").read_text(encoding="utf-8")
    named = re.findall(r"image: \$\{PLATEFLOW_REGISTRY:-\}([\w-]+):\$\{\w+:-([\w.]+)\}", compose)
    assert len(named) == 2
    tags = {build["tag"] for build in made(ENGINE="docker")}
    assert {f"{name}:{tag}" for name, tag in named} <= tags


@each_image
def test_image_has_the_libraries_and_programs_of_make(dockerfile: str) -> None:
    # Only the steps version data sets.
    programs = makefile_words("RUNTIME_PROGRAMS") if "components" in dockerfile else []
    packages = [pair.split(":")[1] for pair in programs]
    wanted = " ".join([*makefile_words("SYSTEM_LIBRARIES"), *packages])
    assert f"install --yes --no-install-recommends {wanted} " in runtime_of(dockerfile)


@each_image
def test_image_runs_as_a_fixed_user_that_is_not_root(dockerfile: str) -> None:
    """Kubernetes can tell that only of a number."""
    assert re.findall(r"^USER (.+)$", runtime_of(dockerfile), re.MULTILINE) == ["1000:100"]
    assert "useradd --uid 1000 --gid 100 " in runtime_of(dockerfile)


def test_the_base_is_pinned() -> None:
    bases = {base for text in _CONTENTS for base in re.findall(r"^ARG BASE=(\S+)$", text, re.M)}
    (base,) = bases
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)


@each_image
def test_stages_come_from_the_base(dockerfile: str) -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", dockerfile, re.MULTILINE)
    known = {"${BASE}"} | {name for _, name in stages if name}
    assert {source for source, _ in stages} <= known


@each_image
def test_every_installation_is_of_locked_versions(dockerfile: str) -> None:
    commands = re.split(r"&&|^RUN ", dockerfile.replace("\\\n", " "), flags=re.MULTILINE)
    installs = [command for command in commands if "pip install" in command]
    assert len(installs) >= 3
    for install in installs:
        assert "--constraint requirements.lock" in install or "--no-deps --no-build" in install
        assert "--no-cache-dir" in install


def test_images_get_the_packages_and_nothing_else() -> None:
    lines = (_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "what is not named stays outside"
    admitted = {rule[1:] for rule in rules if rule.startswith("!")}
    tools = _PYPROJECT["tool"]["setuptools"]
    packages = {pattern.rstrip("*") for pattern in tools["packages"]["find"]["include"]}
    modules = {f"{module}.py" for module in tools["py-modules"]}
    project = _PYPROJECT["project"]
    files = {"pyproject.toml", "requirements.lock", project["readme"], *project["license-files"]}
    assert admitted == packages | modules | files


@pytest.mark.parametrize(
    "golden", sorted((_ROOT / "tests/pipelines/golden").glob("*.yaml")), ids=lambda file: file.stem
)
def test_the_pipelines_name_images_that_make_makes(golden: Path) -> None:
    named = set(re.findall(r"image: (\S+)", golden.read_text(encoding="utf-8")))
    assert named
    assert named <= {build["tag"] for build in made(ENGINE="docker")}
