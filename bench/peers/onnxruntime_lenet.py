"""LeNet in ONNX Runtime: the forward pass, as one graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from refimpl.arrays import Array
from refimpl.lenet import ARCHITECTURE, PARAMETER_SHAPES

NODES = {
    "convolution": "Conv",
    "sigmoid": "Sigmoid",
    "average pooling": "AveragePool",
    "flatten": "Flatten",
    "linear": "Gemm",
}
OPSET, IR = helper.make_opsetid("", 22), 10


class OnnxruntimeLeNet:
    """LeNet (S18). It is not trained, so there is no learning rate."""

    def __init__(self, parameters: dict[str, Array], _: float) -> None:
        assert set(parameters) == set(PARAMETER_SHAPES)
        own = [numpy_helper.from_array(p.astype(np.float32), name) for name, p in parameters.items()]
        given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("0", "12"))
        graph = helper.make_graph([_node(layer) for layer in range(12)], "LeNet", [given], [made], own)
        model = helper.make_model(graph, opset_imports=[OPSET], ir_version=IR)
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def logits(self, images: Array) -> Array:
        """The forward pass."""
        (found,) = self._session.run(None, {"0": images})
        return np.asarray(found)


def _node(layer: int) -> Any:
    """A layer: its input and output are called after its place and the next."""
    kind, arguments = ARCHITECTURE[layer]
    weights = [name for name in (f"{layer}.weight", f"{layer}.bias") if name in PARAMETER_SHAPES]
    about: dict[str, dict[str, Any]] = {
        "convolution": {"pads": [arguments.get("padding", 0)] * 4},
        "average pooling": {"kernel_shape": [2, 2], "strides": [2, 2]},
        "linear": {"transB": 1},
    }
    return helper.make_node(NODES[kind], [str(layer), *weights], [str(layer + 1)], **about.get(kind, {}))
