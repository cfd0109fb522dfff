"""Images to measure `platenet_kr` on: no photograph, font file or seed of its training.

`python pipeline_utils.py dataset draw DIR --config platenet_kr_test`; the images to measure on are
those in `DIR/test`, which the split of `platenet_kr` keeps over photographs of their own.
"""

from mmengine.config import read_base

with read_base():
    from ..datasets.drawn import dataset as _default
    from .platenet_kr import *

dataset["draw"].update(
    num_images=1786,
    seed=20261121,
    image_sizes=_default["draw"]["image_sizes"],
    plate_width=_default["draw"]["plate_width"],
    fonts=["DejaVuSansMono-Bold.ttf", "DejaVuSerif.ttf", "STIXGeneral.ttf"],
)
