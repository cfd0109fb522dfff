"""Plates in Latin letters and digits, of Europe and of countries whose plates are set alike.

Three layouts; every slot takes every character, and a plate has about 5 to 8 of them.
"""

_any = dict(field="serial", alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_maybe = dict(**_any, optional=True)

# Countries' texts without spaces and hyphens: L a letter, D a digit, * either. Where a country
# leaves letters out they are not in its list; nothing is assumed of where a plate is from.
# Texts of variable length: so many letters, so many digits, so many letters, 5 to 8 in all.
_german = [
    "L" * a + "D" * b + "L" * c
    for a in (2, 3, 4, 5)
    for b in (1, 2, 3, 4)
    for c in (0, 1)
    if 5 <= a + b + c <= 8 and b + c <= 4
]
_austrian = [
    "L" * a + "D" * b + "L" * c
    for a in (1, 2)
    for b in (1, 2, 3, 4, 5)
    for c in (1, 2, 3)
    if 5 <= a + b + c <= 7
]
_irish = [
    "D" * a + "L" * b + "D" * c
    for a in (2, 3)
    for b in (1, 2)
    for c in (1, 2, 3, 4, 5)
    if 6 <= a + b + c <= 8
]

_grammars = [
    dict(name="AT", patterns=_austrian, letters="ABCDEFGHIJKLMNOPRSTUVWXYZ"),
    dict(name="BA", patterns=["LDDLDDD"], letters="AEJKMOT"),
    dict(name="BE", patterns=["DLLLDDD", "LLLDDD"]),
    # Only letters that look alike in Cyrillic.
    dict(name="BG", patterns=["LDDDDLL", "LLDDDDLL"], letters="ABCEHKMOPTXY"),
    dict(name="CH", patterns=["LLDDD", "LLDDDD", "LLDDDDD", "LLDDDDDD"]),
    dict(name="CY", patterns=["LLLDDD"], letters="ABEHIKMNPTXYZ"),
    dict(name="CZ", patterns=["DLDDDDD", "DLLDDDD"], letters="ABCDEFHIJKLMNPRSTUVXYZ"),
    dict(name="DE", patterns=_german),
    dict(name="DK", patterns=["LLDDDDD"], letters="ABCDEFGHJKLMNPRSTUVWXYZ"),
    dict(name="EE", patterns=["DDDLLL"], letters="ABCDEFGHIJKLMNOPRSTUVWXYZ"),
    # No vowels; the older ones begin with their province.
    dict(name="ES", patterns=["DDDDLLL"], letters="BCDFGHJKLMNPRSTVWXYZ"),
    dict(name="ES", patterns=["LDDDDLL", "LLDDDDL", "LLDDDDLL"]),
    dict(name="FI", patterns=["LLLDD", "LLLDDD"], letters="ABCDEFGHIJKLMNOPRSTUVXYZ"),
    dict(name="FR", patterns=["LLDDDLL"], letters="ABCDEFGHJKLMNPQRSTVWXYZ"),
    dict(
        name="FR",
        patterns=["DDDLLDD", "DDDDLLDD", "DDDLLLDD"],
        letters="ABCDEFGHJKLMNPQRSTVWXYZ",
    ),
    dict(
        name="GB",
        patterns=["LLDDLLL", "LDDDLLL", "LLLDDDL"],
        letters="ABCDEFGHJKLMNOPRSTUVWXYZ",
    ),
    # Only letters that look alike in Greek.
    dict(name="GR", patterns=["LLLDDDD"], letters="ABEHIKMNOPTXYZ"),
    dict(
        name="HR",
        patterns=["LLDDDL", "LLDDDLL", "LLDDDDL", "LLDDDDLL"],
        letters="ABCDEFGHIJKLMNOPRSTUVZ",
    ),
    dict(name="HU", patterns=["LLLDDD", "LLLLDDD"]),
    # The counties' letters between year and number.
    dict(name="IE", patterns=_irish, letters="CDEGHKLMNORSTWXY"),
    dict(name="IT", patterns=["LLDDDLL"], letters="ABCDEFGHJKLMNPRSTVWXYZ"),
    dict(name="LT", patterns=["LLLDDD"], letters="ABCDEFGHIJKLMNOPRSTUVYZ"),
    dict(name="LU", patterns=["LLDDDD", "DDDDD"], letters="ABCDEFGHJKLMNPQRSTUVWXYZ"),
    dict(name="LV", patterns=["LLDDD", "LLDDDD"], letters="ABCDEFGHIJKLMNOPRSTUVZ"),
    dict(
        name="NL",
        patterns=[
            *["LLDDLL", "LLLLDD", "DDLLLL", "DDLLLD", "DLLLDD"],
            *["LLDDDL", "LDDDLL", "LLLDDL", "DLLDDD", "DDDLLD"],
        ],
        letters="BDFGHJKLMNPRSTVWXZ",
    ),
    dict(name="NO", patterns=["LLDDDD", "LLDDDDD"], letters="ABCDEFGHJKLMNPRSTUVWXYZ"),
    dict(
        name="PL",
        patterns=[
            *["LLDDDDD", "LLDDDDL", "LLDDDLL", "LLDLDDD", "LLDLLDD", "LLLLDDD", "LLLDDLL"],
            *["LLLDLDD", "LLLDDLD", "LLLDLLD", "LLLLLDD", "LLLDDDDD", "LLLDDDDL", "LLLDDDLL"],
        ],
        letters="ABCDEFGHIJKLMNOPRSTUVWXYZ",
    ),
    dict(name="PT", patterns=["LLDDLL", "DDLLDD", "DDDDLL", "LLDDDD"]),
    dict(name="RO", patterns=["LDDLLL", "LDDDLLL", "LLDDLLL"], letters="ABCDEFGHIJKLMNOPRSTUVWXYZ"),
    dict(name="RS", patterns=["LLDDDLL", "LLDDDDLL"], letters="ABCDEFGHIJKLMNOPRSTUVXYZ"),
    dict(name="SE", patterns=["LLLDDD", "LLLDDL"], letters="ABCDEFGHJKLMNOPRSTUWXYZ"),
    dict(name="SI", patterns=["LLLLDDD", "LLDDDLL", "LLLDDDL"]),
    dict(name="SK", patterns=["LLDDDLL"], letters="ABCDEFGHIJKLMNOPRSTUVXYZ"),
    dict(
        name="TR",
        patterns=["DDLDDDD", "DDLLDDD", "DDLLDDDD", "DDLLLDD", "DDLLLDDD"],
        letters="ABCDEFGHIJKLMNOPRSTUVYZ",
    ),
    dict(name="UA", patterns=["LLDDDDLL"], letters="ABCEHIKMOPTX"),
]

plates = dict(
    name="eu",
    layouts=[
        dict(
            # European plates, 520 x 112 mm; at the front of some cars 360 x 110 mm.
            name="one_line",
            label="o_board",
            aspect=520 / 112,
            # Drawn plates' lowest and highest width over height.
            aspects=[3.2, 5.3],
            rows=[
                dict(
                    box=[0.0, 0.02, 1.0, 0.98],
                    groups=[
                        dict(
                            label="o_text",
                            box=[0.03, 0.07, 0.97, 0.93],
                            slots=[*[_any] * 5, *[_maybe] * 3],
                        )
                    ],
                ),
            ],
            # Share of drawn plates that have each; `dataset_tools/draw/plates/furniture.py` says
            # what each looks like.
            furniture=dict(
                gradient=0.15,
                shade=0.7,
                sheen=0.12,
                stripes=0.06,
                border=0.7,
                left_band=0.62,
                right_band=0.2,
                side_emblem=0.1,
                season=0.04,
                caption_below=0.12,
                seals=0.3,
                emblem=0.1,
                hyphen=0.3,
                dot=0.08,
                relief=0.6,
                wear=0.16,
                bolts=0.45,
                stickers=0.03,
                corners=0.6,
                holder=0.55,
            ),
        ),
        dict(
            # One line of text between captions: American plates (305 x 152 mm), Brazilian ones
            # with the name of the town (400 x 130 mm).
            name="captioned",
            label="c_board",
            aspect=2.4,
            aspects=[1.85, 3.3],
            rows=[
                dict(
                    box=[0.0, 0.18, 1.0, 0.98],
                    groups=[
                        dict(
                            label="c_text",
                            box=[0.03, 0.24, 0.97, 0.92],
                            slots=[*[_any] * 5, *[_maybe] * 3],
                        )
                    ],
                ),
            ],
            furniture=dict(
                gradient=0.35,
                picture=0.25,
                shade=0.6,
                sheen=0.1,
                stripes=0.1,
                border=0.4,
                top_band=0.25,
                left_band=0.04,
                side_emblem=0.15,
                caption_above=0.88,
                caption_below=0.5,
                seals=0.04,
                emblem=0.22,
                hyphen=0.25,
                dot=0.2,
                relief=0.7,
                wear=0.2,
                bolts=0.65,
                stickers=0.35,
                corners=0.7,
                holder=0.5,
            ),
        ),
        dict(
            # Square plates, and those of motorcycles.
            name="two_line",
            label="t_board",
            aspect=1.45,
            aspects=[1.1, 1.8],
            rows=[
                dict(
                    box=[0.0, 0.0, 1.0, 0.56],
                    groups=[
                        dict(
                            label="t_top",
                            box=[0.04, 0.05, 0.96, 0.48],
                            slots=[_any, *[_maybe] * 3],
                        )
                    ],
                ),
                dict(
                    box=[0.0, 0.44, 1.0, 1.0],
                    groups=[
                        dict(
                            label="t_low",
                            box=[0.04, 0.52, 0.96, 0.95],
                            slots=[*[_any] * 2, *[_maybe] * 3],
                        )
                    ],
                ),
            ],
            furniture=dict(
                gradient=0.15,
                shade=0.7,
                sheen=0.1,
                border=0.7,
                left_band=0.4,
                top_band=0.06,
                side_emblem=0.08,
                caption_above=0.15,
                caption_below=0.05,
                seals=0.25,
                emblem=0.05,
                hyphen=0.2,
                dot=0.08,
                relief=0.6,
                wear=0.16,
                bolts=0.5,
                stickers=0.1,
                corners=0.7,
                holder=0.45,
            ),
        ),
    ],
    # RGB; a pair of twice the weight is drawn twice as often.
    colours=[
        dict(background=[242, 242, 240], text=[22, 22, 26], weight=46),
        dict(background=[244, 196, 20], text=[22, 22, 24], weight=14),
        dict(background=[242, 242, 242], text=[25, 40, 110], weight=8),
        dict(background=[240, 240, 238], text=[160, 25, 40], weight=5),
        dict(background=[240, 242, 240], text=[15, 95, 60], weight=4),
        dict(background=[176, 180, 182], text=[20, 20, 22], weight=7),
        dict(background=[240, 232, 205], text=[40, 30, 60], weight=4),
        dict(background=[196, 220, 240], text=[20, 30, 80], weight=4),
        dict(background=[20, 20, 24], text=[222, 222, 220], weight=4),
        dict(background=[165, 22, 34], text=[238, 236, 232], weight=3),
        dict(background=[20, 60, 130], text=[236, 238, 240], weight=3),
        dict(background=[15, 85, 55], text=[238, 240, 236], weight=2),
    ],
    classes=[
        *"0123456789",
        *"abcdefghijklmnopqrstuvwxyz",
        *["o_board", "o_text", "c_board", "c_text", "t_board", "t_top", "t_low"],
    ],
    grammars=_grammars,
)
