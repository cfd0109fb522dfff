"""platenet for plates whose texts vary in length, form and grammar."""

from mmengine.config import read_base

with read_base():
    from .platenet import model

model["sizes"].update(
    # Plates down to 0.07 of an image's width.
    detector=[320, 256],
    # Long plates are found less exactly in height, as a share of it, than in width.
    crop_margin=[0.25, 0.4],
    # A tenth more than kr's: 8 characters where kr has 7.
    strip=[176, 32],
)
model["reading"].update(
    # Before calibration, by which it comes to about 0.2: of readings with less, most are wrong.
    min_score=0.05,
    # What is cut off by the border of an image shows a part of its text.
    max_outside=0.03,
    margins=[-0.02, 0.0, 0.02, 0.04],
    # What is no plate reads differently at each look.
    min_agreeing=2,
    min_characters=5,
    max_turned=1.2,
)
# Signs, words and screens are many more than plates.
model["loss_weights"].update(is_plate=1.0)
