"""Planted faults, which the laws must catch, and correct kernels in unusual orders, which they must not.

Each is a program with the signature of the torch function that it stands for. The faults are of the kinds that
kernels really have: a wrong tap, a flipped kernel, a forgotten argument, a narrow accumulator, a wrong tail lane.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.runner.call import Program

FAULTS: dict[str, tuple[str, str, Program]] = {}
"""By name: the law that must catch it, the operator that it stands for, the program."""

CORRECT: dict[str, tuple[str, Program]] = {}
"""By name: the operator that it stands for, the program."""


def fault(law: str, operator: str) -> Callable[[Program], Program]:
    """Register a fault; it is shown by its docstring."""

    def register(program: Program) -> Program:
        FAULTS[str(program.__doc__).rstrip(".")] = (law, operator, program)
        return program

    return register


def correct(operator: str) -> Callable[[Program], Program]:
    """Register a correct program; it is shown by its docstring."""

    def register(program: Program) -> Program:
        CORRECT[str(program.__doc__).rstrip(".")] = (operator, program)
        return program

    return register


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
def bias_of_first_group_only(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that forgets its bias in every group but the first."""
    if bias is not None and arguments["groups"] > 1:
        bias = bias * (torch.arange(len(bias)) < len(bias) // arguments["groups"])
    return F.conv2d(input, weight, bias, **arguments)


@fault("agreement", "conv2d")
def bfloat16_input(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that rounds its input to bfloat16."""
    return F.conv2d(input.to(torch.bfloat16).to(input.dtype), weight, bias, **arguments)


@fault("agreement", "conv1d")
def one_element_off(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution with one element off by 1e-4 of itself from the 17th output on."""
    output = F.conv1d(input, weight, bias, **arguments)
    off = torch.ones_like(output)
    off[..., 16:17] += 1e-4
    return output * off


@fault("agreement", "conv3d")
def float16_accumulator(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that accumulates in float16."""
    narrow = (t if t is None else t.half() for t in (input, weight, bias))
    return F.conv3d(*narrow, **arguments).to(input.dtype)


@fault("agreement", "avg_pool2d")
def padding_never_counted(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling that never counts the padding."""
    return F.avg_pool2d(input, **{**arguments, "count_include_pad": False})


@fault("agreement", "avg_pool1d")
def divisor_in_ceil_mode(input: Tensor, kernel_size: tuple[int], **arguments: Any) -> Tensor:
    """Average pooling that divides by the kernel size in a window cut short by ceil mode."""
    stride, padding = arguments.pop("stride", kernel_size), arguments.pop("padding")
    window = (*kernel_size, 1), (*stride, 1), (*padding, 0)
    return F.avg_pool2d(input[..., None], *window, divisor_override=kernel_size[0], **arguments)[..., 0]


@fault("agreement", "max_pool2d")
def max_padded_with_zero(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that pads with zero."""
    values, indices = F.max_pool2d(input, return_indices=True, **arguments)
    return values.clamp(min=0), indices


@fault("agreement", "max_pool2d")
def last_of_equals(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling whose indices count from the other end among equals."""
    values, indices = F.max_pool2d(input.flip(-1, -2), return_indices=True, **arguments)
    last = input.shape[-1] * input.shape[-2] - 1
    return values.flip(-1, -2), (last - indices).flip(-1, -2)


@fault("agreement", "linear")
def missing_tail(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that leaves out the tail of 32 features."""
    whole = input.shape[-1] // 32 * 32 or input.shape[-1]
    return F.linear(input[..., :whole], weight[:, :whole], bias)


@fault("agreement", "softmax")
def softmax_unshifted(input: Tensor) -> Tensor:
    """Softmax without its shift."""
    powers = input.exp()
    return powers / powers.sum(-1, keepdim=True)


@fault("agreement", "log_softmax")
def log_of_softmax(input: Tensor) -> Tensor:
    """Log of a softmax."""
    return F.softmax(input, dim=-1).log()


@fault("agreement", "sigmoid")
def sigmoid_by_tanh(input: Tensor) -> Tensor:
    """Sigmoid by tanh, which loses the small values."""
    return (torch.tanh(input / 2) + 1) / 2


@fault("agreement", "cross_entropy")
def one_row_too_many(input: Tensor, target: tuple[int, ...]) -> Tensor:
    """Cross-entropy that divides by one row too many."""
    total = F.cross_entropy(input, torch.tensor(target), reduction="sum")
    return total / (len(target) + 1)


@fault("agreement", "sgd")
def weight_decay_sign(parameter: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> Tensor:
    """SGD whose weight decay adds to the step with the wrong sign."""
    return parameter - lr * (gradient - weight_decay * parameter)


@fault("agreement", "linear")
def always_float32(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that returns float32 whatever it is given."""
    return F.linear(input, weight, bias).float()


@fault("agreement", "sigmoid")
def overwritten_input(input: Tensor) -> Tensor:
    """Sigmoid that overwrites its input."""
    return input.detach().sigmoid_()


@fault("rerun", "linear")
def random_order(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer that adds its terms in another order every time."""
    order = torch.randperm(input.shape[-1])
    return F.linear(input[..., order], weight[:, order], bias)


class _FirstRowOnly(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(input, weight)
        return input @ weight.T

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        input, weight = context.saved_tensors
        rows, outputs = input.reshape(-1, input.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
        return gradient @ weight, outputs[:1].T @ rows[:1]


@fault("gradients", "linear")
def weight_gradient_of_first_row(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer whose weight gradient drops all rows but the first."""
    output: Tensor = _FirstRowOnly.apply(input, weight)
    return output if bias is None else output + bias


@fault("gradients", "avg_pool2d")
def doubled_gradient(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling whose gradient is doubled in the last row."""
    doubled = torch.ones_like(input)
    doubled[..., -1, :] = 2
    return F.avg_pool2d(input.detach() + (input - input.detach()) * doubled, **arguments)


@fault("flip equivalence", "conv2d")
def convolution_for_correlation(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution, when cross-correlation is asked for."""
    return F.conv2d(input, weight.flip(2, 3), bias, **arguments)


@fault("locality", "conv2d")
def past_the_window(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that reads one element past its window."""
    return F.conv2d(input + input.roll(-1, -1) * 0.5, weight, bias, **arguments)


@fault("pooling per channel", "max_pool2d")
def leaking_channel(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that lets the first channel leak into the last."""
    leaky = torch.maximum(input[..., -1:, :, :], input[..., :1, :, :])
    return F.max_pool2d(torch.cat([input[..., :-1, :, :], leaky], dim=-3), return_indices=True, **arguments)


@correct("conv2d")
def mirrored_twice(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution of the mirrored image by the mirrored kernel, unit stride."""
    if arguments["stride"] != (1, 1):
        return F.conv2d(input, weight, bias, **arguments)
    return F.conv2d(input.flip(-1, -2), weight.flip(2, 3), bias, **arguments).flip(-1, -2)


@correct("conv1d")
def tap_by_tap(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution summed tap by tap, the last tap first."""
    taps = weight.shape[2]
    output = 0.0
    for tap in reversed(range(taps)):
        alone = torch.zeros_like(weight)
        alone[..., tap] = weight[..., tap]
        output = output + F.conv1d(input, alone, None, **arguments)
    return output if bias is None else output + bias[:, None]  # type: ignore[return-value]


@correct("linear")
def pairwise(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer whose products are summed pairwise."""
    terms = input[..., None, :] * weight
    while terms.shape[-1] > 1:
        terms = F.pad(terms, (0, terms.shape[-1] % 2))
        terms = terms[..., ::2] + terms[..., 1::2]
    return terms[..., 0] if bias is None else terms[..., 0] + bias


@correct("conv3d")
def wide_accumulator(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution accumulated in float64 and rounded once."""
    wide = (t if t is None else t.double() for t in (input, weight, bias))
    return F.conv3d(*wide, **arguments).to(input.dtype)


@correct("softmax")
def softmax_in_float64(input: Tensor) -> Tensor:
    """Softmax in float64, rounded once."""
    return F.softmax(input.double(), dim=-1).to(input.dtype)


@correct("sigmoid")
def sigmoid_by_halves(input: Tensor) -> Tensor:
    """Sigmoid by its two stable halves."""
    power = (-input.abs()).exp()
    return torch.where(input >= 0, 1 / (1 + power), power / (1 + power))
