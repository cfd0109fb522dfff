"""A server's socket, and how its address is said."""

from __future__ import annotations

import socket

import pytest

from serving.listening import address_of, listen
from sub_module.errors import ConfigError


def test_a_burst_is_taken_before_anyone_accepts() -> None:
    with listen("localhost", 0, "port") as listening:
        address = listening.getsockname()[:2]
        waiting = [socket.create_connection(address, timeout=5) for _ in range(300)]
        for connection in waiting:
            connection.close()


def test_an_address_is_said_as_a_url_has_it() -> None:
    with listen("127.0.0.1", 0, "port") as listening:
        assert address_of(listening) == f"127.0.0.1:{listening.getsockname()[1]}"
    try:
        listening = listen("::1", 0, "port")
    except ConfigError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with listening:
        assert address_of(listening) == f"[::1]:{listening.getsockname()[1]}"


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"], ids=["unknown", "not ours"])
def test_a_host_that_is_not_of_this_machine(host: str) -> None:
    with pytest.raises(ConfigError, match=f"^http_port: cannot listen at {host}:0: [A-Z]"):
        listen(host, 0, "http_port")
