"""LitServe: `python -m serving.bench.peers.litserve_server --port N --workers N`."""

import argparse
from typing import Annotated, Any

import litserve
from fastapi import Body

from serving.bench.peers.image_reader import ImageReader


class PlateAPI(litserve.LitAPI):  # type: ignore[misc]
    """One worker's part."""

    def setup(self, device: str) -> None:
        """Load the model."""
        self._reader = ImageReader()

    def decode_request(self, request: Annotated[bytes, Body()]) -> bytes:
        """The body is the image."""
        return request

    def predict(self, image: bytes) -> dict[str, Any]:
        """Read one image."""
        return self._reader.read(image)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """The answer is the body."""
        return output


def main() -> None:
    """Serve until the process ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    options = parser.parse_args()
    server = litserve.LitServer(
        PlateAPI(api_path="/read"),
        accelerator="cpu",
        workers_per_device=options.workers,
    )
    server.run(
        host="127.0.0.1",
        port=options.port,
        generate_client_file=False,
        log_level="error",
        access_log=False,
    )


if __name__ == "__main__":
    main()
