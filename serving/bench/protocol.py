"""How each server is asked for the readings of one JPEG, and how it answers."""

from __future__ import annotations

import json
import struct
from typing import Any, Protocol

MODEL_NAME = "plateflow"
Answer = dict[str, Any]


class WireFormat(Protocol):
    """Requests and answers of one kind of server."""

    def request(self, jpeg: bytes) -> bytes:
        """A whole HTTP request."""

    def answer(self, body: bytes) -> Answer:
        """What `ImageAnswer.to_dict` gave, from the body of the server's answer.

        Raises:
            ValueError, KeyError, TypeError, IndexError: It is none.
        """


class RawBody:
    """The JPEG is the body; the answer is JSON."""

    def __init__(self, path: str) -> None:
        """Where it is sent."""
        self._path = path

    def request(self, jpeg: bytes) -> bytes:
        """See `WireFormat`."""
        return _post(self._path, jpeg, "Content-Type: image/jpeg\r\n")

    def answer(self, body: bytes) -> Answer:
        """See `WireFormat`."""
        answer = json.loads(body)
        return dict(answer)


class OpenInference:
    """V2 with the binary-data extension: one BYTES tensor `image`, one `readings`."""

    _PATH = f"/v2/models/{MODEL_NAME}/infer"

    def request(self, jpeg: bytes) -> bytes:
        """See `WireFormat`."""
        tensor = struct.pack("<I", len(jpeg)) + jpeg
        sizes = {"binary_data_size": len(tensor)}
        inputs = [{"name": "image", "shape": [1], "datatype": "BYTES", "parameters": sizes}]
        outputs = [{"name": "readings", "parameters": {"binary_data": False}}]
        header = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
        lengths = f"Inference-Header-Content-Length: {len(header)}\r\n"
        return _post(
            self._PATH, header + tensor, f"Content-Type: application/octet-stream\r\n{lengths}"
        )

    def answer(self, body: bytes) -> Answer:
        """See `WireFormat`."""
        [output] = json.loads(body)["outputs"]
        return dict(json.loads(output["data"][0]))


def texts(answer: Answer) -> tuple[str, ...]:
    """What was read in an image, in an order that does not hang on scores."""
    return tuple(sorted(plate["text"] for plate in answer["plates"]))


def _post(path: str, body: bytes, headers: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    )
    return head.encode() + body
