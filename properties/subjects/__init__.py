"""Subjects: what computes. Torch in eager mode on each device in each dtype, what its compiler makes of it, the shapes
that it infers, and kernels that stand for its functions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from properties.subjects import devices
from properties.worker.call import FAKE, INDUCTOR, PLAIN, Call, Outcome, Program, Setting, Shape, short
from properties.worker.execute import execute
from refimpl.arrays import Array
from refimpl.rounding import FORMATS, Format


class Declined(Exception):
    """A subject says that it does not implement what it was asked for: no wrong answer, and no answer."""


class Undefined(Declined):
    """Kernels lack what they were asked for, in this call and in any other of the same program."""


FLOATS = ("float64", "float32", "bfloat16", "float16")
SIXTEEN_BITS = FLOATS[2:]
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")
COMPILERS = ("c++", "g++", "clang++", "cl")
TRACING = (
    "eager", "eager_noexcept", "eager_debug", "pre_dispatch_eager", "aot_eager", "aot_eager_default_partitioner",
)  # fmt: skip
"""Backends that generate no code: what torch's compiler has traced is run by torch's own kernels."""


DECLINING = ("NotImplementedError", "Unsupported")
"""What torch, a kernel and torch's compiler raise to say that they do not implement something."""
REFUSALS = (
    "does not have a deterministic implementation",
    "Input dtype must be either a floating point or complex dtype",
    "value cannot be converted to type uint8_t without overflow",
    "on an unsigned type with negative limits",
    "PyTorch is not linked with support for",
    "Torch not compiled with CUDA enabled",
)
"""What torch says, as a RuntimeError, where it was told to use deterministic algorithms alone and has none, where a
mean of integers is asked for, where bytes are to be padded with a negative number or clamped at one, and where what it
infers for a device asks the device, which is not there."""


@dataclass(frozen=True)
class Subject:
    """One way to compute: a device and a dtype, a mode, and perhaps kernels or another torch.

    dtype is torch's name of one, or "tf32": float32 whose products may round their operands to TF32. mode is
    "eager", "compiled" (anew for each shape), "dynamic" (one compiled function serves several shapes), either by a
    backend of torch.compile, or "fake" (inferred, without the device). kernels is the file or module whose functions
    stand for torch.nn.functional's, or an operator of torch.library (:mod:`properties.worker.registered`); imports are
    those that bring what is held. torch names another release under another interpreter, "" is the suite's own.
    """

    device: str
    dtype: str
    mode: str = "eager"
    kernels: str | None = None
    torch: str = ""
    backend: str = INDUCTOR
    imports: tuple[str, ...] = ()

    def __str__(self) -> str:
        kind = [short(self.kernels)] if self.kernels else []
        kind += [self.backend] if self.compiled and self.backend != INDUCTOR else []
        kind += [self.mode] if self.mode != "eager" else []
        return "-".join([*kind, self.device, self.dtype]) + (f"@{self.torch}" if self.torch else "")

    @property
    def format(self) -> Format:
        """What this subject stores and accumulates in."""
        return FORMATS[self.dtype]

    @property
    def stored(self) -> str:
        """Torch's name of the dtype of its tensors."""
        return "float32" if self.dtype == "tf32" else self.dtype

    @property
    def integral(self) -> bool:
        """True if its tensors hold integers."""
        return self.dtype in INTEGERS

    @property
    def plain(self) -> bool:
        """True if it is torch itself as most people use it: eager, with values, in float64 or float32."""
        return self.mode == "eager" and not self.kernels and self.device != "meta" and self.dtype in FLOATS[:2]

    @property
    def compiled(self) -> bool:
        """True if torch.compile makes it."""
        return self.mode not in ("eager", FAKE)

    @property
    def place(self) -> str:
        """Where it computes: a device, or what stands for one that need not be there."""
        return f"{FAKE}-{self.device}" if self.mode == FAKE else self.device

    @property
    def inferred(self) -> bool:
        """True if its tensors have no values."""
        return self.device == "meta" or self.mode == FAKE

    @property
    def foreign(self) -> bool:
        """True if something else than torch's own functions computes: kernels, a backend or a device of others."""
        compiler = self.compiled and self.backend not in (INDUCTOR, *TRACING)
        return bool(self.kernels) or compiler or self.device not in devices.IN_TREE

    @property
    def asked(self) -> bool:
        """True if it is asked what it takes before any law is held to it: kernels, or a device of others.

        A backend of torch.compile is not: to ask it a few cases of each feature takes a compilation for each.
        """
        return bool(self.kernels) or (self.mode == "eager" and self.device not in devices.IN_TREE)

    @property
    def registered(self) -> bool:
        """True if an operator of torch.library computes."""
        return self.kernels is not None and "::" in self.kernels

    @property
    def torchs(self) -> Subject:
        """Torch's own functions in eager mode in its place."""
        device = self.device if self.device in devices.IN_TREE else "cpu"
        return replace(self, device=device, kernels=None, mode="eager", backend=INDUCTOR, imports=())

    @property
    def budget(self) -> float:
        """The share of a search's cases that it gets: to compile each takes seconds, to trace it a tenth of one.

        What is inferred depends on shapes alone.
        """
        if self.mode == "compiled":
            return 0.25 if self.backend in TRACING else 0.025
        return 0.25 if self.mode == FAKE else 1.0

    @cached_property
    def absence(self) -> str | None:
        """Why this subject cannot run here, or None if it can."""
        if self.device == "mps" and self.dtype == "float64":
            return "MPS has no float64"
        generated = self.compiled and self.backend == INDUCTOR
        if generated and self.device == "cpu" and not any(map(shutil.which, COMPILERS)):
            return "no C++ compiler"
        return devices.absence(self.place)

    def run(
        self,
        program: Program,
        operands: Mapping[str, Array | Shape],
        arguments: Mapping[str, Any] | None = None,
        cotangent: Array | None = None,
        directions: Mapping[str, Array] | None = None,
        setting: Setting | None = None,
        **more: Any,
    ) -> Outcome:
        """Compute ``program(**operands, **arguments)`` here; with a cotangent, its gradients too; ``more`` of a call is
        as :class:`Call` says.

        Operands are float64 arrays whose values this subject's dtype can represent, so that nothing is rounded on
        the way in; on meta their shapes will do. What the program raises becomes the outcome's error; but where torch,
        or a kernel, says that it does not implement this, Declined is raised.
        """
        call = Call(
            program, dict(operands), dict(arguments or {}), cotangent, None if directions is None else dict(directions),
            self.device, self.dtype, self.mode, self.kernels, setting or PLAIN, backend=self.backend,
            imports=self.imports, **more,
        )  # fmt: skip
        outcome = self.answer(call)
        kind, _, why = (outcome.error or "").partition(": ")
        if kind == "Undefined":
            raise Undefined(why)
        if kind in DECLINING or any(refusal in why for refusal in REFUSALS):
            raise Declined(why.partition("\n")[0])
        return outcome if outcome.call else replace(outcome, call=call)

    def answer(self, call: Call) -> Outcome:
        """Make a call, in this process."""
        return execute(call)


META = Subject("meta", "float32")
"""Shapes without values: what torch infers, and what a compiler believes."""
FAKE_CUDA = Subject("cuda", "float32", FAKE)
"""What CUDA's dispatch gives, on any machine: no run on CUDA."""


def known() -> list[Subject]:
    """Every subject that the suite reports on, present or not."""
    subjects = [Subject(device, dtype) for device in devices.known() for dtype in FLOATS]
    subjects += [Subject("cpu", dtype) for dtype in INTEGERS]
    subjects += [Subject("cuda", "tf32"), META, FAKE_CUDA]
    return subjects + [Subject(d, "float32", mode) for d in devices.known() for mode in ("compiled", "dynamic")]


def of_device(name: str) -> list[Subject]:
    """The subjects of a device outside torch's tree."""
    compiled = [Subject(name, "float32", mode) for mode in ("compiled", "dynamic")]
    return [Subject(name, dtype) for dtype in FLOATS] + compiled


def few(device: str | None = None) -> str:
    """The subjects of a quick run: every present device, or a given one, in float32 and bfloat16."""
    places = [device] if device else devices.present()
    return ",".join(f"{place}-{dtype}" for place in places for dtype in ("float32", "bfloat16"))


def select(
    names: str | None,
    kernels: str | None = None,
    torch: str = "",
    backend: str = "",
    imports: tuple[str, ...] = (),
    device: str | None = None,
) -> list[Subject]:
    """The subjects of a comma-separated list, each a device ("cpu": all of its subjects) or a subject's own name.

    None selects all, present or not. With kernels, the same devices and floating dtypes in eager mode; with a backend,
    what is compiled, by that one. A device outside torch's tree stands in the place of those that torch knows. Raises
    ValueError for one that is unknown or absent: a request that cannot be met is no pass.
    """
    of_all = of_device(device) if device else known()
    everything = [s for s in of_all if not kernels or (s.mode == "eager" and s.dtype in FLOATS and s != META)]
    if device or backend:
        everything = [s for s in everything if s.compiled == bool(backend)]
    chosen = [s for s in everything if names is None or {s.place, str(s)} & set(_names(names))]
    if names is not None:
        for name in _names(names):
            _check(name, everything)
    own = [replace(s, kernels=kernels, imports=imports, backend=backend or s.backend) for s in chosen]
    return own + ([replace(subject, torch=torch) for subject in own] if torch else [])


def _names(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def _check(name: str, everything: list[Subject]) -> None:
    named = [subject for subject in everything if name in (subject.place, str(subject))]
    if not named:
        raise ValueError(f"{name!r} is no subject; known here: {', '.join(dict.fromkeys(_known_names(everything)))}")
    if all(subject.absence for subject in named):
        present = dict.fromkeys(_known_names([s for s in everything if not s.absence]))
        raise ValueError(f"{name!r} cannot run here ({named[0].absence}); present: {', '.join(present)}")


def _known_names(subjects: list[Subject]) -> list[str]:
    return [s.place for s in subjects] + [str(s) for s in subjects]
