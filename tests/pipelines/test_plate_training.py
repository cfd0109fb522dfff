"""The main pipeline, compiled."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.backends.local import component_order
from pipelines.plate_training import plate_training
from pipelines.registry import compiled

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden" / "plate_training.yaml"
RENEW = "python -m pipelines.plate_training > tests/pipelines/golden/plate_training.yaml"
COMPONENTS = ["record", "train", "evaluate", "test", "deploy"]


@pytest.fixture(scope="module")
def text() -> str:
    return compiled(plate_training)


def test_golden(text: str) -> None:
    def without_sdk(yaml_text: str) -> list[str]:
        return re.sub(r"sdkVersion: .*", "", yaml_text).splitlines()

    golden = GOLDEN.read_text(encoding="utf-8")
    assert without_sdk(text) == without_sdk(golden), f"if the change is meant: {RENEW}"


def test_order() -> None:
    assert component_order(GOLDEN) == COMPONENTS


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_runs_locally_without_installing(text: str, component: str) -> None:
    executor: dict[str, Any] = yaml.safe_load(text)["deploymentSpec"]["executors"][
        f"exec-{component}"
    ]["container"]
    assert "python" in executor["image"], "kfp.local warns of other images"
    assert not any("pip install" in part for part in executor["command"])


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_is_thin(component: str) -> None:
    module = __import__(f"components.{component}.component", fromlist=[component])
    function = getattr(module, component).python_func
    body = inspect.getsource(function).split('"""')[2]
    lines = [line for line in body.splitlines() if line.strip()]
    assert len(lines) <= 20, "imports, a step, and about ten lines"


def test_image_has_the_libraries_and_programs_of_make() -> None:
    makefile, dockerfile = (
        (ROOT / file).read_text(encoding="utf-8") for file in ("Makefile", "components/Dockerfile")
    )
    libraries = re.search(r"^SYSTEM_LIBRARIES := (.+)$", makefile, re.MULTILINE)
    programs = re.search(r"^RUNTIME_PROGRAMS := (.+)$", makefile, re.MULTILINE)
    assert libraries is not None
    assert programs is not None
    packages = [pair.split(":")[1] for pair in programs[1].split()]
    wanted = " ".join([libraries[1], *packages])
    assert f"install --yes --no-install-recommends {wanted} " in dockerfile


def test_images_are_those_that_the_dockerfile_makes(text: str) -> None:
    dockerfile = (ROOT / "components" / "Dockerfile").read_text(encoding="utf-8")
    loop = re.search(r"for component in ([\w ]+); do.*?-t (\S+) \.;", dockerfile, re.DOTALL)
    assert loop is not None
    made = [loop[2].replace("$component", name) for name in loop[1].split()]
    assert sorted(made) == sorted(set(re.findall(r"image: (\S+)", text)))
