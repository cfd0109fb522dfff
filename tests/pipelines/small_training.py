"""The main job in small: a minute instead of many, to see that it runs, not what it learns."""

# A config is data over a base: dict(key=...) and a base imported whole.
# ruff: noqa: C408, F403, F405

from mmengine.config import read_base

with read_base():
    from ...configs.pipelines.plate_training import *

name = "small_training"
dataset["draw"].update(num_images=60, image_sizes=[[320, 240]], plate_width=[0.3, 0.5])
dataset.update(split=dict(train=0.6, val=0.2, test=0.2))
train.update(max_epochs=2, batch_size=8, num_processes=2, warm_up_iters=2, log_interval=1)
train.update(num_pictures=1)
model.update(widths=dict(detector=8, refiner=8, reader=8))
test.update(num_pictures=3)
deploy.update(min_eir=0.0)
