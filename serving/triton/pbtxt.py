"""Triton's `config.pbtxt` in pieces: protobuf's text format of its `ModelConfig`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Tensor:
    """What goes in or out of a model.

    Attributes:
        name: Of the model's tensor, and of the ensemble's.
        type: Triton's, such as `TYPE_UINT8`; `TYPE_STRING` is what V2 calls BYTES.
        dims: Of one image where the model has batches, else of the whole; -1: any size.
        is_ragged: Whether a batch may hold requests with other sizes of this.
    """

    name: str
    type: str
    dims: tuple[int, ...]
    is_ragged: bool = False

    def of_batch(self) -> Tensor:
        """The same as a model without batches has it, for whatever number of images."""
        return replace(self, dims=(-1, *self.dims))


def model(name: str, backend: str, max_batch_size: int) -> str:
    """The head of a model; 0 images: it has no batches."""
    return f"name: {_text(name)}\nbackend: {_text(backend)}\nmax_batch_size: {max_batch_size}\n"


def ensemble_model(name: str) -> str:
    """The head of an ensemble."""
    return f'name: {_text(name)}\nplatform: "ensemble"\nmax_batch_size: 0\n'


def tensors(kind: str, entries: Sequence[Tensor]) -> str:
    """The `input` or `output` of a model."""
    lines = (
        f"  {{ name: {_text(entry.name)} data_type: {entry.type} dims: {list(entry.dims)}"
        f"{' allow_ragged_batch: true' if entry.is_ragged and kind == 'input' else ''} }}"
        for entry in entries
    )
    return f"{kind} [\n" + ",\n".join(lines) + "\n]\n"


def dynamic_batching(
    preferred_images: int, max_delay_us: int, timeout_us: int, max_queue_size: int
) -> str:
    """Requests that wait are run together; a full queue and late requests are refused."""
    return f"""\
dynamic_batching {{
  preferred_batch_size: [ {preferred_images} ]
  max_queue_delay_microseconds: {max_delay_us}
  default_queue_policy {{
    timeout_action: REJECT
    default_timeout_microseconds: {timeout_us}
    max_queue_size: {max_queue_size}
  }}
}}
"""


def instances(count: int, on_gpu: bool = False) -> str:
    """How many of a model run side by side; in Python each is a process."""
    kind = "KIND_GPU" if on_gpu else "KIND_CPU"
    return f"instance_group [ {{ count: {count} kind: {kind} }} ]\n"


def parameters(values: Mapping[str, str | int | float]) -> str:
    """What the model's backend, or its Python, is told."""
    return "".join(
        f"parameters {{ key: {_text(key)} value {{ string_value: {_text(str(value))} }} }}\n"
        for key, value in values.items()
    )


def step(model_name: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """One model of an ensemble, whose tensors are called there as they are here."""
    lines = [f"model_name: {_text(model_name)}", "model_version: -1"]
    lines += [f"input_map {{ key: {_text(name)} value: {_text(name)} }}" for name in inputs]
    lines += [f"output_map {{ key: {_text(name)} value: {_text(name)} }}" for name in outputs]
    return "".join(f"      {line}\n" for line in lines)


def ensemble(steps: Sequence[str]) -> str:
    """What the models of an ensemble are; their order follows from their tensors."""
    return (
        "ensemble_scheduling {\n  step [\n    {\n"
        + "    },\n    {\n".join(steps)
        + "    }\n  ]\n}\n"
    )


def _text(value: str) -> str:
    # ASCII with JSON's escapes, which protobuf's text format has too.
    return json.dumps(value)
