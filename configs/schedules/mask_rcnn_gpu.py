"""Training of mask_rcnn_swin's `tiny` on a GPU of 40 GB or more; `lr` is for ImageNet weights too."""

from mmengine.config import read_base

with read_base():
    from .mask_rcnn_cpu import train

train.update(
    max_epochs=24,
    batch_size=16,
    lr=2e-4,
    warm_up_iters=500,
    # None of a loss of some ones matters; it is the rare large one that throws training off.
    max_grad_norm=5.0,
    # Drawing is done before; what takes a processor's time is to read and to fit images.
    num_workers=12,
    best_metric="EIR",
)
train["samples"].update(
    zoom=[0.75, 1.33],
    shift=0.1,
    contrast=0.3,
    brightness=20.0,
)
