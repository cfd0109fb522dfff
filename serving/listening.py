"""Sockets of servers: had before anything heavy is imported, or one line that says why not."""

from __future__ import annotations

import os
import socket

from sub_module.errors import ConfigError

# Of connections: a burst arrives before the event loop takes the first.
_BACKLOG = 2048


def listen(host: str, port: int, field: str) -> socket.socket:
    """A socket that listens; port 0: any that is free.

    Args:
        host: A name or an address of this machine.
        port: Of TCP.
        field: Of the config, which the message names.

    Raises:
        ConfigError: It is not to be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        # strerror of `create_server` says the address again.
        if error.errno is None or isinstance(error, socket.gaierror):
            reason = error.strerror or str(error)
        else:
            reason = os.strerror(error.errno)
        raise ConfigError(f"{field}: cannot listen at {host}:{port}: {reason}") from error


def address_of(listening: socket.socket) -> str:
    """Host and port as a URL has them."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
