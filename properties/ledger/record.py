"""What an entry of the ledger is, and the decorator that makes one of the function that says where it holds."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch.torch_version import TorchVersion

from properties.cases.case import Case
from properties.operators import CATALOGUE, Operator
from properties.subjects import FLOATS, INTEGERS, TRACING, Subject, devices
from properties.worker.call import FAKE, INDUCTOR

Predicate = Callable[[Case, Subject], bool]

SEVERITIES = (
    "crash", "silent wrong value", "wrong gradient", "wrong shape", "valid arguments rejected", "missing error",
    "lossy accumulation",
)  # fmt: skip
"""The classes of defects, the worst first."""
ROUNDING = SEVERITIES[-1]

COMPILED = ("compiled", "dynamic")
"""What the compiler gets wrong for given shapes it gets wrong for symbolic ones, too, unless an entry says less."""
MODES = ("eager", *COMPILED)
"""What torch's own kernels get wrong, they get wrong when compiled code calls them."""
BACKENDS = (INDUCTOR, *TRACING)
"""Backends of torch.compile that call torch's own kernels."""

PLAIN = ("conv1d", "conv2d", "conv3d")
PADDED = tuple(f"{name}_padded" for name in PLAIN)
CONVOLUTIONS = PLAIN + PADDED
TRANSPOSED = tuple(f"conv_transpose{axes}d" for axes in (1, 2, 3))

OUT_OF_RANGE = ("rejection", "whatever the batch", "errors when compiled", "rejection by modules")
"""Laws whose cases are not all valid, which an entry has to name to be asked about them."""
OF_GRADIENTS = (
    "gradients", "layouts", "flags", "adjoint", "gradient mass", "unit axes", "special gradients",
    "transpose = input gradient", "convolution = transpose's gradient", "gradients of some operands",
    "gradients of large sizes", "gradients of layers of networks", "modules",
)  # fmt: skip
"""The laws that look at gradients, for an entry about those alone; "gradients of gradients" are another matter."""
OF_WRONG_GRADIENTS = (*OF_GRADIENTS, "accumulator", "receptive field")
"""The same for a gradient that is wrong; one that is rounded "accumulator" measures and "receptive field" lets pass."""
OF_ALL_GRADIENTS = (*OF_WRONG_GRADIENTS, "gradients of gradients")
"""The same where a second gradient is wrong, too."""
WITH_GRADIENTS = (*OF_ALL_GRADIENTS, "rerun", "call after call")
"""Every law that asks for gradients, for an entry about a crash."""


@dataclass(frozen=True)
class Divergence:
    """One known defect.

    ``operators``, ``devices``, ``dtypes``, ``modes``, ``backends`` (of what is compiled), ``laws`` (none: all) and
    ``holds`` say where it shows; ``what``
    happens and ``why`` that is wrong, with the document that says so; ``seen`` is the first torch release in which it
    was seen, ``fixed`` the first that was seen without it (None: none yet). ``having`` and ``lacking`` name an
    instruction set (:data:`properties.subjects.devices.INSTRUCTIONS`) without which, or with which, a processor
    does not show it: libraries have kernels of their own for it. ``served_with`` names one with which oneDNN computes
    what torch's own loops get wrong: such a processor shows it only where a case turns oneDNN off. What is wrong in
    oneDNN itself shows where a case does not. An entry that names no laws is asked about none of
    :data:`OUT_OF_RANGE` except those that are ``also`` named: ``holds`` then has to answer for arguments that no layer
    allows.
    What an entry is about is torch's own, and shows on no kernels of a user's; but what a program does in torch
    ``around_kernels`` is torch's, too.
    ``example`` is the smallest case of ``operator`` that breaks the first of its laws ("agreement" by default), every
    time; where the defect ``overwrites`` memory that is not its own, the process may end with a signal instead.
    Where more than one of ten cases under the predicate is right, ``chance`` says why. Where the diagnosis of the
    example is narrower than the predicate, ``narrower`` says why.
    Where the defect is an error of which no predicate tells exactly when it is raised, ``says`` is a part of its text:
    cases under the predicate are tried, and known only if they raise it.
    """

    id: str
    severity: str
    operators: tuple[str, ...]
    laws: tuple[str, ...]
    devices: tuple[str, ...]
    dtypes: tuple[str, ...]
    holds: Predicate
    what: str
    why: str
    upstream: str | None
    operator: str
    example: Case
    modes: tuple[str, ...]
    backends: tuple[str, ...]
    having: str | None
    lacking: str | None
    served_with: str | None
    also: tuple[str, ...]
    seen: str
    fixed: str | None
    overwrites: bool
    around_kernels: bool
    chance: str
    says: str
    narrower: str

    @property
    def law(self) -> str:
        """The law that the example breaks: "flags", which alone turns oneDNN off, where that has to be."""
        if _onednn_is_off(self.example):
            return "flags"
        return self.laws[0] if self.laws else "agreement"

    @property
    def rounds(self) -> bool:
        """True if sums are rounded to the storage on the way: cases are held to the bound of such sums."""
        return self.severity == ROUNDING

    @property
    def tried(self) -> bool:
        """True if cases under it are tried: what comes of them tells whether this entry explains it."""
        return self.rounds or bool(self.says)

    @property
    def of_gradients(self) -> bool:
        """True if it is about gradients alone."""
        return "gradients" in self.laws

    @property
    def component(self) -> str:
        """What is wrong: the name of the module that the entry stands in."""
        return _component(self.holds)

    def shows(self, subject: Subject) -> bool:
        """True if it shows on a subject at all."""
        cpu = subject.device == "cpu"
        here = subject.device in self.devices and subject.dtype in self.dtypes and self._in_mode(subject)
        here = here and (self.around_kernels or not subject.kernels)
        return here and self._in(subject.torch) and (not cpu or self._on_this_processor)

    def _in_mode(self, subject: Subject) -> bool:
        """True if it shows in a subject's mode, or in eager mode where a backend generates no code."""
        if not subject.compiled:
            return subject.mode in self.modes
        as_eager = "eager" in self.modes and subject.backend in TRACING
        return subject.backend in self.backends and (as_eager or subject.mode in self.modes)

    def _in(self, other: str) -> bool:
        """True if it shows in the release of another torch, or in the suite's own where that is none."""
        return self.fixed is None or TorchVersion(other.removeprefix("torch-") or torch.__version__) < self.fixed

    @property
    def _on_this_processor(self) -> bool:
        here = devices.instructions()
        return (self.having is None or self.having in here) and self.lacking not in here

    def concerns(self, law: str, operator: Operator, subject: Subject) -> bool:
        """True if some case of a law on a subject may run into this defect; which, ``holds`` says."""
        asked = law in self.laws if self.laws else self._asked(law)
        return operator.name in self.operators and asked and self.shows(subject)

    def _asked(self, law: str) -> bool:
        """True if an entry that names no laws is about one: "accumulator" measures lossy sums."""
        if law in OUT_OF_RANGE:
            return law in self.also
        return not (law == "accumulator" and self.rounds)


ENTRIES: dict[str, Divergence] = {}
"""Entries by their ids, as far as the modules that state them have been imported."""


def known(
    id: str,
    operators: tuple[str, ...],
    *,
    severity: str,
    why: str,
    example: Case,
    what: str = "",
    laws: tuple[str, ...] = (),
    devices: tuple[str, ...] = ("cpu",),
    dtypes: tuple[str, ...] = FLOATS,
    modes: tuple[str, ...] = MODES,
    backends: tuple[str, ...] = BACKENDS,
    operator: str = "",
    upstream: str | None = None,
    having: str | None = None,
    lacking: str | None = None,
    served_with: str | None = None,
    also: tuple[str, ...] = (),
    seen: str = "2.13.0",
    fixed: str | None = None,
    overwrites: bool = False,
    around_kernels: bool = False,
    chance: str = "",
    says: str = "",
    narrower: str = "",
) -> Callable[[Predicate], Predicate]:
    """Register a defect. The function below is true of the cases and subjects that show it; see :class:`Divergence`.

    The function's docstring is ``what`` happens, unless that is given: several entries may share a function. The
    ``example`` is of the first of the operators, unless another ``operator`` is given. Raises ValueError for a name
    that there is not, which would hide the entry where it should show.
    """

    def register(holds: Predicate) -> Predicate:
        happens = what or sentence(holds.__doc__ or "")
        entry = Divergence(
            id, severity, operators, laws, devices, dtypes, _where_computed(holds, served_with), happens, why, upstream,
            operator or operators[0], example, modes, backends, having, lacking, served_with, also, seen, fixed,
            overwrites, around_kernels, chance, says, narrower,
        )  # fmt: skip
        _check(entry)
        ENTRIES[id] = entry
        return holds

    return register


def _where_computed(holds: Predicate, served_with: str | None) -> Predicate:
    """The same predicate, false where another backend computes than the one that is wrong: oneDNN, or torch's loops."""
    onednns = _component(holds).startswith("onednn")
    if not onednns and served_with is None:
        return holds

    @functools.wraps(holds)
    def answered(case: Case, subject: Subject) -> bool:
        by_loops = _onednn_is_off(case) or (not onednns and served_with not in devices.instructions())
        return by_loops is not onednns and holds(case, subject)

    return answered


def _component(holds: Predicate) -> str:
    return holds.__module__.rpartition(".")[2]


def _onednn_is_off(case: Case) -> bool:
    return case.setting is not None and not case.setting.onednn


def sentence(docstring: str) -> str:
    """A docstring in one line, without its full stop and its first capital: a colon comes before it.

    >>> sentence("The output is wrong."), sentence("NaN is lost.")
    ('the output is wrong', 'NaN is lost')
    """
    text = " ".join(inspect.cleandoc(docstring).split()).removesuffix(".")
    first = text.partition(" ")[0]
    return text[:1].lower() + text[1:] if first[1:].lower() == first[1:] else text


def _check(entry: Divergence) -> None:
    """Raise ValueError for a second entry of the same id, one that says nothing, and names that there are not."""
    if entry.id in ENTRIES:
        raise ValueError(f"two entries of the ledger are called {entry.id!r}")
    if not entry.what:
        raise ValueError(f"entry {entry.id!r} of the ledger: its function has no docstring that says what happens")
    sets = [name for name in (entry.having, entry.lacking, entry.served_with) if name is not None]
    for kind, given, names in (
        ("severity", [entry.severity], SEVERITIES),
        ("operator", [*entry.operators, entry.operator], [operator.name for operator in CATALOGUE]),
        ("device", entry.devices, devices.IN_TREE),
        ("dtype", entry.dtypes, (*FLOATS, *INTEGERS, "tf32")),
        ("mode", entry.modes, (*MODES, FAKE)),
        ("backend", entry.backends, BACKENDS),
        ("instruction set", sets, devices.INSTRUCTIONS),
        ("law of cases that are not all valid", entry.also, OUT_OF_RANGE),
    ):
        require(entry.id, kind, given, names)


def require(id: str, kind: str, given: Collection[str], names: Collection[str]) -> None:
    """Raise ValueError for the first name that an entry gives and that there is not."""
    for name in given:
        if name not in names:
            raise ValueError(f"entry {id!r} of the ledger: no {kind} is called {name!r}; {nearest(name, names)}")


def nearest(name: str, names: Collection[str]) -> str:
    """What a misspelt name may have meant, in words.

    >>> nearest("conv2", ["conv1d", "conv2d", "linear"])
    'the nearest: conv2d, conv1d'
    """
    found = difflib.get_close_matches(name, names, n=3, cutoff=0.3)
    return f"the nearest: {', '.join(found)}" if found else f"there are: {', '.join(names)}"
