"""platenet, as the embedded default trains it: about 1.6 million parameters."""

model = dict(
    # The name in Plateflow's model registry; `plates` is filled in from the plate standard.
    type="PlateNet",
    sizes=dict(
        # (width, height) in pixels: the whole image, a plate with surroundings, a row of text.
        detector=[256, 192],
        crop=[96, 64],
        strip=[160, 32],
        # Surroundings in a crop on each side, as a share of the plate; [x, y] for each direction.
        crop_margin=0.25,
    ),
    # Base channels.
    widths=dict(detector=32, refiner=24, reader=32),
    reading=dict(
        # Peaks, crops and readings with less probability are dropped.
        min_heat=0.15,
        min_plate=0.3,
        min_score=0.2,
        # Peaks looked at in an image.
        max_plates=8,
        # How often corners are refined.
        num_refinements=2,
        # Of two plates whose boxes have a larger IoU, the better one stays.
        overlap=0.4,
        # A plate with a larger share of its area outside the image is not read.
        max_outside=1.0,
        # By how much the plate is enlarged on each side for each look at its rows, as a share of
        # its width and height; what most looks say counts.
        margins=[0.0],
        # So many of those looks have to read the same.
        min_agreeing=1,
        # Shorter texts are dropped.
        min_characters=1,
        # A plate that is so many times as legible upside down or mirrored is dropped; None: nobody
        # looks.
        max_turned=None,
        # Share of plates whose text follows one of the standard's grammars, below 1; 0: grammars
        # are not asked.
        follows_grammar=0.5,
        # [slope, offset] of the log odds of a score that is right as often as it says, as
        # `evaluate.calibrate` fits them; None: scores stay as they are.
        calibration=None,
    ),
    loss_weights=dict(heat=0.2, corners=2.0, offsets=10.0, layouts=0.3, is_plate=0.5, columns=1.0),
)
