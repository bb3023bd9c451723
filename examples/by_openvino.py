"""Convolution and pooling of OpenVINO as kernels: float32, in batches, without gradients.

pip install openvino
pytest properties --kernels examples/by_openvino.py --call-memory 16

In ceil mode AvgPool divides by the whole window where that reaches past the padding, too, which the laws tell.
"""

from __future__ import annotations

from typing import Any

import openvino
import torch
from openvino import opset13 as ops
from torch import Tensor

CORE, EXACT = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}


def computed(node: Any, inputs: list[Any], *operands: Tensor) -> Tensor:
    """The value of a node of a graph."""
    model = CORE.compile_model(openvino.Model([node], inputs), "CPU", EXACT)
    return torch.from_numpy(model([t.numpy() for t in operands])[0].copy())


def parameters(*operands: Tensor) -> list[Any]:
    """Inputs of a graph. Raises NotImplementedError for operands that it does not take here."""
    if any(t.dtype != torch.float32 or t.requires_grad for t in operands) or operands[0].ndim != 4:
        raise NotImplementedError("batches in float32, without gradients")
    return [ops.parameter(list(t.shape), openvino.Type.f32) for t in operands]


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """torch.nn.functional.conv2d by Convolution or GroupConvolution."""
    if isinstance(padding, str):
        raise NotImplementedError(f"padding={padding!r}")
    kernels = weight.unflatten(0, (groups, -1)) if groups > 1 else weight
    operands = [input, kernels] if bias is None else [input, kernels, bias[None, :, None, None]]
    given, window = parameters(*operands), [pair(stride), pair(padding), pair(padding), pair(dilation)]
    node = (ops.group_convolution if groups > 1 else ops.convolution)(*given[:2], *window)
    return computed(node if bias is None else ops.add(node, given[2]), given, *operands)


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """torch.nn.functional.avg_pool2d by AvgPool."""
    if divisor_override is not None:
        raise NotImplementedError("divisor_override")
    given, strides = parameters(input), pair(kernel_size if stride is None else stride)
    rounding = "ceil_torch" if ceil_mode else "floor"
    pads, exclude = pair(padding), not count_include_pad
    return computed(ops_avg_pool(given[0], strides, pads, pair(kernel_size), exclude, rounding), given, input)


def ops_avg_pool(x: Any, strides: list[int], pads: list[int], kernel: list[int], exclude: bool, rounding: str) -> Any:
    """AvgPool of the operator set that rounds sizes up as torch does."""
    from openvino import opset14

    return opset14.avg_pool(x, strides, pads, pads, kernel, exclude, rounding)


def pair(value: int | tuple[int, ...]) -> list[int]:
    """One number for both axes, or one for each."""
    return [value, value] if isinstance(value, int) else list(value)
