"""Why a request is refused, and how HTTP and gRPC say so; one table."""

from __future__ import annotations

from http import HTTPStatus

from sub_module.errors import PlateflowError


class RequestError(PlateflowError):
    """A request that gets no readings; its message is one line for the client.

    Attributes:
        status: HTTP's.
        grpc_code: gRPC's, by name.
    """

    status = HTTPStatus.BAD_REQUEST
    grpc_code = "INVALID_ARGUMENT"


def let_go(error: Exception) -> Exception:
    """An error without the frames that it came through.

    They have the request's images among their variables, which would stay in memory as long as the
    error, and, where one of them has the error too, until the garbage collector comes by.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None
    return error


class TooLargeError(RequestError):
    """A body, a number of images or an image beyond the limits."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    grpc_code = "INVALID_ARGUMENT"


class UnsupportedImageError(RequestError):
    """An image of a format that is not read, such as HEIC."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    grpc_code = "INVALID_ARGUMENT"


class UnauthorizedError(RequestError):
    """No token, or another one."""

    status = HTTPStatus.UNAUTHORIZED
    grpc_code = "UNAUTHENTICATED"


class SlowBodyError(RequestError):
    """The client did not send its body in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    grpc_code = "DEADLINE_EXCEEDED"


class DeadlineError(RequestError):
    """The request was not answered in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    grpc_code = "DEADLINE_EXCEEDED"


class BusyError(RequestError):
    """There is no room for the request now: the queue is full, or the server is stopping.

    Attributes:
        retry_after_seconds: When to ask again.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_code = "UNAVAILABLE"

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        """One line, and when to come again."""
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message)
