"""The search over Mask R-CNN with Swin: its config, and the four parameters that are searched."""

from mmengine.config import read_base

with read_base():
    from ..search.katib import search
    from .mask_rcnn_tiny import *

name = "tune_mask_rcnn"

search.update(
    name="mask-rcnn-swin",
    parameters=dict(
        lr=dict(key="train.lr", values=["1e-4", "5e-4", "1e-3", "5e-5", "1e-5"]),
        swin_drop_rate=dict(key="model.swin_drop_rate", values=["0.0", "0.1", "0.2", "0.3", "0.4"]),
        swin_window_size=dict(key="model.swin_window_size", values=["3", "5", "7", "9", "11"]),
        swin_mlp_ratio=dict(key="model.swin_mlp_ratio", values=["3", "4", "5"]),
    ),
)
