"""Faults of convolutions, forward."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import WIDE, fault


@fault("agreement", "conv2d")
def flipped_kernel(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that flips its kernel."""
    return F.conv2d(input, weight.flip(2, 3), bias, **arguments)


@fault("agreement", "conv2d")
def flipped_3_wide_kernel(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that flips 3-wide kernels only."""
    return F.conv2d(input, weight.flip(3) if weight.shape[3] == 3 else weight, bias, **arguments)


@fault("agreement", "conv2d")
def swapped_strides(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that swaps the strides of its axes."""
    return F.conv2d(input, weight, bias, **{**arguments, "stride": arguments["stride"][::-1]})


@fault("agreement", "conv2d")
def missing_last_tap(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose last tap is missing when the kernel has more than four."""
    kept = torch.ones_like(weight)
    if weight[0, 0].numel() > 4:
        kept[..., -1, -1] = 0
    return F.conv2d(input, weight * kept, bias, **arguments)


@fault("agreement", "conv2d")
def padding_off_by_one(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that pads one column too few on the left and one too many on the right."""
    rows, columns = arguments.pop("padding")
    left = max(columns - 1, 0)
    padded = F.pad(input, (left, 2 * columns - left, rows, rows))
    return F.conv2d(padded, weight, bias, padding=0, **arguments)


@fault("agreement", "conv3d")
def padding_within_reach(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that pads by no more than the kernel's reach."""
    reaches = (d * (k - 1) for d, k in zip(arguments["dilation"], weight.shape[2:], strict=True))
    padding = tuple(min(p, reach) for p, reach in zip(arguments["padding"], reaches, strict=True))
    return F.conv3d(input, weight, bias, **{**arguments, "padding": padding})


@fault("agreement", "conv2d")
def bias_of_first_group_only(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that forgets its bias in every group but the first."""
    if bias is not None and arguments["groups"] > 1:
        bias = bias * (torch.arange(len(bias)) < len(bias) // arguments["groups"])
    return F.conv2d(input, weight, bias, **arguments)


@fault("agreement", "conv1d")
def bias_twice_without_batch(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that adds its bias twice to an input without a batch."""
    twice = bias is not None and input.ndim == 2
    return F.conv1d(input, weight, bias * 2 if twice and bias is not None else bias, **arguments)


@fault("agreement", "conv3d")
def groups_interleaved(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose groups are interleaved on the way out."""
    output = F.conv3d(input, weight, bias, **arguments)
    return output.unflatten(-4, (arguments["groups"], -1)).transpose(-5, -4).flatten(-5, -4)


@fault("agreement", "conv2d")
def channels_past_eight(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that sums whole blocks of eight channels and forgets the rest."""
    kept = weight.shape[1] // 8 * 8 or weight.shape[1]
    return F.conv2d(input, weight * (torch.arange(weight.shape[1]) < kept).view(-1, 1, 1), bias, **arguments)


@fault("agreement", "conv1d")
def repeated_tail_lanes(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose tail, after whole vectors of eight outputs, repeats its first lane."""
    output = F.conv1d(input, weight, bias, **arguments)
    at = torch.arange(output.shape[-1])
    return output[..., at.clamp(max=output.shape[-1] // 8 * 8)]


@fault("agreement", "conv2d")
def output_index_of_eight_bits(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that counts its outputs in eight bits, past which it starts again."""
    output = F.conv2d(input, weight, bias, **arguments)
    return output.flatten()[torch.arange(output.numel()) % 256].view(output.shape)


@fault("agreement", "conv1d")
def forgets_to_widen_dilation(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that dilates a kernel of two as if it were not dilated."""
    if weight.shape[2] != 2:
        return F.conv1d(input, weight, bias, **arguments)
    whole = F.conv1d(input, weight, bias, **arguments)
    return F.conv1d(input, weight, bias, **{**arguments, "dilation": (1,)})[..., : whole.shape[-1]]


@fault("agreement", "conv3d")
def unwritten_last_plane(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that leaves the last of several planes unwritten."""
    output = F.conv3d(input, weight, bias, **arguments)
    unwritten = torch.empty_like(output)
    written = output.shape[-3] - 1 or 1
    unwritten[..., :written, :, :] = output[..., :written, :, :]
    return unwritten


_packed: dict[tuple[int, ...], Tensor] = {}


@fault("agreement", "conv2d")
def stale_packed_weight(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that packs its weight once for each shape."""
    return F.conv2d(input, _packed.setdefault(tuple(weight.shape), weight.detach().clone()), bias, **arguments)


@fault("agreement", "conv2d", dtypes=(*WIDE, "float16"))
def bfloat16_input(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that rounds its input to bfloat16."""
    return F.conv2d(input.to(torch.bfloat16).to(input.dtype), weight, bias, **arguments)


@fault("agreement", "conv2d", dtypes=WIDE)
def tf32_operands(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that rounds its operands to eleven bits, as TF32 units do, where nobody allowed it."""
    fractions, exponents = torch.frexp(input)
    rounded = torch.ldexp((fractions * 2**11).round() / 2**11, exponents)
    return F.conv2d(rounded, weight, bias, **arguments)


@fault("agreement", "conv1d", dtypes=WIDE)
def one_element_off(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution with one element off by 1e-4 of itself from the 17th output on."""
    output = F.conv1d(input, weight, bias, **arguments)
    off = torch.ones_like(output)
    off[..., 16:17] += 1e-4
    return output * off


@fault("agreement", "conv3d")
def float16_accumulator(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that accumulates in float16."""
    products = _taps(input, weight, arguments)
    output = products[0].half()
    for product in products[1:]:
        output = (output + product).half()
    output = output if bias is None else (output + bias.view(-1, 1, 1, 1)).half()
    return output.to(input.dtype)


@fault("agreement", "conv1d", dtypes=("bfloat16",))
def bfloat16_accumulator(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that adds its taps in bfloat16."""
    output, *others = _taps(input, weight, arguments)
    for other in others:
        output = (output + other).bfloat16()
    return output if bias is None else output + bias[:, None]


def _taps(input: Tensor, weight: Tensor, arguments: dict[str, Any]) -> list[Tensor]:
    """The convolution by each tap alone."""
    convolve = F.conv1d if weight.ndim == 3 else F.conv3d
    parts = []
    for tap in range(weight[0, 0].numel()):
        alone = torch.zeros_like(weight)
        alone.flatten(2)[..., tap] = weight.flatten(2)[..., tap]
        parts.append(convolve(input, alone, None, **arguments))
    return parts


@fault("flip equivalence", "conv2d")
def convolution_for_correlation(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution, when cross-correlation is asked for."""
    return F.conv2d(input, weight.flip(2, 3), bias, **arguments)


@fault("flip equivalence", "conv3d")
def flipped_depth_only(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that flips its kernel along the depth."""
    return F.conv3d(input, weight.flip(2), bias, **arguments)


@fault("locality", "conv2d")
def past_the_window(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that reads one element past its window."""
    return F.conv2d(input + input.roll(-1, -1) * 0.5, weight, bias, **arguments)


@fault("translation", "conv1d")
def seams_between_blocks(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that counts the first tap twice at the seams of blocks of eight outputs."""
    output = F.conv1d(input, weight, bias, **arguments)
    first = F.conv1d(input, weight * (torch.arange(weight.shape[2]) == 0), None, **arguments)
    seams = torch.arange(output.shape[-1]) % 8 == 0
    seams[:1] = False
    return output + first * seams


@fault("1×1 = matmul", "conv2d")
def transposed_pointwise(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that takes a square bank of 1×1 kernels for its transpose."""
    square = weight.shape[0] == weight.shape[1] and weight.shape[2:] == (1, 1)
    return F.conv2d(input, weight.transpose(0, 1) if square else weight, bias, **arguments)


@fault("geometry", "conv1d")
def rounds_size_up(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that rounds its output size up, over a window that does not fit."""
    return F.conv1d(F.pad(input, (0, arguments["stride"][0] - 1)), weight, bias, **arguments)
