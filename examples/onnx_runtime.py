"""Convolution and pooling of ONNX Runtime as kernels: float32, in batches, without gradients.

pip install onnx onnxruntime
pytest properties --kernels examples/onnx_runtime.py

The maximum over a window that lies in the padding alone is the least number, not −∞, which the laws tell.
"""

from __future__ import annotations

from typing import Any

import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import Tensor

FLOAT, OPSET, IR = TensorProto.FLOAT, helper.make_opsetid("", 22), 10


def computed(operator: str, outputs: list[str], *operands: Tensor, **attributes: Any) -> list[Tensor]:
    """The outputs of one operator of ONNX. Raises NotImplementedError for operands that it does not take here."""
    if any(t.dtype != torch.float32 or t.requires_grad for t in operands) or operands[0].ndim != 4:
        raise NotImplementedError("batches in float32, without gradients")
    named = {f"operand {k}": t.numpy() for k, t in enumerate(operands)}
    given = [helper.make_tensor_value_info(name, FLOAT, values.shape) for name, values in named.items()]
    made = [
        helper.make_tensor_value_info(name, FLOAT if name == "output" else TensorProto.INT64, None) for name in outputs
    ]
    graph = helper.make_graph([helper.make_node(operator, list(named), outputs, **attributes)], operator, given, made)
    model = helper.make_model(graph, opset_imports=[OPSET], ir_version=IR)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [torch.from_numpy(values) for values in session.run(outputs, named)]


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """torch.nn.functional.conv2d by Conv."""
    if isinstance(padding, str):
        raise NotImplementedError(f"padding={padding!r}")
    operands = [input, weight] if bias is None else [input, weight, bias]
    about = {"strides": pair(stride), "pads": 2 * pair(padding), "dilations": pair(dilation), "group": groups}
    return computed("Conv", ["output"], *operands, **about)[0]


def max_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:  # fmt: skip
    """torch.nn.functional.max_pool2d by MaxPool, whose indices are counted through the whole batch."""
    about = window(kernel_size, stride, padding) | {"dilations": pair(dilation), "ceil_mode": int(ceil_mode)}
    output, indices = computed("MaxPool", ["output", "indices"], input, **about)
    return (output, indices % (input.shape[2] * input.shape[3])) if return_indices else output


def avg_pool2d(
    input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """torch.nn.functional.avg_pool2d by AveragePool."""
    if divisor_override is not None:
        raise NotImplementedError("divisor_override")
    about = {"ceil_mode": int(ceil_mode), "count_include_pad": int(count_include_pad)}
    return computed("AveragePool", ["output"], input, **window(kernel_size, stride, padding), **about)[0]


def window(kernel_size: Any, stride: Any, padding: Any) -> dict[str, list[int]]:
    """The attributes of a pooling's window; it moves by its own size where no stride is given."""
    strides = kernel_size if stride is None else stride
    return {"kernel_shape": pair(kernel_size), "strides": pair(strides), "pads": 2 * pair(padding)}


def pair(value: int | tuple[int, ...]) -> list[int]:
    """One number for both axes, or one for each."""
    return [value, value] if isinstance(value, int) else list(value)
