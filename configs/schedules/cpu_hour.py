"""Training of about an hour on two CPU cores, for a reader of photographs like none it has seen."""

from mmengine.config import read_base

with read_base():
    from .cpu_minutes import train

train.update(
    max_epochs=3,
    warm_up_iters=200,
)
train["samples"].update(
    zoom=[0.7, 1.3],
    shift=0.2,
    # Mirrored plates are drawn as what is no plate.
    mirror=0.0,
    empty_crops_per_image=2,
    empty_strips_per_image=1,
    empty_tries=6,
    turned_crops=0.1,
    turned_strips=0.15,
    # Readings look at plates by several margins (`model.reading.margins`).
    strip_margin=[-0.02, 0.05],
    # Errors of as many pixels in both directions are larger shares of a plate's height.
    strip_jitter=[0.05, 0.1],
    crop_jitter=[0.18, 0.3],
    strip_gamma=[0.6, 1.6],
)
