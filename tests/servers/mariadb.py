"""A MariaDB server on a port and in a directory of its own, which can be killed and started again.

def test_something(mariadb: MariaDB) -> None:
    settings = Settings(database_url=mariadb.url("something"))
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

# As awkward as passwords are: all of these mean something in a URL.
PASSWORD = "p@ss/w:rd%#?"
USER = "plateflow"
_TIMEOUT_SECONDS = 60.0
# Where Debian keeps servers, which an ordinary user's PATH does not name.
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


class MariaDB:
    """One server. Databases are made when their URL is first asked for.

    Attributes:
        port: On 127.0.0.1.
        directory: Everything that it writes.
    """

    def __init__(self, directory: Path) -> None:
        """Make an empty data directory; `start` starts the server."""
        self.directory = directory
        self.port = _free_port()
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases: set[str] = set()
        self._num_databases = 0
        self._install()

    def start(self, durable: bool = False) -> None:
        """Start the server, on the same port and data as before, and wait until it answers.

        What is committed survives `kill`; with `durable`, which is slower, a power cut as well.
        """
        command = [
            _program("mariadbd"),
            "--no-defaults",
            f"--datadir={self._data}",
            *_as_root(),
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            # Relative to the data directory: the whole path may be too long for a socket.
            "--socket=server.sock",
            f"--pid-file={self.directory / 'server.pid'}",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=64M",
            f"--innodb-flush-log-at-trx-commit={1 if durable else 2}",
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self._wait()

    def kill(self) -> None:
        """SIGKILL: the server has no time for anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def url(self, database: str, with_password: bool = True, scheme: str = "mysql+pymysql") -> str:
        """URL of a database, which is made if it is not there."""
        if database not in self._databases:
            self.execute(f"CREATE DATABASE IF NOT EXISTS `{database}`")
            self._databases.add(database)
        return self.address(database, with_password=with_password, scheme=scheme)

    def new_url(self) -> str:
        """URL of a new, empty database."""
        self._num_databases += 1
        return self.url(f"test_{os.getpid()}_{self._num_databases}")

    def address(
        self,
        database: str,
        user: str = USER,
        password: str = PASSWORD,
        with_password: bool = True,
        scheme: str = "mysql+pymysql",
    ) -> str:
        """A URL, whether what it says is there or not."""
        from sqlalchemy.engine import URL

        url = URL.create(
            scheme, user, password if with_password else None, "127.0.0.1", self.port, database
        )
        return url.render_as_string(hide_password=False)

    def execute(self, statement: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run one statement as root, who sees everything."""
        connection = self._connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
            connection.commit()
        finally:
            connection.close()
        return rows

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _install(self) -> None:
        command = [
            _program("mariadb-install-db"),
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            f"--datadir={self._data}",
            *_as_root(),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"mariadb-install-db failed: {done.stdout}{done.stderr}")

    def _wait(self) -> None:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            try:
                self.execute(f"CREATE USER IF NOT EXISTS {USER} IDENTIFIED BY '{PASSWORD}'")
                self.execute(f"GRANT ALL ON *.* TO {USER}")
                return
            except pymysql.err.OperationalError as error:
                process = self._process
                if process is None or process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    log = self._log.read_text(errors="replace")
                    raise RuntimeError(f"mariadbd does not answer: {error}\n{log}") from error
                time.sleep(0.02)

    def _connect(self, database: str | None) -> pymysql.connections.Connection:
        return pymysql.connect(host="127.0.0.1", port=self.port, user="root", database=database)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A server for all tests of this process; whoever kills it starts it again."""
    missing = [name for name in ("mariadbd", "mariadb-install-db") if _which(name) is None]
    if missing:
        reason = f"{missing[0]} is not there; on Debian or Ubuntu: apt-get install mariadb-server"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="plateflow-mariadb-"))
    try:
        server = MariaDB(directory)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _which(name: str) -> str | None:
    return shutil.which(name, path=_PATH)


def _program(name: str) -> str:
    program = _which(name)
    assert program is not None, name
    return program


def _as_root() -> list[str]:
    # The server refuses to run as root unless told to.
    return ["--user=root"] if os.geteuid() == 0 else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
