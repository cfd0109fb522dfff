"""The main job for Latin-script plates: a reader of photographs, learnt from drawings alone.

About an hour on two cores. `plate_training_eu_gpu` is the longer recipe for a GPU.
"""

from mmengine.config import read_base

with read_base():
    from ..cluster.kubeflow import cluster
    from ..datasets.drawn_eu import *
    from ..models.platenet_eu import *
    from ..plates.eu import *
    from ..schedules.cpu_hour import *
    from .plate_training import deploy, evaluate, test

name = "plate_training_eu"

dataset.update(split=dict(train=0.94, val=0.03, test=0.03))
dataset["draw"].update(num_images=20000, seed=1)
evaluate.update(calibrate=True)
deploy.update(
    # `add-precision` makes them; the shipped model has none, to stay below 8 MB.
    variants=[],
)
