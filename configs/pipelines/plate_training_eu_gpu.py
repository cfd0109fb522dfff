"""`plate_training_eu` at length, for a GPU: six times the drawings, wider networks.

Nobody has run it yet: no GPU was at hand.
"""

from mmengine.config import read_base

with read_base():
    from .plate_training_eu import *

name = "plate_training_eu_gpu"

dataset["draw"].update(num_images=120000)
model.update(widths=dict(detector=48, refiner=32, reader=48))
train.update(max_epochs=12, batch_size=64, num_workers=12, warm_up_iters=1000)
