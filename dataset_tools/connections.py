"""What the settings connect to, and whether each works; nothing secret is in what is said."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sub_module.errors import DataError, PlateflowError, StoreError
from sub_module.files import reason_of
from sub_module.settings import Settings
from sub_module.urls import shown_url, without_secrets

_GIT_SECONDS = 30


@dataclass(frozen=True)
class Connection:
    """One thing that the settings name.

    Attributes:
        what: For people, such as `database`.
        set_by: The environment variables that are set; empty: the default is used.
        where: Which one it is.
        works: None: nothing needs it, so it was not tried.
        says: What it is, such as `MariaDB 10.11.6`, or why it does not work.
    """

    what: str
    set_by: str
    where: str
    works: bool | None
    says: str


def check_connections(settings: Settings) -> Iterator[Connection]:
    """Try database, store, data set repository and Google credentials, one after the other."""
    hidden = _secrets(settings)
    for check in (_database, _store, _repository, _google):
        found = check(settings)
        # The rooms' own messages show nothing; this is for what servers and libraries say.
        says = found.says.removeprefix(f"{found.where}: ")
        says = without_secrets(says, settings.database_url, settings.datasets)
        for secret in hidden:
            says = says.replace(secret, "***")
        yield replace(found, says=says)


def _database(settings: Settings) -> Connection:
    # SQLAlchemy takes a second and a half to import.
    from dataset_tools.catalog import open_catalog
    from dataset_tools.catalog.connect import catalog_url, shown

    variables = {
        "PLATEFLOW_DATABASE_URL": settings.database_url,
        "PLATEFLOW_DATABASE_PASSWORD": settings.database_password,
    }
    where = "in the home"
    if settings.database_url:
        try:
            where = shown(catalog_url(settings))
        except PlateflowError:
            url, shortened = settings.database_url, shown_url(settings.database_url)
            # Where nothing was taken away, nobody knows what is a password.
            where = shortened.partition("?")[0] if shortened != url else "no URL"
    set_by = " ".join(name for name, value in variables.items() if value)
    return Connection("database", set_by, where, *_tried(lambda: open_catalog(settings).check()))


def _store(settings: Settings) -> Connection:
    from dataset_tools.store import open_store

    def ask() -> str:
        open_store(settings).check()
        return "writes, reads, deletes"

    set_by = "PLATEFLOW_STORE" if settings.store else ""
    try:
        where = open_store(settings).url if settings.store else "in the home"
    except StoreError:
        where = "no URL"
    return Connection("store", set_by, where, *_tried(ask))


def _repository(settings: Settings) -> Connection:
    own = settings.home.absolute() / "datasets.git"

    def ask() -> str:
        if not settings.datasets and not own.exists():
            return "made with the first version"
        count = len(_remote_tags(settings.datasets or str(own)))
        return f"{count} version{'s'[: count != 1]}"

    set_by = "PLATEFLOW_DATASETS" if settings.datasets else ""
    where = shown_url(settings.datasets) if settings.datasets else "in the home"
    return Connection("data set repository", set_by, where, *_tried(ask))


def _remote_tags(url: str) -> list[str]:
    environment = {
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10",
        **os.environ,
        # Nobody is there to answer a question.
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }
    try:
        done = subprocess.run(
            ["git", "ls-remote", "--tags", "--refs", "--", url],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise DataError("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise DataError(f"no answer in {_GIT_SECONDS} seconds") from None
    if done.returncode:
        reasons = re.findall(r"^(?:fatal|error): .+", done.stderr, re.MULTILINE)
        raise DataError(reasons[0] if reasons else "git cannot reach it")
    return done.stdout.splitlines()


def _google(settings: Settings) -> Connection:
    from dataset_tools.store.google import credentials_source, find_credentials

    is_needed = (settings.store or "").startswith("gs://")

    def ask() -> str:
        if find_credentials(settings) is None:
            return "none found; nobody asks (anonymous)"
        return "a token was given"

    set_by, where = credentials_source(settings)
    if not is_needed:
        said = "not tried: the store is not gs://" if set_by else "not needed"
        return Connection("Google credentials", set_by, where, None, said)
    return Connection("Google credentials", set_by, where, *_tried(ask))


def _tried(ask: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, ask()
    except PlateflowError as error:
        return False, str(error)
    except OSError as error:
        return False, reason_of(error)


def _secrets(settings: Settings) -> list[str]:
    """Every value that must not be shown, except those in URLs; the longest first."""
    account = settings.service_account
    given = (settings.database_password, account.private_key_id, account.private_key)
    password, key_id, key = (value.get_secret_value() if value else "" for value in given)
    lines = re.findall(r"[\w+/=]{8,}", re.sub(r"\\+[rn]", "\n", key))
    return sorted({password, key_id, *lines} - {""}, key=len, reverse=True)
