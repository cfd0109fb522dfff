"""What mmengine's hooks lack: checks, figures, pictures, and what a checkpoint says of itself."""

from sub_module.engine.hooks.buffers import SharedBuffersHook
from sub_module.engine.hooks.check import CheckHook, check_data_set, check_model
from sub_module.engine.hooks.description import DescriptionHook
from sub_module.engine.hooks.figures import FiguresHook
from sub_module.engine.hooks.finite import FiniteHook
from sub_module.engine.hooks.pictures import PictureHook
from sub_module.engine.hooks.progress import ProgressHook
from sub_module.engine.hooks.time_left import TimeLeftLogProcessor

__all__ = [
    "CheckHook",
    "DescriptionHook",
    "FiguresHook",
    "FiniteHook",
    "PictureHook",
    "ProgressHook",
    "SharedBuffersHook",
    "TimeLeftLogProcessor",
    "check_data_set",
    "check_model",
]
