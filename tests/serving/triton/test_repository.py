from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from serving.predictor.settings import predictor_settings
from serving.triton.__main__ import main
from serving.triton.model import detector_of
from serving.triton.repository import render
from serving.triton.server import NoTritonError, start_command
from sub_module.engine.infer import SHIPPED_MODEL
from sub_module.errors import ModelError
from sub_module.export.runtime import OnnxDetector, checksum
from tests.standards import flat_file

MODELS = ["plates", "plates_detector", "plates_preprocessing", "plates_reading"]


def config_of(repository: Path, model: str) -> str:
    return (repository / model / "config.pbtxt").read_text()


def test_render_writes_the_steps_and_the_ensemble(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "repository"
    changed = ["--set", "model_name=plates", "--set", "engine.precision=auto"]
    assert main(["render", str(SHIPPED_MODEL), str(out), *changed]) == 0
    assert str(out) in capsys.readouterr().out
    assert sorted(os.listdir(out)) == MODELS
    steps = re.findall(r'model_name: "(\w+)"', config_of(out, "plates"))
    assert sorted(steps) == MODELS[1:]
    # What `auto` means is settled where the model is looked at.
    assert "auto" not in "".join(config_of(out, model) for model in MODELS)


def test_the_settings_of_the_model_server_mean_the_same_here(tmp_path: Path) -> None:
    changed = {
        "batching.max_images": 6,
        "batching.max_wait_ms": 1.5,
        "limits.queued_images": 7,
        "limits.deadline_seconds": 2.5,
        "limits.images_per_request": 9,
        "limits.megapixels": 12.0,
        "decode_pixels": 800,
        "engine.readers": 6,
        "engine.threads_per_reader": 2,
    }
    render(SHIPPED_MODEL, tmp_path / "out", predictor_settings(changed))
    for step in ("plateflow_detector", "plateflow_reading"):
        text = config_of(tmp_path / "out", step)
        for line in (
            "max_batch_size: 9",
            "preferred_batch_size: [ 6 ]",
            "max_queue_delay_microseconds: 1500",
            "default_timeout_microseconds: 2500000",
            "max_queue_size: 7",
            "count: 3",
            'key: "threads" value { string_value: "2" }',
        ):
            assert line in text
    text = config_of(tmp_path / "out", "plateflow_preprocessing")
    assert 'key: "max_megapixels" value { string_value: "12.0" }' in text
    assert 'key: "decode_pixels" value { string_value: "800" }' in text


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnxruntime-cuda"])
def test_tritons_own_onnxruntime_gets_the_graph(
    tmp_path: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = predictor_settings({"engine.runtime": runtime})
    if runtime == "onnxruntime-cuda":
        # There is no such provider here, and none is needed to write the files.
        monkeypatch.setattr(OnnxDetector, "__init__", lambda self, *_: None)
        monkeypatch.setattr(OnnxDetector, "precision", "float32", raising=False)
    render(SHIPPED_MODEL, tmp_path / "out", settings, "onnxruntime")
    folder = tmp_path / "out" / "plateflow_detector"
    assert os.listdir(folder / "1") == ["model.onnx"]
    text = config_of(tmp_path / "out", "plateflow_detector")
    assert 'backend: "onnxruntime"' in text
    assert ("KIND_GPU" in text) == (runtime == "onnxruntime-cuda")
    graph = onnx.load(folder / "1" / "model.onnx").graph
    for kind, tensors in (("input", graph.input), ("output", graph.output)):
        (block,) = re.findall(rf"^{kind} \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)
        told = re.findall(r'name: "(\w+)" data_type: TYPE_(\w+) dims: \[([\d, ]+)\]', block)
        types = {onnx.TensorProto.UINT8: "UINT8", onnx.TensorProto.FLOAT: "FP32"}
        assert told == [
            (
                tensor.name,
                types[tensor.type.tensor_type.elem_type],
                ", ".join(str(d.dim_value) for d in tensor.type.tensor_type.shape.dim[1:]),
            )
            for tensor in tensors
        ]


def test_a_triton_without_that_backend_understands_the_config_and_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    render(SHIPPED_MODEL, tmp_path / "out", predictor_settings(), "onnxruntime")
    for folder in (tmp_path / "out").iterdir():
        if not folder.name.endswith("_detector"):
            shutil.rmtree(folder)
    command = start_command(tmp_path / "out", 1, 2, 3)
    done = subprocess.run(command.argv, env=command.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "unable to find backend library for backend 'onnxruntime'" in done.stdout + done.stderr


def test_plates_of_another_standard_come_along(tmp_path: Path) -> None:
    standard = flat_file(tmp_path)
    out = tmp_path / "out"
    assert main(["render", str(SHIPPED_MODEL), str(out), "--set", f"standard={standard}"]) == 0
    version = out / "plateflow_reading" / "1"
    parameters = {
        key: {"string_value": value}
        for key, value in (("threads", "1"), ("runtime", "onnxruntime"), ("precision", "float32"))
    }
    beside = {
        "model_repository": str(version.parent),
        "model_version": "1",
        "model_config": json.dumps({"parameters": parameters}),
    }
    detector = detector_of(beside)
    assert (detector.standard.name, detector.trained.name) == ("flat", "kr")
    (version / "standard.json").unlink()
    assert detector_of(beside).standard.name == "kr"


def test_a_directory_that_holds_something_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("kept")
    assert main(["render", str(SHIPPED_MODEL), str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert os.listdir(tmp_path) == ["mine"]


def test_a_model_whose_detector_takes_one_image_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(SHIPPED_MODEL, model)
    proto = onnx.load(model / "detect.onnx")
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(proto, model / "detect.onnx")
    settings = json.loads((model / "settings.json").read_text())
    settings["graphs"]["detect"]["sha256"] = checksum((model / "detect.onnx").read_bytes())
    (model / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="one image at a time"):
        render(model, tmp_path / "out", predictor_settings({"engine.precision": "float32"}))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["{tmp}/nothing", "{tmp}/out"], "nothing/settings.json: No such file"),
        ([__file__, "{tmp}/out"], "no exported model there"),
        (["{model}", "{tmp}/out", "--set", "engine.precision=int3"], "int3"),
        (["{model}", "{tmp}/out", "--set", "engine.readrs=1"], "engine.readers"),
        (["{model}", "{tmp}/out", "--set", "engine.runtime=torch"], "torch"),
        (
            ["{model}", "{tmp}/out", "--backend=onnxruntime", "--set=engine.runtime=openvino"],
            "engine.runtime",
        ),
    ],
    ids=["no model", "a file", "no such precision", "unknown setting", "torch", "backend, runtime"],
)
def test_what_cannot_be_rendered_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    filled = [text.format(tmp=tmp_path, model=SHIPPED_MODEL) for text in arguments]
    assert main(["render", *filled]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_start_without_a_repository_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["start", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path}: no model repository; `render` writes one\n"
    )


def test_no_triton_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoTritonError, match=r"neither on the PATH nor at .*/bin/tritonserver"):
        start_command(tmp_path, 1, 2, 3, wheel=tmp_path)


def test_a_triton_without_this_pythons_backend_is_one_line(tmp_path: Path) -> None:
    program = tmp_path / "pytriton" / "tritonserver" / "bin" / "tritonserver"
    program.parent.mkdir(parents=True)
    program.write_text("")
    with pytest.raises(
        NoTritonError, match=rf"no Python backend for Python 3\.{sys.version_info.minor}"
    ):
        start_command(tmp_path, 1, 2, 3, wheel=tmp_path)


def test_a_triton_on_the_path_is_taken_with_its_own_backends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "tritonserver"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    argv, env = start_command(tmp_path / "repository", 1, 2, 3, host="0.0.0.0")
    assert argv[0] == str(program)
    assert f"--backend-directory={tmp_path / 'backends'}" in argv
    assert {"--http-address=0.0.0.0", "--grpc-port=2", "--metrics-port=3"} <= set(argv)
    assert env.get("LD_LIBRARY_PATH") == os.environ.get("LD_LIBRARY_PATH")
