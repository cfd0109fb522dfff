"""DVC's remote in the store, object by object: what DVC's own commands do not do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_tools.store.manifest import Content as StoreContent
from dataset_tools.store.manifest import in_parallel
from dataset_tools.store.place import Place, open_place
from dataset_tools.versions.dvc import REMOTE
from dataset_tools.versions.objects import OBJECTS, Cache, Content, object_name
from sub_module.settings import Settings


def open_remote(settings: Settings) -> Place:
    """DVC's directory in the store; its keys are DVC's names of objects.

    Raises:
        StoreError: The store's URL cannot be used.
    """
    return open_place(settings, REMOTE)


def mend(remote: Place, cache: Cache, content: Content) -> None:
    """Send those files of a set that the store lacks or has damaged.

    DVC would not: where it finds a set's listing in a store, it takes the files for granted.

    Raises:
        StoreError: The store cannot be used.
    """
    found = remote.found(OBJECTS)

    def send(item: tuple[str, bool]) -> None:
        md5, is_listing = item
        name, path = object_name(md5, is_listing), cache.path(md5, is_listing)
        held = StoreContent(path.stat().st_size, md5)
        if name not in found or not remote.is_same(found[name], held):
            remote.upload(path, name, held, lambda num_bytes: None)

    in_parallel(send, [(md5, False) for md5 in set(content.files.values())], remote.num_threads)
    # Last, as everywhere: who finds it trusts that the files are there.
    send((content.md5, True))


def objects(remote: Place) -> Iterator[tuple[str, int]]:
    """Each object, and what is left of broken transfers, as its key and its bytes."""
    for key, found in remote.found(OBJECTS).items():
        yield key, found.stat().st_size if isinstance(found, Path) else int(found["size"])
