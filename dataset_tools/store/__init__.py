"""The object store: whole files and directories by name, in a directory or a bucket."""

from dataset_tools.store.store import Store, open_store

__all__ = ["Store", "open_store"]
