"""Recording with names: what is recorded, and what of it is made, are versions that can be had
again."""

from __future__ import annotations

from pathlib import Path

from components.record.annotations import named_version, unchanged
from components.step import Step
from dataset_tools.catalog import Catalog
from dataset_tools.record import RecordSummary, record
from dataset_tools.versions import DataSets, Version
from sub_module.errors import DataError
from sub_module.settings import Settings

# Of a config that was uploaded before the key came.
_CATEGORY = "board_dataset"


def record_versions(
    step: Step, annotations: Path, catalog: Catalog
) -> tuple[RecordSummary, dict[str, str]]:
    """Record an annotation set into the step's folder; both sets become versions.

    Sets whose bytes are a version already are that version.

    Args:
        step: Its config says which version the directory was fetched from, if it was.
        annotations: The annotation set's directory.
        catalog: Has both versions' rows afterwards.

    Returns:
        What became of the set, and the tags of `annotation_set` and `training_set`.

    Raises:
        DataError: None of the set's files can be used, a split has no plate, a file changed, or
            nobody has reviewed some labels.
        StoreError, CatalogError: A version cannot be published; then there is none of that name.
    """
    data_sets, settings = DataSets(Settings(home=step.volume)), step.config["dataset"]
    out = step.empty_folder()
    with unchanged(annotations):
        version = _annotation_version(step, annotations, data_sets, catalog)
        summary = record(annotations, out, step.standard, settings, progress=step.progress)
    _check_reviewed(annotations, version, summary)
    published = data_sets.add_training(
        out,
        version.category,
        None,
        version.tag,
        step.standard,
        settings["split"],
        progress=step.progress,
    )
    return summary, {"annotation_set": version.tag, "training_set": published.tag}


def _annotation_version(
    step: Step, annotations: Path, data_sets: DataSets, catalog: Catalog
) -> Version:
    """The version of an annotation set; a new one of its usable files when it is none."""
    named = named_version(step.config, data_sets)
    if named is not None:
        noted = catalog.annotation_set(named.tag)
        # Of another data set repository a version of this name may hold other files; `add` says so.
        if noted is not None and noted.content_md5 == named.content_md5:
            return named
    # A colleague's version, whose rows are in another catalog, is noted in this one too.
    published = data_sets.add(
        annotations,
        named.category if named else step.config["dataset"].get("category", _CATEGORY),
        named.version if named else None,
        step.standard,
        skip_rejected=True,
        progress=step.progress,
        # Whoever made it has decided that.
        allow_unreviewed=named is not None,
    )
    return data_sets.find(published.tag)


def _check_reviewed(annotations: Path, version: Version, summary: RecordSummary) -> None:
    """A model would learn its predecessor's mistakes from labels that nobody has looked at."""
    # A version holds an image and its label file each, without those that are not reviewed.
    unreviewed = sum(summary.num_images.values()) - version.num_files // 2
    if unreviewed > 0:
        raise DataError(
            f"{annotations}: {unreviewed} label files that no person has reviewed; tick `reviewed` "
            "in labelme, or take them as they are: `dataset add --allow-unreviewed`, then "
            "dataset.version"
        )
