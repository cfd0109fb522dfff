"""What the OpenAPI description says of requests and answers; nothing is validated with these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

Point = tuple[float, float]
# What every protocol may say beside the images.
STANDARD = (
    "The plates to read, where the model can read them: the name of a plate standard, such as br; "
    "default: those that the server was started for."
)


class Plate(BaseModel):
    """One plate; all places are in pixels of the image as sent, after its EXIF rotation."""

    layout: str = Field(description="The plate's layout, such as one_line.")
    box: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2.")
    corners: tuple[Point, Point, Point, Point] = Field(
        description="Clockwise from the plate's own top left."
    )
    centre: Point = Field(description="Of the box.")
    size: tuple[float, float] = Field(description="Width and height of the box.")
    region: str
    symbol: str
    serial: str
    text: str = Field(description="The whole text in reading order.")
    score: float = Field(ge=0, le=1)
    raw: str = Field(description="The text before a grammar chose among characters alike.")
    grammar: str = Field(description="Which grammar the text follows; empty: none.")


class ImageSize(BaseModel):
    """Pixels."""

    width: int
    height: int


class ModelVersion(BaseModel):
    """Which model it was."""

    name: str
    version: str
    standard: str = Field(description="Name of the standard of the plates that it read.")


class Answer(BaseModel):
    """What is read in one image."""

    plates: list[Plate] = Field(description="Best first.")
    image: ImageSize
    model: ModelVersion
    timings_ms: dict[str, float] = Field(description="By stage: queue, decode, read.")


class Error(BaseModel):
    """Why there is no answer, in one line."""

    error: str


class Data(BaseModel):
    """One image."""

    data: str = Field(description="base64")


class Base64(BaseModel):
    """Bytes in JSON."""

    b64: str = Field(description="base64")


class Image(BaseModel):
    """One image, as TensorFlow Serving writes it."""

    image: Base64


class Instances(BaseModel):
    """Several images."""

    instances: list[Image | Data] = Field(min_length=1)
    standard: str | None = Field(default=None, description=STANDARD)


class OneImage(Data):
    """One image, without a list round it."""

    standard: str | None = Field(default=None, description=STANDARD)


class Predictions(BaseModel):
    """One answer an instance, in their order."""

    predictions: list[Answer]


class ImageTensor(BaseModel):
    """The images."""

    name: Literal["image"]
    datatype: Literal["BYTES"]
    shape: list[Annotated[int, Field(ge=1)]] = Field(
        description="As many elements as there are images.", min_length=1
    )
    data: list[str] = Field(
        description="base64; with the binary data extension it stands behind the JSON instead.",
        min_length=1,
    )
    parameters: dict[str, Any] | None = None


class WantedOutput(BaseModel):
    """An output, and how it is wanted."""

    name: Literal["readings"]
    parameters: dict[str, Any] | None = None


class InferRequest(BaseModel):
    """A request of the open inference protocol."""

    id: str | None = None
    inputs: list[ImageTensor] = Field(min_length=1, max_length=1)
    outputs: list[WantedOutput] | None = None
    parameters: dict[str, Any] | None = Field(default=None, description=f"`standard`: {STANDARD}")


class ReadingsTensor(BaseModel):
    """One JSON text an image; what it holds is an `Answer`."""

    name: Literal["readings"]
    datatype: Literal["BYTES"]
    shape: list[int]
    data: list[str]


class InferResponse(BaseModel):
    """A response of the open inference protocol."""

    id: str
    model_name: str
    model_version: str
    outputs: list[ReadingsTensor]


class Tensor(BaseModel):
    """A tensor's description; -1: any size."""

    name: str
    datatype: str
    shape: list[int]


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str
    version: str
    extensions: list[str]


class ModelMetadata(BaseModel):
    """What the model takes and gives; it has a version once it is loaded."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Tensor]
    outputs: list[Tensor]


class Models(BaseModel):
    """The models that there are: one."""

    models: list[str]


class Live(BaseModel):
    """The process answers."""

    live: bool


class Ready(BaseModel):
    """Requests are answered: the model is loaded and warm, and the server is not stopping."""

    ready: bool


class ModelReady(BaseModel):
    """The same of one model."""

    name: str
    ready: bool
