"""Training of mask_rcnn_swin's `tiny` on a GPU of 40 GB or more."""

from mmengine.config import read_base

with read_base():
    from .mask_rcnn_cpu import train

train.update(
    max_epochs=24,
    batch_size=16,
    lr=2e-4,
    warm_up_iters=500,
    # Reading images and fitting them to the canvas keeps so many busy.
    num_workers=12,
    best_metric="EIR",
)
train["samples"].update(
    zoom=[0.75, 1.33],
    shift=0.1,
    contrast=0.3,
    brightness=20.0,
)
