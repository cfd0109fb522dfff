"""What the characters of a face have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataset_tools.draw.chance import pick_by_share
from dataset_tools.draw.faces.families import Family


@dataclass(frozen=True)
class Traits:
    """What the characters of a face have in common; lengths in heights of a capital.

    Attributes:
        roundness: Reach of a bowl's corners along x, of half the bowl.
        stretch: Their reach along y, of that along x.
        middle: Where the middle bars of B, E, H, S, 3 and 8 lie.
        waist: How much narrower the upper bowls of B, 3 and 8 are, of the width.
        mouth: Where the strokes of C, G, S, 2, 3, 5 end, from the nearer edge.
        tip: How far tips of A, M, N, V, W lie inside: 0 gives flat tips, 1 pointed ones.
        o_more: How much rounder O and Q are than 0.
        zero: plain, slash, dot or cut.
        one: stem, flag or base (flag and base).
        one_flag: How far the flag of 1 reaches down.
        one_level: The flag of 1 leaves the stem level, as a bar.
        i_bars: I has bars.
        three: round or flat (a flat top and a slanted stroke).
        four: closed or open.
        four_bar: Where the bar of 4 lies.
        four_stem: Where the stem of 4 stands, of the width.
        four_reach: How far the stem of an open 4 rises above the bar.
        six: hook, arm (no hook) or straight; of 6 and 9.
        six_eye: Height of the eye of 6 and 9.
        seven: straight, curved or barred.
        seven_foot: Where the foot of 7 stands, of the width.
        a_bar: Where the bar of A lies.
        g: bar or spur (a bar and a stem).
        j: hook, bar (a bar on the left of the top) or cap (bars on both sides).
        k: stem (arm and leg meet at the stem) or arm (the leg leaves the arm).
        m_depth: Where the middle of M ends.
        m_splay: How much the feet of M stand outside its shoulders, of the width.
        p_bowl: Where the bowls of P and R end.
        q: cross (the tail crosses the bowl), out or in.
        r: slant (the leg leaves the bowl's bottom), stem (it leaves the stem) or upright.
        s_slope: How much the middle of S falls from left to right.
        w_rise: Where the middle of W begins.
        w_splay: How much the tops of W stand outside its feet, of the width.
        y_fork: Where the arms of Y meet.
        z_bar: Z has a bar.
    """

    roundness: float
    stretch: float
    middle: float
    waist: float
    mouth: float
    tip: float
    o_more: float
    zero: str
    one: str
    one_flag: float
    one_level: bool
    i_bars: bool
    three: str
    four: str
    four_bar: float
    four_stem: float
    four_reach: float
    six: str
    six_eye: float
    seven: str
    seven_foot: float
    a_bar: float
    g: str
    j: str
    k: str
    m_depth: float
    m_splay: float
    p_bowl: float
    q: str
    r: str
    s_slope: float
    w_rise: float
    w_splay: float
    y_fork: float
    z_bar: bool


def random_traits(family: Family, thickness: float, rng: np.random.Generator) -> Traits:
    """Forms for a face of a family whose upright strokes are `thickness` heights thick."""
    within = rng.uniform
    # Heavy strokes leave the closed parts of A and 4 open only if their bars lie low.
    low = 0.6 * max(thickness - 0.13, 0.0)
    one = pick_by_share(family.ones, rng)
    i_bars = rng.random() < (0.75 if one == "stem" else family.bars)
    middle = within(0.46, 0.53)
    zero = {"cut": family.cut_zeros, "slash": family.slashed_zeros, "dot": 0.01}
    return Traits(
        roundness=within(*family.roundness),
        stretch=within(0.9, 1.5) if rng.random() < 0.7 else within(1.5, 2.6),
        middle=middle,
        waist=max(0.0, within(-0.05, 0.1)),
        mouth=within(0.21, 0.34),
        tip=within(0.0, 0.9),
        o_more=1.0 if rng.random() < 0.4 else within(1.05, 1.5),
        zero=pick_by_share({**zero, "plain": 1 - sum(zero.values())}, rng),
        one=one,
        one_flag=within(0.17, 0.34),
        one_level=rng.random() < 0.03,
        i_bars=i_bars,
        three=pick_by_share({"round": 0.86, "flat": 0.14}, rng),
        four=pick_by_share({"closed": 0.6, "open": 0.4}, rng),
        four_bar=within(0.66, 0.74) + low,
        four_stem=within(0.66, 0.8),
        four_reach=within(0.16, 0.3),
        six=pick_by_share({"hook": 0.6, "arm": 0.16, "straight": 0.24}, rng),
        six_eye=within(0.38, 0.46),
        seven=pick_by_share({"straight": 0.75, "curved": 0.22, "barred": 0.03}, rng),
        seven_foot=within(0.24, 0.5),
        a_bar=within(0.63, 0.73) + low,
        g=pick_by_share({"bar": 0.65, "spur": 0.35}, rng),
        j=pick_by_share({"hook": 0.72, "bar": 0.18, "cap": 0.1}, rng),
        k=pick_by_share({"stem": 0.5, "arm": 0.5}, rng),
        m_depth=1.0 if rng.random() < 0.3 else within(0.5, 0.8),
        m_splay=0.0 if rng.random() < 0.7 else within(0.02, 0.09),
        p_bowl=within(0.52, 0.6),
        q=pick_by_share({"cross": 0.5, "out": 0.3, "in": 0.2}, rng),
        r=pick_by_share({"slant": 0.6, "stem": 0.15, "upright": 0.25}, rng),
        s_slope=max(0.0, within(-0.05, 0.12)),
        w_rise=0.0 if rng.random() < 0.35 else within(0.2, 0.5),
        w_splay=0.0 if rng.random() < 0.25 else within(0.03, 0.17),
        y_fork=within(0.46, 0.6),
        z_bar=rng.random() < 0.02,
    )
