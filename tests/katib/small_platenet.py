"""A search over platenet in small, from a learning rate with which nothing is learnt."""

# A config is data over a base: dict(key=...) and a base imported whole.
# ruff: noqa: C408, F403, F405

from mmengine.config import read_base

with read_base():
    from ...configs.pipelines.tune_platenet import *

name = "small_platenet"
dataset["draw"].update(num_images=60, image_sizes=[[320, 240]], plate_width=[0.3, 0.5])
dataset.update(split=dict(train=0.6, val=0.2, test=0.2))
train.update(lr=1e-7, max_epochs=12, val_interval=4, batch_size=8, num_processes=1, warm_up_iters=2)
train["samples"].update(crops_per_plate=1, strips_per_row=1)
model.update(
    widths=dict(detector=8, refiner=8, reader=8),
    sizes=dict(detector=[128, 96], crop=[64, 48], strip=[96, 24], crop_margin=0.25),
)
# What is hardly a plate counts too, so that a minute of training shows in mAP.
model["reading"].update(min_heat=0.05, min_plate=0.0, min_score=0.0)
search.update(
    name="small",
    parameters=dict(lr=dict(key="train.lr", values=["1e-7", "2e-3", "5e-3", "1e-2"])),
)
