"""Who runs exported graphs: onnxruntime on a CPU or a GPU, OpenVINO on a CPU."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sub_module.errors import ModelError
from sub_module.models.reader import Networks

Array = NDArray[Any]
# Who runs an exported model, and in which precision it does so fastest; torch runs checkpoints.
RUNTIMES = {"onnxruntime": "int8", "openvino": "int8", "onnxruntime-cuda": "float16"}


def load_networks(runtime: str, graphs: Mapping[str, bytes], num_threads: int) -> Networks:
    """Load graphs to run.

    Args:
        runtime: One of `RUNTIMES`.
        graphs: ONNX by name.
        num_threads: CPU threads of each graph.

    Raises:
        ModelError: The runtime is unknown or not installed, or cannot load a graph.
    """
    if runtime not in _LOADERS:
        raise ModelError(f"runtime {runtime!r} is none of: {', '.join(RUNTIMES)}")
    return _LOADERS[runtime](graphs, num_threads)


class OnnxNetworks:
    """Graphs in onnxruntime (see `sub_module.models.reader.Networks`)."""

    def __init__(self, graphs: Mapping[str, bytes], num_threads: int, provider: str) -> None:
        """Load all graphs.

        Args:
            graphs: ONNX by name.
            num_threads: Of each graph.
            provider: onnxruntime's name of what computes.

        Raises:
            ModelError: This onnxruntime has no such provider, or cannot load a graph.
        """
        import onnxruntime

        available = onnxruntime.get_available_providers()
        if provider not in available:
            raise ModelError(
                f"this onnxruntime has no {provider} (it has {', '.join(available)}); a GPU needs "
                "the package onnxruntime-gpu instead of onnxruntime"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        if _adds_in_16_bits():
            options.add_session_config_entry("session.x64quantprecision", "1")
        # Threads of one graph that wait for its next run would take the cores from the others.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._sessions = {}
        for name, content in graphs.items():
            try:
                self._sessions[name] = onnxruntime.InferenceSession(
                    content, options, providers=[provider]
                )
            except Exception as error:  # onnxruntime's own errors share no better base
                raise _unloadable("onnxruntime", name, error) from error

    def run(self, graph: str, inputs: Array) -> tuple[Array, ...]:
        """See `Networks`."""
        return tuple(self._sessions[graph].run(None, {"input": inputs}))


class OpenVinoNetworks:
    """Graphs in OpenVINO, on the CPU (see `sub_module.models.reader.Networks`)."""

    def __init__(self, graphs: Mapping[str, bytes], num_threads: int) -> None:
        """Load all graphs.

        Args:
            graphs: ONNX by name.
            num_threads: Of each graph.

        Raises:
            ModelError: OpenVINO is not installed, or cannot load a graph.
        """
        try:
            import openvino
        except ImportError as error:
            raise ModelError(
                "the runtime openvino is not installed: pip install openvino"
            ) from error
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": num_threads,
            # As exported: without this it computes in bfloat16 where the processor can.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        core = openvino.Core()
        self._requests = {}
        for name, content in graphs.items():
            try:
                model = core.read_model(content)
                compiled = core.compile_model(model, "CPU", settings)
            except RuntimeError as error:
                raise _unloadable("OpenVINO", name, error) from error
            self._requests[name] = compiled.create_infer_request()

    def run(self, graph: str, inputs: Array) -> tuple[Array, ...]:
        """See `Networks`."""
        results = self._requests[graph].infer([np.ascontiguousarray(inputs)], share_inputs=True)
        return tuple(results.values())


def _adds_in_16_bits() -> bool:
    """Whether sums of 8-bit products can overflow, unless onnxruntime takes twice the time."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        return "vnni" not in Path("/proc/cpuinfo").read_text()
    except OSError:
        return True


def _unloadable(runtime: str, graph: str, error: Exception) -> ModelError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return ModelError(f"{runtime} cannot load the graph {graph}: {reason}")


_LOADERS: dict[str, Callable[[Mapping[str, bytes], int], Networks]] = {
    "onnxruntime": lambda graphs, n: OnnxNetworks(graphs, n, "CPUExecutionProvider"),
    "openvino": OpenVinoNetworks,
    "onnxruntime-cuda": lambda graphs, n: OnnxNetworks(graphs, n, "CUDAExecutionProvider"),
}
