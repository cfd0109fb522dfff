"""What a data set repository says of itself: which one it is, and in which store its bytes lie."""

from __future__ import annotations

import json
import os
import secrets

from dataset_tools.versions.dvc import CONFIG, REMOTE, committed_files, committed_url, remote_url
from dataset_tools.versions.repository import Clone, RejectedError, origin_url
from sub_module.errors import DataError
from sub_module.settings import Settings
from sub_module.urls import shown_url

_FILE = "plateflow.json"
_KEY = "data_set_repository"
_ATTEMPTS = 5


def identity(clone: Clone) -> str | None:
    """The random number that tells this data set repository from others; None: it has none yet.

    Raises:
        DataError: What the repository says is none of ours.
    """
    text = clone.read(_FILE)
    if text is None:
        return None
    try:
        found = json.loads(text)[_KEY]
        if len(bytes.fromhex(found)):
            return str(found)
    except (ValueError, TypeError, KeyError):
        pass
    raise DataError(f"data set repository {clone.shown_url}: its {_FILE} is none of Plateflow's")


def begin(clone: Clone, settings: Settings) -> str:
    """Make sure that the repository has an identity, and that plain git and DVC can use it.

    Raises:
        DataError: The repository cannot be reached or written to.
    """
    rejected: Exception | None = None
    for _ in range(_ATTEMPTS):
        if found := identity(clone):
            return found
        files = {_FILE: json.dumps({_KEY: secrets.token_hex(16)}) + "\n"}
        if clone.read(CONFIG) is None:
            files |= committed_files(settings)
        clone.write(files)
        try:
            clone.commit(list(files), "Data sets of Plateflow")
        except RejectedError as error:
            rejected = error
            clone.fetch()
    raise DataError(f"{rejected}; try again")


def moved_files(clone: Clone, settings: Settings) -> dict[str, str]:
    """What the repository should say of its store from now on: a home may have been moved whole."""
    committed = committed_url(clone.read(CONFIG) or "")
    if committed is None or committed == remote_url(settings):
        return {}
    return committed_files(settings) if _may_move(committed, settings) else {}


def check_store(clone: Clone, settings: Settings) -> None:
    """All versions of one repository lie in one store; make sure that it is that of the settings.

    Raises:
        DataError: The repository names another.
        StoreError: The store's URL cannot be used.
    """
    committed, ours = committed_url(clone.read(CONFIG) or ""), remote_url(settings)
    if committed is None or _may_move(committed, settings) or _place(committed) == _place(ours):
        return
    raise DataError(
        f"data set repository {shown_url(origin_url(settings))}: its versions lie in "
        f"{shown_url(committed)} ({CONFIG}), not in {shown_url(ours)}: set PLATEFLOW_STORE to the "
        f"store of that; to move it, copy the store and change {CONFIG} on its branch"
    )


def _may_move(committed: str, settings: Settings) -> bool:
    """Whether repository and store are and were a home's own, which move with it."""
    is_own = settings.datasets is None and settings.store is None
    return is_own and committed.startswith("/") and committed.endswith(f"/store/{REMOTE}")


def _place(url: str) -> str:
    return os.path.realpath(url) if url.startswith("/") else url.rstrip("/")
