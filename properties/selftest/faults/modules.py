"""Faults of layers as their constructors make them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from properties.selftest.faults.record import WIDE, fault
from properties.worker.programs.modules import module


@fault("modules", "conv2d_padded", dtypes=WIDE, of="module")
def same_by_the_larger_half(layer: str, made: dict[str, Any], called: dict[str, Any], **operands: Tensor) -> Any:
    """Convolution layer that puts the extra element of an even kernel's "same" before the image in another mode."""
    if made["padding"] != "same" or made["padding_mode"] == "zeros":
        return module(layer, made, called, **operands)
    turned = {name: t.flip(-1) if name in ("input", "weight") else t for name, t in operands.items()}
    results = module(layer, made, called, **turned)
    return {**results, "output": results["output"].flip(-1), "state weight": operands["weight"].detach().clone()}


@fault("modules", "conv3d_padded", dtypes=WIDE, of="module")
def number_of_the_last_axis(layer: str, made: dict[str, Any], called: dict[str, Any], **operands: Tensor) -> Any:
    """Convolution layer that takes one number for its padding as that of the last axis alone."""
    padding = (0, 0, made["padding"]) if isinstance(made["padding"], int) else made["padding"]
    return module(layer, {**made, "padding": padding}, called, **operands)


@fault("modules", "conv_transpose2d", dtypes=WIDE, of="module")
def sizes_in_turn(layer: str, made: dict[str, Any], called: dict[str, Any], **operands: Tensor) -> Any:
    """Transposed layer that takes the sizes of its output in the wrong order."""
    sizes = tuple(called.get("output_size", ()))
    return module(layer, made, {"output_size": (*sizes[:-2], *sizes[:-3:-1])} if sizes else {}, **operands)


@fault("modules", "linear", dtypes=WIDE, of="module")
def state_without_bias(layer: str, made: dict[str, Any], called: dict[str, Any], **operands: Tensor) -> Any:
    """Linear layer whose state has lost its bias."""
    return {name: t for name, t in module(layer, made, called, **operands).items() if name != "state bias"}


@fault("modules", "bilinear", dtypes=WIDE[:1], of="module")
def always_in_float32(layer: str, made: dict[str, Any], called: dict[str, Any], **operands: Tensor) -> Any:
    """Bilinear layer whose parameters are made in float32, whatever is asked for."""
    results = module(layer, made, called, **operands)
    return {name: t.float() if name.startswith("state ") else t for name, t in results.items()}


@fault("rejection by modules", "conv1d", dtypes=WIDE[1:], of="module")
def channels_cut_to_groups(layer: str, made: dict[str, Any], called: dict[str, Any], **operands: Tensor) -> Any:
    """Convolution layer that leaves out the channels by which its groups do not divide."""
    left_over = made["in_channels"] % made["groups"] if made["groups"] > 0 else 0
    return module(layer, {**made, "in_channels": made["in_channels"] - left_over}, called, **operands)


@fault("rejection by modules", "conv_transpose2d", dtypes=WIDE[1:], of="module")
def size_cut_to_range(layer: str, made: dict[str, Any], called: dict[str, Any], **operands: Tensor) -> Any:
    """Transposed layer that ignores an output size that it cannot give."""
    try:
        return module(layer, made, called, **operands)
    except ValueError as error:
        if "valid sizes range" not in str(error):
            raise
        return module(layer, made, {}, **operands)
