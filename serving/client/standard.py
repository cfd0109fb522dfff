"""Which plates a server's answer is about: what pictures of it are drawn with."""

from __future__ import annotations

from functools import cache

from serving.predictor.answer import ImageAnswer
from sub_module.plates import PlateStandard
from sub_module.plates.standards import known_standards, load_standard


def standard_of(answer: ImageAnswer, default: PlateStandard) -> PlateStandard:
    """The standard that the answer names, where it comes with Plateflow; else the default."""
    name = answer.model.get("standard", default.name)
    # Names come from a server that may be anyone's: no file is opened for one.
    if name == default.name or name not in known_standards():
        return default
    return _loaded(name)


@cache
def _loaded(name: str) -> PlateStandard:
    return load_standard(name)
