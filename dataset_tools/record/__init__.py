"""Annotation sets to training data sets: labelme's label files to COCO files."""

from dataset_tools.record.record import RecordSummary, coco_of, record

__all__ = ["RecordSummary", "coco_of", "record"]
