"""Servers that tests of several rooms talk to; each process of tests has its own."""

from __future__ import annotations

pytest_plugins = ["tests.servers.mariadb", "tests.servers.gcs"]
