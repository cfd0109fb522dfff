"""What the server says: statuses as grpc-gateway makes them of gRPC's codes, and the two shapes of
errors, of the gateway and of the uploads beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

# gRPC's code -> its number, and HTTP's status.
_CODES = {
    "Unknown": (2, 500),
    "InvalidArgument": (3, 400),
    "NotFound": (5, 404),
    "AlreadyExists": (6, 409),
    "PermissionDenied": (7, 403),
    "FailedPrecondition": (9, 400),
    "Aborted": (10, 409),
    "Unimplemented": (12, 501),
    "Internal": (13, 500),
    "Unauthenticated": (16, 401),
}


@dataclass(frozen=True)
class Answer:
    """One answer; status 0: the connection is closed without one."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A request that the server does not grant.

    Attributes:
        code: gRPC's.
        message: The whole chain of reasons, as the gateway shows it.
        outside: The reason alone; "Internal Server Error" hides it.
    """

    def __init__(self, code: str, message: str, outside: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.outside = message if outside is None else outside

    @property
    def status(self) -> int:
        """HTTP's."""
        return _CODES[self.code][1]

    def body(self) -> dict[str, Any]:
        """As the gateway writes it."""
        number = _CODES[self.code][0]
        detail = {
            "@type": "type.googleapis.com/google.rpc.Status",
            "code": number,
            "message": self.outside,
        }
        return {"code": number, "message": self.message, "details": [detail]}


def invalid(message: str) -> RefusedError:
    """What the user can mend: 400."""
    return RefusedError("InvalidArgument", f"Invalid input error: {message}", message)


def not_found(kind: str, name: str) -> RefusedError:
    """404."""
    reason = f"{kind} {name} not found"
    return RefusedError("NotFound", f"ResourceNotFoundError: {reason}", reason)


def exists(message: str) -> RefusedError:
    """409."""
    return RefusedError("AlreadyExists", f"Already exist error: {message}", message)


def internal(message: str) -> RefusedError:
    """500: how the server also says some things that the user could mend."""
    return RefusedError("Internal", f"InternalServerError: {message}", "Internal Server Error")


def as_json(status: int, data: Any, headers: dict[str, str] | None = None) -> Answer:
    """JSON."""
    body = json.dumps(data).encode()
    return Answer(status, body, {"Content-Type": "application/json", **(headers or {})})


def as_text(status: int, text: str, headers: dict[str, str] | None = None) -> Answer:
    """Plain text."""
    return Answer(
        status, text.encode(), {"Content-Type": "text/plain; charset=utf-8", **(headers or {})}
    )


def as_page(status: int, html: str, headers: dict[str, str] | None = None) -> Answer:
    """HTML."""
    return Answer(
        status, html.encode(), {"Content-Type": "text/html; charset=utf-8", **(headers or {})}
    )
