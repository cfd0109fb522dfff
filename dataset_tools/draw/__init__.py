"""Drawing of annotation sets: plates of any standard on photographs."""

from dataset_tools.draw.dataset import draw_dataset
from dataset_tools.draw.scenes.scene import draw_scene

__all__ = ["draw_dataset", "draw_scene"]
