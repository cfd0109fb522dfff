"""The search over platenet: the main job's config, and what of it is searched."""

from mmengine.config import read_base

with read_base():
    from ..search.katib import search
    from .plate_training import *

name = "tune_platenet"

search.update(
    name="platenet",
    additional=["EIR"],
    parameters=dict(
        lr=dict(key="train.lr", values=["5e-4", "1e-3", "2e-3", "4e-3", "8e-3"]),
        weight_decay=dict(key="train.weight_decay", values=["0.0", "0.02", "0.05"]),
        crop_jitter=dict(key="train.samples.crop_jitter", values=["0.08", "0.16", "0.24"]),
    ),
)
