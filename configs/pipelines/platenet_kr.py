"""The platenet that ships in `models/platenet-kr/`: more drawn images, more fonts, longer training.

`platenet_kr_test` draws the images that it is measured on.
"""

from mmengine.config import read_base

with read_base():
    from .plate_training import *

name = "platenet_kr"

dataset.update(
    # Enough photographs for a test set to be drawn over photographs of its own.
    split=dict(train=0.64, val=0.08, test=0.28),
)
dataset["draw"].update(
    num_images=12000,
    seed=1,
    image_sizes=[[640, 480], [480, 640], [960, 720]],
    plate_width=[0.11, 0.5],
    fonts=[
        "DejaVuSans-Bold.ttf",
        "DejaVuSans-Oblique.ttf",
        "DejaVuSans.ttf",
        "DejaVuSansMono-Oblique.ttf",
        "DejaVuSansMono.ttf",
        "DejaVuSerif-Bold.ttf",
        "STIXGeneralBol.ttf",
        "cmb10.ttf",
        "cmss10.ttf",
        "cmtt10.ttf",
    ],
)
train.update(max_epochs=16, warm_up_iters=200)
