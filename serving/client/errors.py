"""Why there are no readings: because of the image, or because of the server."""

from __future__ import annotations

from sub_module.errors import DataError, PlateflowError


class ImageError(DataError):
    """One image that gets no readings; others may."""


class ServerError(PlateflowError):
    """A server that cannot be asked, so that no image gets readings."""


class AwayError(ServerError):
    """A server that does not answer now, but may soon.

    Attributes:
        pause_seconds: How long it wishes to be left alone; None: it says nothing.
    """

    def __init__(self, message: str, pause_seconds: float | None = None) -> None:
        """One line, and the server's wish."""
        super().__init__(message)
        self.pause_seconds = pause_seconds
