"""Layers of networks that people train, in their own sizes, at batches up to 256.

Each network's row says where its sizes are written down: its paper, and the file of torchvision that builds it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import INTEGERS, Case, among, whole

BATCHES = (256, 128, 64, 32, 16, 8, 4, 2, 1)
LIMITS = ((2**28, 2**22, 256), (2**29, 2**24, 256), (2**31, 2**24, 1))
"""Products of a forward pass, elements of its largest tensor, and images, in the order in which layers are dealt: what
a default run has time for, and what longer ones have. Torch takes 3 s of one core, without AVX-512, for 2²⁹ products of
a 16-bit linear layer and its gradients, and 6 s for 2³¹ of a convolution."""


@dataclass(frozen=True)
class Layer:
    """One layer: the shapes of its operands, the input's without a batch, its arguments, and its output's elements."""

    operator: str
    shapes: dict[str, tuple[int, ...]]
    arguments: dict[str, Any]
    outputs: int

    @property
    def products(self) -> int:
        """Of an example's forward pass: each output's sum, or what each input of a transposed convolution scatters."""
        scatters = self.operator == "conv_transpose2d"
        spread = math.prod(self.shapes["input"]) if scatters else self.outputs
        return spread * math.prod(self.shapes.get("weight", (1,))[1:])

    def batch(self, products: int, elements: int, images: int) -> int:
        """The largest batch within the limits, 0 if there is none."""
        weight, example = self.shapes.get("weight", (1,)), math.prod(self.shapes["input"])
        most = [products // self.products, elements // max(example, self.outputs), images]
        return next((b for b in BATCHES if b <= min(most)), 0) if math.prod(weight) <= elements else 0

    def case(self, batch: int, fill: str, seed: int) -> Case:
        """The layer of a batch."""
        return Case({**self.shapes, "input": (batch, *self.shapes["input"])}, self.arguments, fill, seed)


def conv(
    inputs: int, outputs: int, size: int, kernel: int = 3, stride: int = 1, padding: int = 0, groups: int = 1,
    bias: bool = False,
) -> Layer:  # fmt: skip
    """A square convolution of a square image."""
    shapes: dict[str, tuple[int, ...]] = {
        "input": (inputs, size, size), "weight": (outputs, inputs // groups, kernel, kernel),
    }  # fmt: skip
    arguments = {
        "stride": (stride,) * 2, "padding": (padding,) * 2, "dilation": (1, 1), "groups": groups,
    }  # fmt: skip
    positions = (size + 2 * padding - kernel) // stride + 1
    return Layer("conv2d", shapes | ({"bias": (outputs,)} if bias else {}), arguments, outputs * positions**2)


def depthwise(channels: int, size: int, stride: int = 1) -> Layer:
    """A 3×3 convolution of each channel on its own."""
    return conv(channels, channels, size, 3, stride, 1, groups=channels)


def transposed(inputs: int, outputs: int, size: int) -> Layer:
    """A 2×2 transposed convolution of stride 2, which doubles a square image."""
    shapes: dict[str, tuple[int, ...]] = {
        "input": (inputs, size, size), "weight": (inputs, outputs, 2, 2), "bias": (outputs,),
    }  # fmt: skip
    arguments = {
        "stride": (2, 2), "padding": (0, 0), "output_padding": (0, 0), "dilation": (1, 1), "groups": 1,
    }  # fmt: skip
    return Layer("conv_transpose2d", shapes, arguments, outputs * (2 * size) ** 2)


def linear(features: int, outputs: int) -> Layer:
    """A fully connected layer."""
    return Layer("linear", {"input": (features,), "weight": (outputs, features), "bias": (outputs,)}, {}, outputs)


def pool(operator: str, channels: int, size: int, kernel: int, stride: int, padding: int = 0) -> Layer:
    """A pooling with square windows."""
    arguments: dict[str, Any] = {"kernel_size": (kernel,) * 2, "stride": (stride,) * 2, "padding": (padding,) * 2}
    arguments |= {"ceil_mode": False} | ({"dilation": (1, 1)} if operator == "max_pool2d" else {})
    positions = (size + 2 * padding - kernel) // stride + 1
    return Layer(operator, {"input": (channels, size, size)}, arguments, channels * positions**2)


def to_size(channels: int, size: int, output: int) -> Layer:
    """An adaptive average."""
    shapes: dict[str, tuple[int, ...]] = {"input": (channels, size, size)}
    return Layer("adaptive_avg_pool2d", shapes, {"output_size": (output,) * 2}, channels * output**2)


NETWORKS = {
    # LeCun et al., Gradient-based learning applied to document recognition, 1998; the chapter's LeNet.
    "LeNet": (
        conv(1, 6, 28, 5, padding=2, bias=True), conv(6, 16, 14, 5, bias=True), pool("avg_pool2d", 6, 28, 2, 2),
        pool("avg_pool2d", 16, 10, 2, 2), linear(400, 120), linear(120, 84), linear(84, 10),
    ),
    # Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014; torchvision/models/alexnet.py.
    "AlexNet": (
        conv(3, 64, 224, 11, 4, 2, bias=True), conv(64, 192, 27, 5, padding=2, bias=True),
        conv(192, 384, 13, padding=1, bias=True), conv(384, 256, 13, padding=1, bias=True),
        conv(256, 256, 13, padding=1, bias=True), pool("max_pool2d", 64, 55, 3, 2), pool("max_pool2d", 192, 27, 3, 2),
        pool("max_pool2d", 256, 13, 3, 2), to_size(256, 6, 6), linear(4096, 1000), linear(4096, 4096),
    ),
    # Simonyan and Zisserman, Very deep convolutional networks, 2015, D; torchvision/models/vgg.py.
    "VGG-16": (
        conv(3, 64, 224, padding=1, bias=True), conv(64, 64, 224, padding=1, bias=True),
        conv(64, 128, 112, padding=1, bias=True), conv(128, 256, 56, padding=1, bias=True),
        conv(256, 512, 28, padding=1, bias=True), conv(512, 512, 28, padding=1, bias=True),
        conv(512, 512, 14, padding=1, bias=True), pool("max_pool2d", 64, 224, 2, 2), pool("max_pool2d", 128, 112, 2, 2),
        pool("max_pool2d", 256, 56, 2, 2), pool("max_pool2d", 512, 28, 2, 2), pool("max_pool2d", 512, 14, 2, 2),
        to_size(512, 7, 7), linear(4096, 1000), linear(4096, 4096),
    ),
    # He et al., Deep residual learning for image recognition, 2016, 50 layers; torchvision/models/resnet.py.
    "ResNet-50": (
        conv(3, 64, 224, 7, 2, 3), conv(64, 64, 56, 1), conv(64, 64, 56, padding=1), conv(64, 256, 56, 1),
        conv(256, 128, 56, 1), conv(128, 128, 56, 3, 2, 1), conv(256, 512, 56, 1, 2), conv(256, 256, 28, 3, 2, 1),
        conv(512, 1024, 28, 1, 2), conv(512, 512, 14, 3, 2, 1), conv(1024, 2048, 14, 1, 2), conv(2048, 512, 7, 1),
        conv(512, 512, 7, padding=1), conv(512, 2048, 7, 1), pool("max_pool2d", 64, 112, 3, 2, 1), to_size(2048, 7, 1),
        linear(2048, 1000),
    ),
    # Sandler et al., MobileNetV2, 2018; torchvision/models/mobilenetv2.py.
    "MobileNet-V2": (
        conv(3, 32, 224, 3, 2, 1), depthwise(32, 112), conv(32, 16, 112, 1), conv(16, 96, 112, 1),
        depthwise(96, 112, 2), conv(96, 24, 56, 1), depthwise(144, 56), depthwise(144, 56, 2), depthwise(192, 28, 2),
        depthwise(384, 14), depthwise(576, 14, 2), depthwise(960, 7), conv(160, 960, 7, 1), conv(960, 320, 7, 1),
        conv(320, 1280, 7, 1), to_size(1280, 7, 1), linear(1280, 1000),
    ),
    # Ronneberger et al., U-Net: convolutional networks for biomedical image segmentation, 2015, figure 1: its
    # up-convolutions. They are timed; no law holds them yet, since what a part of one depends on cannot be cut out.
    "U-Net": (
        transposed(1024, 512, 28), transposed(512, 256, 52), transposed(256, 128, 100), transposed(128, 64, 196),
    ),
}  # fmt: skip


def layers(operator: str) -> Iterator[list[tuple[Layer, int]]]:
    """The layers of each network that an operator computes, with their largest batch within a limit, limit by limit."""
    for limit in LIMITS:
        for network in NETWORKS.values():
            sized = [(layer, layer.batch(*limit)) for layer in network if layer.operator == operator]
            if fitting := [(layer, batch) for layer, batch in sized if batch]:
                yield fitting


@st.composite
def of(draw: st.DrawFn, fitting: list[tuple[Layer, int]]) -> Case:
    """One of some layers, with integers or real values, in its largest batch or alone."""
    layer, batch = draw(st.sampled_from(fitting))
    return layer.case(draw(among(1, batch, batch)), draw(among(INTEGERS, "normal")), draw(whole(0, 2**16 - 1)))


def in_turn(operator: str) -> tuple[st.SearchStrategy[Case], ...]:
    """A layer of each network in turn, and again within the next limit."""
    return tuple(of(fitting) for fitting in layers(operator))
