"""Deleting bytes that no version needs any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dataset_tools.versions.objects import object_name
from dataset_tools.versions.pull import Puller
from dataset_tools.versions.remote import objects, open_remote
from dataset_tools.versions.version import Version


@dataclass(frozen=True)
class Freed:
    """What was deleted.

    Attributes:
        num_cached: Files of the cache.
        cached_bytes: Their bytes.
        num_stored: Objects of the store.
        stored_bytes: Their bytes.
    """

    num_cached: int
    cached_bytes: int
    num_stored: int
    stored_bytes: int


def collect_garbage(versions: Sequence[Version], puller: Puller, store: bool) -> Freed:
    """Delete what none of the versions needs; nobody may add meanwhile.

    Args:
        versions: All that there are.
        puller: For the cache, the store, and the versions' listings.
        store: Delete from the store too.

    Raises:
        StoreError: The store cannot be used, or the listing of a version is missing: nothing is
            deleted then.
    """
    # Before anything is deleted: every listing must be there.
    needed = {
        name
        for version in versions
        for content in [puller.listing(version)]
        for name in (
            object_name(content.md5, is_listing=True),
            *map(object_name, content.files.values()),
        )
    }
    cache = puller.cache

    def delete(name: str) -> None:
        (cache.root / name).unlink(missing_ok=True)

    num_cached, cached_bytes = _delete(list(cache.objects()), needed, delete)
    num_stored = stored_bytes = 0
    if store:
        remote = open_remote(puller.settings)
        num_stored, stored_bytes = _delete(list(objects(remote)), needed, remote.delete)
    return Freed(num_cached, cached_bytes, num_stored, stored_bytes)


def _delete(
    found: Iterable[tuple[str, int]], needed: set[str], delete: Callable[[str], None]
) -> tuple[int, int]:
    doomed = [(name, size) for name, size in found if name not in needed]
    # Listings first: where DVC finds one in the store, it takes for granted that the files which
    # it lists are there too, and does not send them.
    for name, _ in sorted(doomed, key=lambda item: not item[0].endswith(".dir")):
        delete(name)
    return len(doomed), sum(size for _, size in doomed)
