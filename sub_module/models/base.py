"""What every model family has in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sub_module.errors import ConfigError
from sub_module.models.reader import Array, Reader, build_reader
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.instances import Findings


class PlateModel(BaseModel):  # type: ignore[misc]
    """A model that mmengine's Runner trains, `export` writes as graphs, and that reads plates.

    Each graph is a method of the model that takes uint8 images; `graph_examples` names them.

    `forward(mode="loss", **batch)` takes what `collate` joined and gives losses by name;
    `forward(mode="predict", images=..., image_ids=...)` gives dicts of image_id and findings.

    Attributes:
        standard: The plates that it reads.
        reader: Puts the graphs together.
    """

    standard: PlateStandard
    reader: Reader

    def __init__(self, plates: Mapping[str, Any], model_config: Mapping[str, Any]) -> None:
        """Put the reader together; a family builds its networks after that.

        Args:
            plates: A plate standard's config.
            model_config: `model` of a config, or what of it the family's reader needs; `type` is
                filled in.
        """
        super().__init__()
        self.standard = PlateStandard.from_config(plates)
        self._trained = self.standard
        self._config = {**model_config, "type": type(self).__name__}
        self.reader = build_reader(self._config, self.standard, _TorchNetworks(self))

    def read_as(self, standard: PlateStandard) -> None:
        """From now on read the plates of another standard than the one it was trained for.

        Raises:
            ModelError: The model lacks a layout or a character of it.
        """
        networks = _TorchNetworks(self)
        self.reader = build_reader(self._config, standard, networks, self._trained)
        self.standard = standard

    @property
    def categories(self) -> tuple[str, ...]:
        """The classes that it finds, which mAP is taken over."""
        return self.reader.categories

    @property
    def has_masks(self) -> bool:
        """Whether its findings have instances, so that there is a dv_mAP."""
        return self.reader.has_masks

    @abstractmethod
    def training_set(self, coco_file: Path, settings: Mapping[str, Any]) -> Dataset[Any]:
        """Samples of a recorded set; `settings` is `train.samples` of a config.

        Raises:
            DataError: The file cannot be used, or is of another plate standard.
        """

    @staticmethod
    @abstractmethod
    def collate(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Several samples as one batch."""

    @abstractmethod
    def graph_examples(self) -> dict[str, Tensor]:
        """An example input for each method that makes an ONNX graph, by its name.

        An example of one image: the graph takes one at a time. Of two: any number.
        """

    @abstractmethod
    def head_sizes(self) -> dict[str, tuple[int, int]]:
        """For each head the number of its outputs, and that which the plate standard asks for."""

    def load_backbone(self, path: Path) -> None:
        """Start from a pretrained backbone's weights.

        Raises:
            ConfigError: The family has none.
            ModelError: The file cannot be used.
        """
        raise ConfigError(f"train.backbone_weights: {type(self).__name__} takes none, not {path}")

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[Findings]:
        """Read images, each (H, W, 3) RGB uint8."""
        return self.reader.find(images)

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[list[PlateReading]]:
        """The readings of `find`: for each image, best first."""
        return [list(findings.readings) for findings in self.find(images)]

    def forward(self, mode: str = "tensor", **batch: Any) -> Any:
        """What the Runner calls.

        Args:
            mode: `loss`: `batch` is what `collate` joined; returns losses by name.
                `predict`: `batch` has `images`, a list of RGB arrays, and `image_ids`; returns
                dicts of image_id and findings.
            batch: See `mode`.
        """
        if mode == "predict":
            findings = self.find(batch["images"])
            ids = batch["image_ids"]
            return [{"image_id": i, "findings": f} for i, f in zip(ids, findings, strict=True)]
        return self.losses(**batch)

    @abstractmethod
    def losses(self, **batch: Any) -> dict[str, Tensor]:
        """The weighted losses of a batch by name, each of which begins with `loss_`."""


class _TorchNetworks:
    """A model's graphs on arrays (see `reader.Networks`)."""

    def __init__(self, model: PlateModel) -> None:
        # A tuple keeps torch from registering the model as a module of itself.
        self._model = (model,)

    def run(self, graph: str, inputs: Array) -> tuple[Array, ...]:
        """The outputs of the method of that name."""
        model = self._model[0]
        device = next(model.parameters()).device
        with torch.inference_mode():
            out = getattr(model, graph)(torch.from_numpy(inputs).to(device))
        outputs = out if isinstance(out, tuple) else (out,)
        return tuple(
            (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()
            for tensor in outputs
        )
