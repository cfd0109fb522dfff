"""ONNX graphs in fewer bits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

Array = NDArray[Any]
# Together, so that nothing between two convolutions goes back to float32.
_INTEGER_OPERATORS = ["Conv", "Gemm", "MatMul", "Relu", "Add", "Resize", "MaxPool"]


def to_int8(graph: Path, out: Path, samples: Sequence[Array]) -> None:
    """Write a graph whose weights and activations are 8-bit integers.

    Weights have a scale for each output channel, activations one for each tensor, taken from the
    smallest and the largest value that samples bring about.

    Args:
        graph: A float32 graph.
        out: The file to write.
        samples: Inputs (n, C, H, W) uint8, n any number that the graph takes at once.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    class Samples(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._samples: Iterator[Array] = iter(samples)

        def get_next(self) -> dict[str, Array] | None:
            sample = next(self._samples, None)
            return None if sample is None else {"input": sample}

    model = onnx.load(graph)
    # What it would warn of is done: the exporter has folded constants and norms already.
    add_pre_process_metadata(model)
    logging.getLogger("onnxruntime.quantization").setLevel(logging.ERROR)
    quantize_static(
        model,
        out,
        Samples(),
        op_types_to_quantize=_INTEGER_OPERATORS,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_first_nodes(model),
    )


def to_float16(graph: Path, out: Path, samples: Sequence[Array]) -> None:
    """Write a graph whose weights and activations are float16, with the same inputs and outputs.

    Args:
        graph: A float32 graph.
        out: The file to write.
        samples: Not needed.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(graph), keep_io_types=True), out)


def _first_nodes(model: onnx.ModelProto) -> list[str]:
    """The nodes up to the first convolution and what follows it directly.

    Standardising an input needs its digits. A convolution over one or three channels is faster in
    float32, as integers want four at a time; it saves an eighth of the time of platenet's detector.
    """
    convolutions = [i for i, node in enumerate(model.graph.node) if node.op_type == "Conv"]
    end = convolutions[1] if len(convolutions) > 1 else 0
    return [node.name for node in model.graph.node[:end]]


CONVERTERS: dict[str, Callable[[Path, Path, Sequence[Array]], None]] = {
    "int8": to_int8,
    "float16": to_float16,
}
