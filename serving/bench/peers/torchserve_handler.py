"""TorchServe's handler, as the first system had it: one file inside the model archive."""

from typing import Any

from serving.bench.peers.image_reader import ImageReader


class PlateHandler:
    """Called by a worker of TorchServe with a batch of requests."""

    def initialize(self, context: Any) -> None:
        """Load the model."""
        self._reader = ImageReader()

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[dict[str, Any]]:
        """One answer a request."""
        return [self._reader.read(bytes(row.get("body") or row["data"])) for row in data]
