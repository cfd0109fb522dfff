"""Brazil: three letters and four digits, or since 2018 a letter in the fifth place, all on one line
below the name of the town or the country; on two lines on motorcycles.

Its layouts are those of `eu` with as many slots as Brazil needs, so networks trained for `eu` read
its plates.
"""

_any = dict(field="serial", alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_furniture = dict(
    shade=0.7,
    sheen=0.1,
    border=0.5,
    hyphen=0.3,
    dot=0.3,
    relief=0.7,
    wear=0.2,
    side_emblem=0.08,
    bolts=0.6,
    corners=0.6,
    holder=0.35,
)

plates = dict(
    name="br",
    layouts=[
        dict(
            name="captioned",
            label="c_board",
            # 400 x 130 mm.
            aspect=400 / 130,
            aspects=[2.8, 3.3],
            rows=[
                dict(
                    box=[0.0, 0.18, 1.0, 0.98],
                    groups=[
                        dict(
                            label="c_text",
                            box=[0.03, 0.24, 0.97, 0.92],
                            slots=[_any] * 7,
                        )
                    ],
                ),
            ],
            furniture=dict(**_furniture, caption_above=0.7, top_band=0.4),
        ),
        dict(
            name="two_line",
            label="t_board",
            # 187 x 136 mm and 200 x 170 mm.
            aspect=1.28,
            aspects=[1.15, 1.4],
            rows=[
                dict(
                    box=[0.0, 0.0, 1.0, 0.56],
                    groups=[dict(label="t_top", box=[0.04, 0.05, 0.96, 0.48], slots=[_any] * 3)],
                ),
                dict(
                    box=[0.0, 0.44, 1.0, 1.0],
                    groups=[
                        dict(label="t_low", box=[0.04, 0.52, 0.96, 0.95], slots=[_any] * 4),
                    ],
                ),
            ],
            furniture=dict(**_furniture, caption_above=0.6, top_band=0.35),
        ),
    ],
    colours=[
        dict(background=[176, 180, 182], text=[20, 20, 22], weight=5),
        dict(background=[242, 242, 242], text=[22, 22, 26], weight=5),
        dict(background=[165, 22, 34], text=[238, 236, 232], weight=1),
        dict(background=[240, 240, 238], text=[160, 25, 40], weight=1),
    ],
    classes=[
        *"0123456789",
        *"abcdefghijklmnopqrstuvwxyz",
        *["c_board", "c_text", "t_board", "t_top", "t_low"],
    ],
    grammars=[
        dict(name="BR", patterns=["LLLDDDD"]),
        dict(name="BR-Mercosul", patterns=["LLLDLDD"]),
    ],
)
