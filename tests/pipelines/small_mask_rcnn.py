"""The main job with the other family in small: to see that it runs, not what it learns."""

# A config is data over a base: dict(key=...) and a base imported whole.
# ruff: noqa: C408, F403, F405

from mmengine.config import read_base

with read_base():
    from ...configs.pipelines.mask_rcnn_nano import *

name = "small_mask_rcnn"
dataset["draw"].update(num_images=60, image_sizes=[[320, 240]])
dataset.update(split=dict(train=0.6, val=0.2, test=0.2))
train.update(max_epochs=2, batch_size=8, num_processes=2, warm_up_iters=2, log_interval=1)
train.update(num_pictures=1)
model.update(input_size=[160, 128], embed_dim=16, depths=[2, 1, 1, 1], num_heads=[1, 2, 4, 8])
model.update(fpn_channels=16)
model["mask_head"].update(channels=16, num_convs=1)
test.update(num_pictures=3)
# Two trained epochs leave readings in doubt.
deploy.update(max_different=1.0)
