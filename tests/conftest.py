"""Servers that tests of several rooms talk to; each process of tests has its own."""

from __future__ import annotations

from tests.servers.gcs import gcs as gcs
from tests.servers.gcs import gcs_server as gcs_server
from tests.servers.mariadb import mariadb as mariadb
