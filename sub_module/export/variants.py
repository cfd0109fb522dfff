"""An exported model in fewer bits, kept only if it reads as well."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.engine.evaluate import evaluate
from sub_module.errors import ModelError
from sub_module.export.convert import CONVERTERS
from sub_module.export.runtime import SETTINGS_FILE, OnnxDetector, checksum, read_settings
from sub_module.files import write_bytes, write_json
from sub_module.models.reader import Networks, build_reader
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent

Array = NDArray[Any]
# Of the calibration set; more changes nothing that EIR shows.
_NUM_CALIBRATION_IMAGES = 64


@dataclass(frozen=True)
class VariantScores:
    """How well a variant reads, and the graphs that it was made of, on the same images."""

    EIR: float
    EIR_float32: float


def add_variant(
    model_dir: Path,
    precision: str,
    calibration: Path,
    labelled: Path,
    max_eir_loss: float,
    progress: Progress = silent,
) -> VariantScores:
    """Add graphs in another precision to an exported model, if they read as well.

    The settings say the variant's EIR and on how many plates it was measured. A variant that is
    there already is replaced.

    Args:
        model_dir: What `export` wrote.
        precision: `int8` or `float16`.
        calibration: A recorded set, whose first images show what values occur in the graphs.
        labelled: A recorded set to measure EIR on.
        max_eir_loss: By how much the variant's EIR may lie below that of float32.
        progress: Told of images that are read.

    Raises:
        ModelError: It reads worse than that; the model stays as it was. Or there is no such
            precision, or the model cannot be used.
        DataError: A set cannot be used.
        OSError: The model's directory cannot be written.
    """
    if precision not in CONVERTERS:
        raise ModelError(f"precision {precision!r} is none of: {', '.join(CONVERTERS)}")
    settings = read_settings(model_dir)
    whole = OnnxDetector(model_dir)
    samples = _graph_inputs(whole.networks, settings, calibration)
    with tempfile.TemporaryDirectory() as folder:
        # A model of its own, so that it is checked by what will read it.
        trial = Path(folder)
        graphs = {}
        for name, graph in settings["graphs"].items():
            file = trial / f"{name}.{precision}.onnx"
            CONVERTERS[precision](model_dir / Path(graph["file"]).name, file, samples[name])
            graphs[name] = {"file": file.name, "sha256": checksum(file.read_bytes())}
        write_json(trial / SETTINGS_FILE, {**settings, "graphs": graphs})
        found = evaluate(OnnxDetector(trial), labelled, progress)
        scores = VariantScores(found.EIR, evaluate(whole, labelled, progress).EIR)
        if scores.EIR_float32 - scores.EIR > max_eir_loss:
            raise ModelError(
                f"{model_dir}: not kept in {precision}: its EIR {scores.EIR:.4f} is more than "
                f"{max_eir_loss:.4f} below that of float32, {scores.EIR_float32:.4f}"
            )
        for graph in graphs.values():
            write_bytes(model_dir / graph["file"], (trial / graph["file"]).read_bytes())
    variant = {"graphs": graphs, **vars(scores), "num_plates": found.num_plates}
    variants = {**settings.get("variants", {}), precision: variant}
    write_json(model_dir / SETTINGS_FILE, {**settings, "variants": variants})
    return scores


def _graph_inputs(
    networks: Networks, settings: dict[str, Any], coco_file: Path
) -> dict[str, list[Array]]:
    """What goes into each graph when images of a recorded set are read."""
    recorder = _Recorder(networks)
    standard = PlateStandard.from_config(settings["standard"])
    reader = build_reader(settings["model"], standard, recorder)
    for image in load_plate_images(coco_file, standard)[:_NUM_CALIBRATION_IMAGES]:
        reader.find([load_image(image.path)])
    for name in settings["graphs"]:
        if not recorder.inputs.get(name):
            raise ModelError(f"{coco_file}: in its images nothing is found for the graph {name}")
    return recorder.inputs


class _Recorder:
    """Networks that keep what goes into them."""

    def __init__(self, networks: Networks) -> None:
        self.inputs: dict[str, list[Array]] = {}
        self._networks = networks

    def run(self, graph: str, inputs: Array) -> tuple[Array, ...]:
        """See `Networks`."""
        self.inputs.setdefault(graph, []).append(np.array(inputs))
        return self._networks.run(graph, inputs)
