"""Creating and deleting, though an answer may be lost on its way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from cluster.api import AwayError
from pipelines.backends.kubeflow import session
from sub_module.errors import ClusterError

Made = TypeVar("Made")
_CONFLICT, _NOT_FOUND = 409, 404


def created(create: Callable[[], Made], find: Callable[[], Made | None]) -> Made:
    """Create, or find what is there: another's, or ours when the answer was lost on its way.

    A lost answer is never followed by a second try: the server may still be at it.

    Args:
        create: Asks for it, once.
        find: Looks for it by name.

    Raises:
        ClusterError: The server refuses; or the answer was lost, and nothing was made.
    """
    try:
        return create()
    except AwayError as error:
        # What was not made, or not even asked for, is not looked for.
        if not error.acted:
            raise
        for pause in (0.0, *session.PAUSES_SECONDS):
            time.sleep(pause)
            if (found := find()) is not None:
                return found
        raise ClusterError(
            f"{error}; nothing was made, as far as can be seen: try again", error.status
        ) from error
    except ClusterError as error:
        if error.status == _CONFLICT and (found := find()) is not None:
            return found
        raise


def unless_gone(delete: Callable[..., Any], *names: str, **arguments: Any) -> None:
    """Delete what was there just now; that it is gone is no mistake.

    Args:
        delete: A method of the client.
        names: What to delete.
        arguments: Of the method.

    Raises:
        ClusterError: The server refuses, or cannot be reached.
    """
    try:
        delete(*names, **arguments)
    except ClusterError as error:
        if error.status != _NOT_FOUND:
            raise
