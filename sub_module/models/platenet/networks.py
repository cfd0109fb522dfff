"""The three networks of platenet: detector, corner refiner and column reader.

Shapes in names: N batch, C channels, H height, W width, T columns of a strip, A characters of the
standard's alphabet, L layouts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ConvNormAct(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | None = None,
    ) -> None:
        if padding is None:
            kernels = (kernel, kernel) if isinstance(kernel, int) else kernel
            padding = (kernels[0] // 2, kernels[1] // 2)
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions beside an identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNormAct(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, feats_NCHW: Tensor) -> Tensor:
        """Same shape in and out."""
        return torch.relu(feats_NCHW + self.second(self.first(feats_NCHW)))


class PlateDetector(nn.Module):
    """Where plates are: a heat map of centres and the four corners seen from each cell.

    One level at stride 8 (`inputs.STRIDE`), with context from strides 16 and 32 added in (after
    CenterNet, arXiv 1904.07850).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        w = width
        self.to_8 = nn.Sequential(
            ConvNormAct(3, w // 2, stride=2),
            ConvNormAct(w // 2, w, stride=2),
            Residual(w),
            ConvNormAct(w, 2 * w, stride=2),
            Residual(2 * w),
        )
        self.to_16 = nn.Sequential(ConvNormAct(2 * w, 3 * w, stride=2), Residual(3 * w))
        self.to_32 = nn.Sequential(ConvNormAct(3 * w, 4 * w, stride=2), Residual(4 * w))
        self.lateral_32 = nn.Conv2d(4 * w, 2 * w, 1)
        self.lateral_16 = nn.Conv2d(3 * w, 2 * w, 1)
        self.smooth = ConvNormAct(2 * w, 2 * w)
        self.heat = nn.Sequential(ConvNormAct(2 * w, w), nn.Conv2d(w, 1, 1))
        self.corners = nn.Sequential(ConvNormAct(2 * w, 2 * w), nn.Conv2d(2 * w, 8, 1))
        nn.init.constant_(self.heat[-1].bias, -4.0)  # type: ignore[arg-type]
        self.upsample = nn.Upsample(scale_factor=2.0, mode="nearest")

    def forward(self, images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Look at whole images.

        Args:
            images_NCHW: float or uint8, RGB 0-255, height and width multiples of 32.

        Returns:
            Heat logits (N, 1, H/8, W/8) and corner offsets (N, 8, H/8, W/8): x and y of the four
            corners, clockwise from top left, from the cell's centre, in strides.
        """
        feats_8 = self.to_8(images_NCHW.float() / 128.0 - 1.0)
        feats_16 = self.to_16(feats_8)
        context = self.lateral_16(feats_16) + self.upsample(self.lateral_32(self.to_32(feats_16)))
        feats = self.smooth(feats_8 + self.upsample(context))
        return self.heat(feats), self.corners(feats)


class CornerRefiner(nn.Module):
    """How a rough quadrangle must move to sit exactly, and what layout it has, if any."""

    def __init__(self, width: int, num_layouts: int, crop_size: tuple[int, int]) -> None:
        super().__init__()
        w = width
        self.features = nn.Sequential(
            ConvNormAct(3, w, stride=2),
            ConvNormAct(w, 2 * w, stride=2),
            Residual(2 * w),
            ConvNormAct(2 * w, 3 * w, stride=2),
            Residual(3 * w),
            ConvNormAct(3 * w, 4 * w, stride=2),
            nn.Conv2d(4 * w, w, 1),
            nn.Flatten(),
        )
        columns, rows = crop_size[0] // 16, crop_size[1] // 16
        self.hidden = nn.Sequential(nn.Linear(w * columns * rows, 128), nn.ReLU(inplace=True))
        self.head = nn.Linear(128, 8 + num_layouts + 1)

    def forward(self, crops_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Look at crops of the plate with its surroundings.

        Args:
            crops_NCHW: float or uint8, RGB 0-255.

        Returns:
            Corner offsets (N, 4, 2) in plate coordinates of the rough quadrangle, layout logits
            (N, L), and the logit (N, 1) that there is a plate.
        """
        out = self.head(self.hidden(self.features(standardise(crops_NCHW))))
        return out[:, :8].reshape(-1, 4, 2) * 0.1, out[:, 8:-1], out[:, -1:]


class ColumnReader(nn.Module):
    """Which character stands in each column of a strip: one row of text, rectified.

    Every column is a classification of its own, so that any text length and any layout share all
    weights; slots and alphabets come in only when columns are decoded.
    """

    def __init__(self, width: int, num_characters: int, strip_height: int) -> None:
        super().__init__()
        w = width
        self.features = nn.Sequential(
            ConvNormAct(1, w, stride=2),
            Residual(w),
            ConvNormAct(w, 2 * w, stride=2),
            Residual(2 * w),
            ConvNormAct(2 * w, 3 * w, stride=(2, 1)),
            Residual(3 * w),
            ConvNormAct(3 * w, 4 * w, (strip_height // 8, 1), padding=(0, 0)),
            ConvNormAct(4 * w, 3 * w, (1, 5)),
            ConvNormAct(3 * w, 3 * w, (1, 3)),
        )
        self.classify = nn.Conv2d(3 * w, 1 + num_characters, 1)

    def forward(self, strips_NCHW: Tensor) -> Tensor:
        """Read strips.

        Args:
            strips_NCHW: float or uint8, one grey channel 0-255.

        Returns:
            Logits (N, T, 1 + A), T a quarter of the width; index 0 is blank, index 1 + i the
            i-th character of the standard's alphabet.
        """
        logits: Tensor = self.classify(self.features(standardise(strips_NCHW)))
        return logits.squeeze(2).transpose(1, 2)


def standardise(crops_NCHW: Tensor) -> Tensor:
    """Shift and scale each crop to mean 0 and standard deviation 1, so that light cancels out."""
    crops = crops_NCHW.float() / 255.0
    centred = crops - crops.mean((1, 2, 3), keepdim=True)
    deviation = centred.square().mean((1, 2, 3), keepdim=True).sqrt()
    standardised: Tensor = centred / (deviation + 0.02)
    return standardised
