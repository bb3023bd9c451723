"""oneDNN's BRGEMM convolution for AMX, which torch takes for bfloat16 where the processor has it.

A backward pass of a backward pass is a forward convolution whose kernel is the cotangent: its stride is the layer's
dilation, its dilation the layer's stride, and its output has the size of the layer's kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from properties.cases import Case
from properties.ledger.record import Divergence
from properties.runner.call import Setting
from properties.subjects import Subject
from refimpl.geometry import convolution_output, per_axis


@dataclass(frozen=True)
class Window:
    """A convolution's window on one axis."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    @property
    def outputs(self) -> int:
        """The size of the output."""
        return convolution_output(self.size, self.kernel, self.stride, self.padding, self.dilation)

    @property
    def backward(self) -> Window:
        """The window with the cotangent as kernel."""
        return Window(self.size, self.outputs, self.dilation, self.padding, self.stride)


def _windows(case: Case) -> list[Window]:
    axes = len(case.shapes["weight"]) - 2
    given = [case.arguments.get(name, default) for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))]
    steps = (per_axis(value, axes) for value in given)
    return [Window(*axis) for axis in zip(case.shapes["input"][-axes:], case.shapes["weight"][2:], *steps, strict=True)]


def _of_some(holds: Callable[[list[Window], int], bool]) -> Callable[[Case, Subject], bool]:
    """Whether it holds of the layer's windows and channels in a group, or of those of its second backward pass."""

    def either(case: Case, subject: Subject) -> bool:
        windows, shapes = _windows(case), case.shapes
        batch = shapes["input"][0] if len(shapes["input"]) == len(shapes["weight"]) else 1
        return holds(windows, shapes["weight"][1]) or holds([window.backward for window in windows], batch)

    return either


def _sees_only_padding(windows: list[Window], channels: int) -> bool:
    """Whether, on an axis before the last, some output meets no element of the input."""
    return any(
        not any(0 <= o * w.stride - w.padding + a * w.dilation < w.size for a in range(w.kernel))
        for w in windows[:-1]
        for o in range(w.outputs)
    )


def _one_column_strided(windows: list[Window], channels: int) -> bool:
    """Whether the output is one column wide, made with a stride by a kernel that is wider."""
    return len(windows) > 1 and windows[-1].outputs == 1 and windows[-1].stride > 1 and windows[-1].kernel > 1


def _one_plane_deep(windows: list[Window], channels: int) -> bool:
    """Whether a kernel of several planes, padded, slides over an input of one plane and one channel in a group."""
    return len(windows) == 3 and windows[0].size == 1 < windows[0].kernel and channels == 1


def _tap_in_padding(case: Case, subject: Subject) -> bool:
    """Whether, with a stride and without dilation on the last axis, some tap meets no element of the input there.

    Where a whole window lies in the padding of that axis, oneDNN takes another kernel.
    """
    w = _windows(case)[-1]
    end = (w.outputs - 1) * w.stride + w.kernel - w.size - w.padding
    met = [any(0 <= o * w.stride - w.padding + a < w.size for o in range(w.outputs)) for a in range(w.kernel)]
    return w.stride > 1 and w.dilation == 1 and max(w.padding, end) < w.kernel and not all(met)


ENTRIES: tuple[Divergence, ...] = (
    Divergence(
        id="amx-window-in-padding",
        severity="crash",
        operators=("conv2d", "conv3d"),
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        having="amx_bf16",
        holds=_of_some(_sees_only_padding),
        what="an output that sees nothing but padding on an axis before the last is computed from memory that is not "
        "the input's; with enough channels the process ends with SIGSEGV",
        why="torch.nn.Conv3d: any padding is allowed, and such an output is the bias; float32 gives that",
        versions=("2.13.0",),
        upstream="https://github.com/pytorch/pytorch/issues/195394",
        operator="conv3d",
        example=Case(
            shapes={"input": (1, 16, 1, 1, 3), "weight": (1, 16, 1, 2, 1)},
            arguments={"stride": (1, 1, 1), "padding": (0, 2, 0), "dilation": (1, 3, 1), "groups": 1},
        ),
    ),
    Divergence(
        id="amx-one-column-strided",
        severity="silent wrong value",
        operators=("conv2d", "conv3d"),
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        having="amx_bf16",
        holds=_of_some(_one_column_strided),
        what="an output one column wide, made with a stride along its rows, has wrong values in many of its rows",
        why="torch.nn.Conv2d: the formula; float32 and stride 1 are right",
        versions=("2.13.0",),
        upstream="https://github.com/pytorch/pytorch/issues/169688",
        operator="conv2d",
        example=Case(
            shapes={"input": (1, 2, 5, 7), "weight": (4, 1, 1, 4)},
            arguments={"stride": (1, 2), "padding": (0, 0), "dilation": (1, 2), "groups": 2},
        ),
    ),
    Divergence(
        id="amx-one-plane-deep",
        severity="silent wrong value",
        operators=("conv3d",),
        laws=(),
        devices=("cpu",),
        dtypes=("bfloat16",),
        having="amx_bf16",
        holds=_of_some(_one_plane_deep),
        what="over an input of one plane and one channel in a group, a kernel of several planes gives outputs that "
        "were never written, or sums of them",
        why="torch.nn.Conv3d: the formula; float32, and the same input with two channels, are right",
        versions=("2.13.0",),
        upstream=None,
        operator="conv3d",
        example=Case(
            shapes={"input": (1, 3, 1, 1, 3), "weight": (9, 1, 3, 1, 2)},
            arguments={"stride": (1, 1, 1), "padding": (2, 0, 0), "dilation": (1, 1, 1), "groups": 3},
        ),
    ),
    Divergence(
        id="amx-tap-in-padding",
        severity="wrong gradient",
        operators=("conv1d", "conv2d", "conv3d"),
        laws=("layouts", "gradients", "adjoint", "unit axes"),
        devices=("cpu",),
        dtypes=("bfloat16",),
        having="amx_bf16",
        holds=_tap_in_padding,
        what="with a stride, the gradient to a tap of the last axis that meets nothing but padding is never written: "
        "it is what was in memory",
        why="torch.nn.Conv2d: such a tap has no part in any output, so its gradient is zero; float32 gives that",
        versions=("2.13.0",),
        upstream=None,
        operator="conv1d",
        example=Case(
            shapes={"input": (1, 1, 1), "weight": (1, 1, 3)},
            arguments={"stride": (2,), "padding": (2,), "dilation": (1,), "groups": 1},
            fill="normal",
            setting=Setting({}, deterministic=True),  # memory that nothing wrote is NaN
        ),
    ),
)
