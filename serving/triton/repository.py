"""A model repository for Triton: preprocessing, detector, reading, and the ensemble of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from serving.predictor.reader import num_readers
from serving.predictor.settings import PredictorSettings
from serving.triton import pbtxt
from serving.triton.model import STANDARD_FILE
from serving.triton.pbtxt import Tensor
from sub_module.errors import ConfigError, ModelError
from sub_module.export.runtime import FLOAT32, OnnxDetector, read_settings
from sub_module.files import appearing, write_bytes, write_json, write_text
from sub_module.plates.standards import load_standard

Backend = Literal["python", "onnxruntime"]

# What clients send and get; as the model server's V2 protocol.
IMAGE = Tensor("image", "TYPE_STRING", (-1,))
READINGS = Tensor("readings", "TYPE_STRING", (1,))
# Between the steps, one row an image: its pixels and more (see `frame`).
PIXELS = Tensor("pixels", "TYPE_UINT8", (-1,), is_ragged=True)
FRAME = Tensor("frame", "TYPE_FP64", (7,))

_MODEL_PY = '''\
"""{title}; written by `python -m serving.triton render`."""

import os
import sys

# Triton's Python heeds no PYTHONPATH, but that is where Plateflow is.
sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))

from serving.triton.{module} import TritonPythonModel  # noqa: E402, F401
'''


@dataclass(frozen=True)
class Graph:
    """The detector's graph, as Triton has to know it.

    Attributes:
        content: ONNX.
        input: (3, height, width) of uint8.
        outputs: What it says of an image.
    """

    content: bytes
    input: Tensor
    outputs: tuple[Tensor, ...]


def render(
    model_dir: Path, out: Path, settings: PredictorSettings, backend: Backend = "python"
) -> None:
    """Write a model repository, whole or not at all.

    Clients ask the ensemble, `settings.model_name`; the other models are its steps.

    Args:
        model_dir: An exported model.
        out: The repository, a directory that is new or empty.
        settings: The model server's; they mean the same here. Ports are `start_command`'s.
        backend: What runs the detector's graph: `python`, which every Triton has, or Triton's own
            `onnxruntime`.

    Raises:
        ModelError: The model cannot be used, or cannot be served so.
        ConfigError: A setting that Triton cannot have, or no such plate standard.
        OSError: `out` holds something, or cannot be written.
    """
    engine = settings.engine
    if backend == "onnxruntime" and not engine.runtime.startswith("onnxruntime"):
        raise ConfigError(f"engine.runtime: {engine.runtime!r}, with the backend onnxruntime")
    # What is wrong with a model is better said here than in Triton's log.
    standard = None if settings.standard is None else load_standard(settings.standard)
    detector = OnnxDetector(
        model_dir, engine.threads_per_reader, engine.runtime, engine.precision, standard
    )
    graph = _detector_graph(model_dir, detector.precision)
    fixed = engine.model_copy(update={"precision": detector.precision})
    settings = settings.model_copy(update={"engine": fixed})
    name = settings.model_name
    with appearing(out) as root:
        _write_preprocessing(root / f"{name}_preprocessing", graph, settings)
        _write_detector(root / f"{name}_detector", graph, settings, backend, model_dir)
        _write_reading(root / f"{name}_reading", graph, settings, model_dir)
        if standard is not None:
            plates = {"plates": standard.to_config()}
            write_json(root / f"{name}_reading" / "1" / STANDARD_FILE, plates)
        _write_ensemble(root / name, graph, settings)


def _write_preprocessing(folder: Path, graph: Graph, settings: PredictorSettings) -> None:
    height, width = graph.input.dims[1:]
    parameters = {
        "width": width,
        "height": height,
        "max_megapixels": settings.limits.megapixels,
        "decode_pixels": settings.decode_pixels or 0,
        "max_images": settings.limits.images_per_request,
    }
    config = [
        pbtxt.model(folder.name, "python", max_batch_size=0),
        # Images of one request may differ in size, and each is decoded alone: no batches here.
        pbtxt.tensors("input", [IMAGE]),
        pbtxt.tensors("output", [graph.input.of_batch(), PIXELS.of_batch(), FRAME.of_batch()]),
        pbtxt.instances(_num_processes(settings)),
        pbtxt.parameters(parameters),
    ]
    _write_model(folder, config, "Bytes of images to what the networks look at", "preprocessing")


def _write_detector(
    folder: Path,
    graph: Graph,
    settings: PredictorSettings,
    backend: Backend,
    model_dir: Path,
) -> None:
    is_own = backend == "onnxruntime"
    on_gpu = is_own and settings.engine.runtime == "onnxruntime-cuda"
    threads = {"intra_op_thread_count": settings.engine.threads_per_reader}
    config = [
        pbtxt.model(folder.name, backend, _max_batch_size(settings)),
        pbtxt.tensors("input", [graph.input]),
        pbtxt.tensors("output", graph.outputs),
        _batching(settings),
        pbtxt.instances(1 if on_gpu else _num_processes(settings), on_gpu),
        pbtxt.parameters(threads if is_own else _engine(settings)),
    ]
    if is_own:
        write_bytes(folder / "1" / "model.onnx", graph.content)
        write_text(folder / "config.pbtxt", "".join(config))
    else:
        _write_model(folder, config, "The detector's graph", "detector")
        shutil.copytree(model_dir, folder / "1" / "model")


def _write_reading(
    folder: Path, graph: Graph, settings: PredictorSettings, model_dir: Path
) -> None:
    config = [
        pbtxt.model(folder.name, "python", _max_batch_size(settings)),
        pbtxt.tensors("input", [PIXELS, FRAME, *graph.outputs]),
        pbtxt.tensors("output", [READINGS]),
        _batching(settings),
        pbtxt.instances(_num_processes(settings)),
        pbtxt.parameters(_engine(settings) | {"model_name": settings.model_name}),
    ]
    _write_model(folder, config, "What the detector found to readings", "reading")
    shutil.copytree(model_dir, folder / "1" / "model")


def _write_ensemble(folder: Path, graph: Graph, settings: PredictorSettings) -> None:
    outputs = [tensor.name for tensor in graph.outputs]
    between = [graph.input.name, PIXELS.name, FRAME.name]
    steps = [
        pbtxt.step(f"{folder.name}_preprocessing", [IMAGE.name], between),
        pbtxt.step(f"{folder.name}_detector", [graph.input.name], outputs),
        pbtxt.step(f"{folder.name}_reading", [PIXELS.name, FRAME.name, *outputs], [READINGS.name]),
    ]
    config = [
        pbtxt.ensemble_model(folder.name),
        pbtxt.tensors("input", [IMAGE]),
        pbtxt.tensors("output", [READINGS.of_batch()]),
        pbtxt.ensemble(steps),
    ]
    # Triton wants a version, though there is nothing in it; a file keeps it in copies and in git.
    write_text(folder / "1" / ".keep", "")
    write_text(folder / "config.pbtxt", "".join(config))


def _write_model(folder: Path, config: list[str], title: str, module: str) -> None:
    write_text(folder / "1" / "model.py", _MODEL_PY.format(title=title, module=module))
    write_text(folder / "config.pbtxt", "".join(config))


def _batching(settings: PredictorSettings) -> str:
    return pbtxt.dynamic_batching(
        preferred_images=settings.batching.max_images,
        max_delay_us=round(settings.batching.max_wait_ms * 1e3),
        timeout_us=round(settings.limits.deadline_seconds * 1e6),
        max_queue_size=settings.limits.queued_images,
    )


def _max_batch_size(settings: PredictorSettings) -> int:
    # Triton wants room for what is read together; what is too large, the preprocessing refuses.
    return max(settings.limits.images_per_request, settings.batching.max_images)


def _num_processes(settings: PredictorSettings) -> int:
    """Of each step: the detector and the reading take about half of the time each."""
    return -(-num_readers(settings) // 2)


def _engine(settings: PredictorSettings) -> dict[str, Any]:
    engine = settings.engine
    return {
        "threads": engine.threads_per_reader,
        "runtime": engine.runtime,
        "precision": engine.precision,
    }


def _detector_graph(model_dir: Path, precision: str) -> Graph:
    import onnxruntime

    settings = read_settings(model_dir)
    of = settings if precision == FLOAT32 else settings["variants"][precision]
    content = (model_dir / Path(of["graphs"]["detect"]["file"]).name).read_bytes()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    tensors = [entry, *session.get_outputs()]
    if any(isinstance(size, int) for tensor in tensors for size in tensor.shape[:1]) or any(
        not isinstance(size, int) for tensor in tensors for size in tensor.shape[1:]
    ):
        family = settings["model"]["type"]
        raise ModelError(
            f"{model_dir}: the detector of {family} takes one image at a time, and Triton's "
            "batches need one that takes several; serve it with `serve`"
        )
    types = {"tensor(uint8)": "TYPE_UINT8", "tensor(float)": "TYPE_FP32"}
    image, *outputs = (
        Tensor(tensor.name, types[tensor.type], tuple(tensor.shape[1:])) for tensor in tensors
    )
    return Graph(content, image, tuple(outputs))
