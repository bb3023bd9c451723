"""Faults of gradients behind outputs that are right, and of outputs that are wrong where gradients are recorded."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from properties.selftest.faults.record import EVERY, WIDE, fault, with_slope_of


@fault("gradients", "conv2d", dtypes=EVERY)
def last_image_dropped(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose weight gradient drops the last image of a batch."""
    output = F.conv2d(input, weight, bias, **arguments)
    if input.ndim < 4 or len(input) < 2:
        return output
    last = F.conv2d(input[-1:], weight.detach(), bias, **arguments)
    return with_slope_of(output, torch.cat([F.conv2d(input[:-1], weight, bias, **arguments), last]))


@fault("gradients", "conv2d", dtypes=EVERY)
def bias_left_out_while_training(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that leaves out its bias where gradients are recorded, and gives the right gradients."""
    output = F.conv2d(input, weight, bias, **arguments)
    return with_slope_of(F.conv2d(input, weight, **arguments), output) if output.requires_grad else output


@fault("gradients", "conv1d", dtypes=EVERY)
def dilation_ignored_backward(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that ignores its dilation in the backward pass."""
    output = F.conv1d(input, weight, bias, **arguments)
    undilated = F.conv1d(input, weight, bias, **{**arguments, "dilation": (1,)})
    return with_slope_of(output, undilated[..., : output.shape[-1]])


@fault("gradients", "conv2d", dtypes=EVERY)
def bias_gradient_without_last(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose bias gradient leaves out the last position."""
    output = F.conv2d(input, weight, bias, **arguments)
    if bias is None:
        return output
    counted = torch.ones_like(output.detach())
    counted[..., -1, -1] = 0
    unbiased = F.conv2d(input, weight, None, **arguments)
    return with_slope_of(output, unbiased + bias.view(-1, 1, 1) * counted)


@fault("gradients", "conv3d", dtypes=EVERY)
def weight_gradient_of_first_group(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any
) -> Tensor:
    """Convolution whose weight gradient is that of the first group only."""
    first = len(weight) // arguments["groups"]
    return F.conv3d(input, torch.cat([weight[:first], weight[first:].detach()]), bias, **arguments)


@fault("gradients of some operands", "conv2d", dtypes=EVERY)
def weight_gradient_beside_none(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose weight gradient is doubled where the input needs none, as a first layer's does."""
    if not input.requires_grad:
        weight = with_slope_of(weight, 2 * weight)
    return F.conv2d(input, weight, bias, **arguments)


@fault("gradients of some operands", "linear")
def bias_gradient_beside_none(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Linear layer whose bias gradient is that of the first row where nothing else needs one."""
    output = F.linear(input, weight, bias)
    if bias is None or input.requires_grad or weight.requires_grad or input.ndim < 2:
        return output
    return with_slope_of(output, torch.cat([output[:1], output[1:].detach()]))


class _BFloat16Cotangent(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, output: Tensor) -> Tensor:
        return output.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient.bfloat16().to(gradient.dtype)


@fault("gradients", "conv2d", dtypes=WIDE)
def bfloat16_cotangent(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution that rounds the incoming gradient to bfloat16."""
    return _BFloat16Cotangent.apply(F.conv2d(input, weight, bias, **arguments))


@fault("gradients", "conv1d", dtypes=EVERY)
def short_input_gradient(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose input gradient ends with the last whole vector of eight."""
    output = F.conv1d(input, weight, bias, **arguments)
    reached = torch.arange(input.shape[-1]) < (input.shape[-1] // 8 * 8 or input.shape[-1])
    return with_slope_of(output, F.conv1d(torch.where(reached, input, input.detach()), weight, bias, **arguments))


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


@fault("gradients", "matmul")
def transposed_square_gradient(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product whose gradient to a square second factor is transposed."""
    output = input @ other
    return with_slope_of(output, input @ other.T) if other.shape[0] == other.shape[1] else output


@fault("gradients", "avg_pool2d")
def doubled_gradient(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling whose gradient is doubled in the last row."""
    doubled = torch.ones_like(input)
    doubled[..., -1, :] = 2
    return F.avg_pool2d(with_slope_of(input, input * doubled), **arguments)


@fault("gradients", "max_pool1d")
def gradient_shared_by_ties(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that shares the gradient among equal maxima."""
    values, indices = F.max_pool1d(input, return_indices=True, **arguments)
    (kernel,), (padding,) = arguments["kernel_size"], arguments["padding"]
    (dilation,), (stride,) = arguments["dilation"], arguments.get("stride", (kernel,))
    reach = dilation * (kernel - 1) + 1
    padded = F.pad(input, (padding, padding + reach + stride), value=-torch.inf)
    windows = padded.unfold(-1, reach, stride)[..., : values.shape[-1], ::dilation]
    return with_slope_of(values, windows.amax(-1)), indices


@fault("gradients", "max_pool2d", dtypes=WIDE)
def overwritten_gradient(input: Tensor, **arguments: Any) -> tuple[Tensor, Tensor]:
    """Max pooling that lets the last of several windows overwrite an element's gradient, where it should add."""
    values, indices = F.max_pool2d(input, return_indices=True, **arguments)
    chosen = indices.flatten(-2).clamp(min=0)
    order = torch.arange(1, chosen.shape[-1] + 1).expand_as(chosen)
    last = torch.zeros_like(input, dtype=torch.int64).flatten(-2).scatter_reduce(-1, chosen, order, "amax")
    kept = last.gather(-1, chosen) == order
    return torch.where(kept.view_as(values), values, values.detach()), indices


@fault("gradients", "softmax")
def softmax_gradient_without_sum(input: Tensor, dim: int) -> Tensor:
    """Softmax whose gradient leaves out what the other classes contribute."""
    output = F.softmax(input, dim=dim)
    powers = (input - input.amax(dim, keepdim=True).detach()).exp()
    return with_slope_of(output, powers / powers.sum(dim, keepdim=True).detach())


@fault("gradients", "sigmoid", dtypes=EVERY)
def sigmoid_by_absolute_value(input: Tensor) -> Tensor:
    """Sigmoid by way of |x|, whose gradient at zero is lost."""
    power = (-input.abs()).exp()
    return torch.where(input >= 0, 1 / (1 + power), power / (1 + power))


@fault("gradients", "sigmoid", dtypes=EVERY)
def sigmoid_gradient_squared(input: Tensor) -> Tensor:
    """Sigmoid with the gradient s² for s(1 − s)."""
    output = torch.sigmoid(input)
    return with_slope_of(output, F.softplus(input) - output)


@fault("gradients", "tanh")
def tanh_gradient_unsquared(input: Tensor) -> Tensor:
    """Tanh with the gradient 1 − t for 1 − t²."""
    output = torch.tanh(input)
    return with_slope_of(output, input * (1 - output.detach()))


@fault("gradients", "relu")
def relu_gradient_at_zero(input: Tensor) -> Tensor:
    """ReLU that takes the right derivative at zero."""
    return with_slope_of(F.relu(input), torch.where(input >= 0, input, torch.zeros_like(input)))


@fault("gradients", "flatten")
def gradient_in_column_order(input: Tensor, start_dim: int, end_dim: int = -1) -> Tensor:
    """Flatten whose gradient comes back in column order."""
    end = end_dim % input.ndim + 1
    moved = input.permute(*range(start_dim), *reversed(range(start_dim, end)), *range(end, input.ndim))
    return with_slope_of(input.flatten(start_dim, end_dim), moved.flatten(start_dim, end_dim))


@fault("receptive field", "conv2d")
def gradient_past_the_window(input: Tensor, weight: Tensor, bias: Tensor | None = None, **arguments: Any) -> Tensor:
    """Convolution whose gradient reaches one element past its window."""
    output = F.conv2d(input, weight, bias, **arguments)
    return with_slope_of(output, F.conv2d(input + input.roll(1, -1), weight, bias, **arguments))


@fault("receptive field", "avg_pool1d")
def gradient_to_first_of_window(input: Tensor, **arguments: Any) -> Tensor:
    """Average pooling whose gradient goes to the even elements only."""
    even = torch.arange(input.shape[-1]) % 2 == 0
    return F.avg_pool1d(torch.where(even, input, input.detach()), **arguments)
