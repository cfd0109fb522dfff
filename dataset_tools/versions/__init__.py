"""Versions of data sets: git tags for names, DVC for bytes, the catalog for what is in them."""

from dataset_tools.versions.data_sets import DataSets
from dataset_tools.versions.listing import ListedVersion, Noted
from dataset_tools.versions.remote import Freed
from dataset_tools.versions.version import Kind, LeftOut, Published, Version

__all__ = ["DataSets", "Freed", "Kind", "LeftOut", "ListedVersion", "Noted", "Published", "Version"]
