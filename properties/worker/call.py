"""What a subject is asked, and what comes back: plain data that crosses between processes and versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
Program = Callable[..., Any]
FAKE = "fake"
"""The mode in which what a device's dispatch gives is inferred, without the device."""
INDUCTOR = "inductor"
"""The backend that torch.compile has by default."""
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Setting:
    """How operands lie in memory and how torch is set; the result of a call must not depend on it.

    layouts: by operand (or "cotangent"), one of :data:`properties.worker.layouts.LAYOUTS`, by default "contiguous";
    onednn: whether oneDNN may be used; threads: how many torch may use; deterministic: torch's deterministic
    algorithms, with uninitialised memory filled with NaN.
    """

    layouts: Mapping[str, str] = field(default_factory=dict)
    onednn: bool = True
    threads: int = 1
    deterministic: bool = False


PLAIN = Setting()


@dataclass(frozen=True)
class Call:
    """One question: ``program(**operands, **arguments)``, on a device, in a dtype.

    With a ``cotangent``, the gradients of ``⟨cotangent, output⟩`` to every operand too; with ``directions`` h as
    well, one for each operand with a gradient, those of ``⟨h, gradients⟩`` to the cotangent and these operands.
    ``wanted`` names the operands that alone require a gradient (None: all); ``dtypes`` those of another dtype.

    With operands ``before``, the program is called with those first, and then with these in the same memory, so often
    as ``rounds`` says. What the very first call gave is held meanwhile, and observed at the end.

    dtype is torch's name of one, or "tf32": float32 whose products may round their operands to TF32. mode is "eager",
    "compiled", "dynamic" or "fake" (:func:`properties.worker.execute.execute`), backend one of torch.compile's. kernels
    is a file or module with functions that stand for torch.nn.functional's, or an operator that stands for one of them
    (:func:`properties.worker.registered.functions`); imports are those that are imported first, since they bring what
    is held. On meta an operand may be given by its shape alone.

    watched: functions of torch's, of which it is noted whether the kernels call them.

    A dynamic call that is not ``fresh`` is served by what was compiled for those before; ``earlier`` are these, oldest
    first, for the script: they are not sent.
    """

    program: Program
    operands: Mapping[str, Array | Shape]
    arguments: dict[str, Any] = field(default_factory=dict)
    cotangent: Array | None = None
    directions: dict[str, Array] | None = None
    device: str = "cpu"
    dtype: str = "float64"
    mode: str = "eager"
    kernels: str | None = None
    setting: Setting = PLAIN
    wanted: tuple[str, ...] | None = None
    dtypes: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, Array] | None = None
    rounds: int = 1
    fresh: bool = True
    watched: tuple[str, ...] = ()
    backend: str = INDUCTOR
    imports: tuple[str, ...] = ()
    earlier: tuple[Call, ...] = field(default=(), repr=False, compare=False)

    @property
    def name(self) -> str:
        """The program's name, ``module:function``."""
        return f"{self.program.__module__}:{self.program.__qualname__}"

    def dtype_of(self, operand: str) -> str:
        """Torch's name of the dtype of an operand with real values."""
        return self.dtypes.get(operand, "float32" if self.dtype == "tf32" else self.dtype)

    @property
    def promoted(self) -> str:
        """The dtype of a result to which all real operands promote."""
        several = {self.dtype_of(name) for name in self.operands} | {self.dtype_of("cotangent")}
        return several.pop() if len(several) == 1 else "float64" if "float64" in several else "float32"

    @property
    def inferred(self) -> bool:
        """True if its tensors have no values."""
        return self.device == "meta" or self.mode == FAKE

    def wants(self, operand: str) -> bool:
        """True if the gradient to an operand is asked for, should there be any."""
        return self.wanted is None or operand in self.wanted


ONE = re.compile(r"(?P<file>.+):(?P<made>\w+)=(?P<layer>\w+)")
"""One class of a file or module as kernels, and the layer of torch.nn whose constructor it has."""


def short(kernels: str) -> str:
    """The name by which kernels are told of: a file's, a module's, that of a registered operator, or of a class.

    >>> short("/home/me/mine.py"), short("package.mine"), short("conv2d=mylib::conv2d"), short("mine.py:Mine=Conv2d")
    ('mine', 'package.mine', 'mylib.conv2d', 'Mine')
    """
    if one := ONE.fullmatch(kernels):
        return one["made"]
    return Path(kernels).stem if kernels.endswith(".py") else kernels.rpartition("=")[2].replace("::", ".")


@dataclass(frozen=True)
class Observed:
    """A tensor as a subject returned it: its values (None where it has none) and what else a caller sees of it."""

    values: Array | None
    shape: tuple[int, ...]
    dtype: str
    device: str
    strides: tuple[int, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of a call: outputs and gradients by name, or an error.

    held: what the first of several calls gave, as it is after the last; its gradients are named "gradient NAME";
    changed: operands whose values are others after the call; aliased: operands whose memory an output shares;
    settings: those of torch's that kernels changed; handed_on: the watched functions that they called;
    compilations: how many graphs were compiled for it, forward and backward counted as one; without: what kernels that
    define nothing of the program are said not to take.
    """

    outputs: dict[str, Observed] = field(default_factory=dict)
    gradients: dict[str, Observed] = field(default_factory=dict)
    second: dict[str, Observed] = field(default_factory=dict)
    held: dict[str, Observed] = field(default_factory=dict)
    error: str | None = None
    changed: tuple[str, ...] = ()
    aliased: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    handed_on: tuple[str, ...] = ()
    compilations: int = 0
    without: tuple[str, ...] = ()
    call: Call | None = field(default=None, repr=False, compare=False)

    def part(self, select: Callable[[Array], Array], group: str = "outputs", name: str = "output") -> Outcome:
        """The same outcome with only a part of one tensor, for laws about some elements."""
        if self.error:
            return self
        whole: Observed = getattr(self, group)[name]
        values = select(np.asarray(whole.values))
        tensors: dict[str, Any] = {group: {name: replace(whole, values=values, shape=values.shape)}}
        return replace(self, **tensors, call=None)


GROUPS = ("outputs", "gradients", "second", "held")
PLAINLY_SENT = (
    "arguments", "device", "dtype", "mode", "kernels", "wanted", "dtypes", "rounds", "fresh", "watched",
    "backend", "imports",
)  # fmt: skip
ENDED = ("error", "changed", "aliased", "settings", "handed_on", "compilations", "without")
_OPERAND, _COTANGENT, _DIRECTION, _BEFORE = "operand ", "cotangent", "direction ", "before "


def pack_call(call: Call) -> tuple[dict[str, Any], dict[str, Array]]:
    """A call as a message's header and arrays."""
    arrays = {_OPERAND + name: values for name, values in call.operands.items() if not isinstance(values, tuple)}
    arrays |= {_DIRECTION + name: values for name, values in (call.directions or {}).items()}
    arrays |= {_BEFORE + name: values for name, values in (call.before or {}).items()}
    if call.cotangent is not None:
        arrays[_COTANGENT] = call.cotangent
    header = {name: getattr(call, name) for name in ("name", *PLAINLY_SENT)}
    header["shapes"] = {name: shape for name, shape in call.operands.items() if isinstance(shape, tuple)}
    header["setting"] = {**vars(call.setting), "layouts": dict(call.setting.layouts)}
    return header, arrays


def unpack_call(header: dict[str, Any], arrays: dict[str, Array], find: Callable[[str], Program]) -> Call:
    """The call that :func:`pack_call` made a message of."""

    def starting(prefix: str) -> dict[str, Array]:
        return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}

    plain = {name: header[name] for name in PLAINLY_SENT}
    return Call(
        find(header["name"]), {**header["shapes"], **starting(_OPERAND)}, cotangent=arrays.get(_COTANGENT),
        directions=starting(_DIRECTION) or None, before=starting(_BEFORE) or None,
        setting=Setting(**header["setting"]), **plain,
    )  # fmt: skip


def pack_outcome(outcome: Outcome) -> tuple[dict[str, Any], dict[str, Array]]:
    """An outcome as a message's header and arrays."""
    tensors, arrays = [], {}
    for group in GROUPS:
        for name, observed in getattr(outcome, group).items():
            tensors.append([group, name, observed.shape, observed.dtype, observed.device, observed.strides])
            if observed.values is not None:
                arrays[f"{group} {name}"] = observed.values
    return {**{name: getattr(outcome, name) for name in ENDED}, "tensors": tensors}, arrays


def unpack_outcome(header: dict[str, Any], arrays: dict[str, Array]) -> Outcome:
    """The outcome that :func:`pack_outcome` made a message of."""
    groups: dict[str, dict[str, Observed]] = {group: {} for group in GROUPS}
    for group, name, *seen in header["tensors"]:
        groups[group][name] = Observed(arrays.get(f"{group} {name}"), *seen)
    ended = {name: header[name] for name in ENDED}
    return Outcome(groups["outputs"], groups["gradients"], groups["second"], groups["held"], **ended)
