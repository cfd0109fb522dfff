"""Training of mask_rcnn_swin's `nano` on two CPU cores."""

from mmengine.config import read_base

with read_base():
    from .cpu_minutes import train

train.update(
    max_epochs=12,
    batch_size=4,
    lr=1e-3,
    weight_decay=0.05,
    warm_up_iters=50,
    best_metric="mAP",
)
train["samples"] = dict(
    # How much an image is enlarged, lowest and highest, and moved, as a share of the canvas.
    zoom=[0.9, 1.1],
    shift=0.05,
    # How much a colour's contrast changes, as a share, and the brightness, in grey levels.
    contrast=0.2,
    brightness=15.0,
)
