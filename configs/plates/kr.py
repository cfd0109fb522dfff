"""The first plate standard: two digits and a letter A-E, then four digits, on one line or two."""

_digits = "0123456789"
_sub_slots = [
    dict(field="region", alphabet=_digits),
    dict(field="region", alphabet=_digits),
    dict(field="symbol", alphabet="ABCDE"),
]
_main_slots = [dict(field="serial", alphabet=_digits) for _ in range(4)]

plates = dict(
    # Written into checkpoints and exported models.
    name="kr",
    layouts=[
        dict(
            # As readings name it.
            name="two_line",
            # Class of the board's polygon in a data set.
            label="r_board",
            # Width over height of the plate.
            aspect=335 / 170,
            # From top to bottom; boxes are (x1, y1, x2, y2) with the plate running from 0 to 1.
            rows=[
                dict(
                    # The strip that a reader looks at.
                    box=[0.14, 0.03, 0.86, 0.41],
                    # Where characters stand, and the class of their common polygon.
                    groups=[dict(label="r_s_n", box=[0.22, 0.08, 0.78, 0.36], slots=_sub_slots)],
                ),
                dict(
                    box=[0.02, 0.36, 0.98, 0.98],
                    groups=[dict(label="r_m_n", box=[0.08, 0.42, 0.92, 0.92], slots=_main_slots)],
                ),
            ],
        ),
        dict(
            name="one_line",
            label="l_board",
            aspect=520 / 110,
            rows=[
                dict(
                    box=[0.01, 0.05, 0.99, 0.95],
                    groups=[
                        dict(label="l_s_n", box=[0.05, 0.15, 0.42, 0.85], slots=_sub_slots),
                        dict(label="l_m_n", box=[0.47, 0.15, 0.95, 0.85], slots=_main_slots),
                    ],
                ),
            ],
        ),
    ],
    # RGB.
    colours=[
        dict(background=[250, 250, 250], text=[25, 25, 30]),
        dict(background=[250, 200, 40], text=[25, 25, 30]),
        dict(background=[30, 110, 60], text=[245, 245, 245]),
        dict(background=[40, 70, 150], text=[245, 245, 245]),
        dict(background=[150, 200, 235], text=[20, 20, 30]),
    ],
    # The labels of a data set, in category order.
    classes=[
        *"0123456789",
        *"abcde",
        *["r_board", "r_s_n", "r_m_n", "l_board", "l_s_n", "l_m_n"],
    ],
)
