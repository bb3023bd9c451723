"""Making one call in torch: arrays in, arrays or an error out."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from properties.worker import modules, programs, registered
from properties.worker.call import FAKE, INDUCTOR, Array, Call, Observed, Outcome, Program, Shape, short
from properties.worker.layouts import LAYOUTS
from properties.worker.watch import Watching, settings_kept

RECOMPILATIONS = 256
"""How often one function may be compiled; whole graphs alone being accepted, one compilation more is an error."""

NO_TENSOR = "is no tensor, but of type"
"""What is said of an answer that is none."""
ANSWER = "ModelNew"
"""What a module is called that answers a task of KernelBench's form (:mod:`properties.worker.programs.tasks`)."""

LIBRARY = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"

Tensors = torch.Tensor | tuple[torch.Tensor, ...] | dict[str, torch.Tensor]


def execute(call: Call) -> Outcome:
    """Make tensors of a call's operands, run its program and report everything that can be seen of the result.

    Outputs are named "output" (a tensor), "output", "indices" (a pair) or as the program names them (a dict).
    An exception of the program becomes the outcome's error.

    "compiled" is torch.compile for the shapes of the call alone. "dynamic" is one function that torch.compile made with
    dynamic=True and that serves every call until a ``fresh`` one. Left to itself (dynamic=None) torch compiles for the
    first shape, and again when another comes: 43 compilations and 92 s for 802 cases of nine operators, where
    dynamic=True needs 28 and 85 s, and makes symbolic code of the first case already.

    Numbers among the arguments are constants of the code, as those of a layer are: torch takes a module's attributes
    for constants. As symbols, numbers given to a function end in errors of the compiler, and for some max unpoolings in
    minutes of algebra, so that little of what serves several sizes would be tried. A limit of hardtanh that is a symbol
    may be taken from an earlier call (pytorch#194976), which no single call shows.

    "fake" is torch's FakeTensorMode: shapes, dtypes and strides as the device's dispatch gives them, without the device
    and without gradients, for which torch would need it.
    """
    before = _graphs(call)
    outcome = _executed(call)
    return replace(outcome, compilations=_graphs(call) - before)


def _executed(call: Call) -> Outcome:
    for where in call.imports:
        load(where)
    with _set(call), _inferring(call), _standing_for_torch(call) as kernels:
        if kernels is None:
            return _answered(call, None)
        if missing := kernels.lack(call.program):
            return Outcome(error=f"Undefined: {missing}", without=kernels.without)
        watching = Watching(call.watched) if call.watched else contextlib.nullcontext()
        with settings_kept() as settings, watching as watched:
            outcome = _answered(call, kernels)
        return replace(outcome, settings=tuple(settings), handed_on=tuple(watched.seen) if watched else ())


def _answered(call: Call, kernels: Kernels | None) -> Outcome:
    tensors = {name: _tensor(values, name, call) for name, values in (call.before or call.operands).items()}
    for name, tensor in tensors.items():
        tensor.requires_grad_(call.cotangent is not None and tensor.is_floating_point() and call.wants(name))
    try:
        held = _held(call, tensors)
        outputs = _named(_program(call)(**tensors, **call.arguments))
        if kernels and not kernels.asked:
            raise NotImplementedError(kernels.no_part_of(call.program))
        gradients, second = _differentiated(call, tensors, outputs)
        seen, of_gradients, of_second, of_held = map(_all_observed, (outputs, gradients, second, held))
        outcome = Outcome(seen, of_gradients, of_second, of_held)
    except Exception as error:
        kind = "OutOfMemory" if _out_of_memory(error) else type(error).__name__
        return Outcome(error=f"{kind}: {error}")
    aliased = () if call.program in programs.VIEWS else _aliased(tensors, outputs)
    return replace(outcome, changed=_changed(tensors, call.operands), aliased=aliased)


def _held(call: Call, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What the first of the calls that come before the last gave; the tensors then hold the last one's operands."""
    held: dict[str, torch.Tensor] = {}
    if call.before is None:
        return held
    for turn in range(2 * call.rounds - 1):
        outputs = _named(_program(call)(**tensors, **call.arguments))
        gradients, _ = _differentiated(call, tensors, outputs)
        held = held or {**outputs, **{f"gradient {name}": gradient for name, gradient in gradients.items()}}
        following = call.before if turn % 2 else call.operands
        for name, values in following.items():
            tensors[name].detach().copy_(_tensor(values, name, call))
            tensors[name].grad = None
    return held


def _differentiated(
    call: Call, tensors: dict[str, torch.Tensor], outputs: dict[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The gradients that are asked for, and those of their products with the directions."""
    if call.cotangent is None:
        return {}, {}
    cotangent = _tensor(call.cotangent, "cotangent", call)
    if call.directions is None:
        outputs["output"].backward(cotangent)
        return {name: t.grad for name, t in tensors.items() if t.grad is not None}, {}
    cotangent.requires_grad_()
    free = {name: tensors[name] for name in call.directions}
    first = torch.autograd.grad(outputs["output"], list(free.values()), cotangent, create_graph=True)
    directions = [_tensor(values, name, call) for name, values in call.directions.items()]
    about = {"cotangent": cotangent, **free}
    second = torch.autograd.grad(first, list(about.values()), directions, materialize_grads=True, allow_unused=True)
    return dict(zip(free, first, strict=True)), dict(zip(about, second, strict=True))


def _program(call: Call) -> Any:
    """The program, compiled if so asked: as a whole or not at all."""
    if call.mode in ("eager", FAKE):
        return call.program
    if call.program in programs.STEPS:
        return _step_by_step(call)
    if call.mode == "compiled":
        return _compiled(call.program, call.backend, _shapes(call))
    if call.fresh:
        _dynamic.cache_clear()
    return _dynamic(call.program, call.backend)


def _step_by_step(call: Call) -> Any:
    """The program of an optimizer, whose step is compiled as torch's documents say: anew for each optimizer."""
    if call.mode == "dynamic":
        raise NotImplementedError("an optimizer's step is compiled for its own parameters, and serves no others")
    _renew_compiler()
    compiled = functools.partial(torch.compile, backend=_known(call.backend))
    return functools.partial(call.program, compiled=compiled)


@functools.lru_cache(maxsize=1)
def _compiled(program: Program, backend: str, shapes: str) -> Any:
    """One for each program and all that it is compiled for: the tiers of a case share it."""
    _renew_compiler()
    return torch.compile(program, dynamic=False, fullgraph=True, backend=_known(backend))


@functools.lru_cache(maxsize=1)
def _dynamic(program: Program, backend: str) -> Any:
    """One for a program, which the calls until a fresh one share."""
    _renew_compiler()
    return torch.compile(program, dynamic=True, fullgraph=True, backend=_known(backend))


def _known(backend: str) -> str:
    """A backend's name. Raises LookupError unless torch knows it; to have them listed loads them."""
    if backend != INDUCTOR and backend not in (names := torch._dynamo.list_backends(exclude_tags=None)):
        raise LookupError(f"torch.compile has no such backend; there are {', '.join(names)}")
    return backend


COMPILER = "torch._inductor.compile_fx"
"""What torch.compile imports in each process that compiles, which takes two seconds."""


def _renew_compiler() -> None:
    """Forget what was compiled, and set what makes compiling cheaper and changes nothing of the code that is made.

    A pool of processes that compile would import torch once more. To link a kernel to libtorch takes two fifths of the
    time that g++ takes, and is not needed where the process that loads the kernel lets it see libtorch's symbols.
    """
    torch._dynamo.reset()
    torch._dynamo.config.recompile_limit = RECOMPILATIONS
    torch._dynamo.config.specialize_int = torch._dynamo.config.specialize_float = True
    torch._inductor.config.compile_threads = 1
    if LIBRARY.is_file() and hasattr(torch._inductor.config.aot_inductor, "link_libtorch"):
        ctypes.CDLL(str(LIBRARY), ctypes.RTLD_GLOBAL)
        torch._inductor.config.aot_inductor.link_libtorch = False


def _graphs(call: Call) -> int:
    """How many graphs were compiled so far."""
    return 0 if call.mode in ("eager", FAKE) else int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


def _shapes(call: Call) -> str:
    shapes = [(name, values if isinstance(values, tuple) else values.shape) for name, values in call.operands.items()]
    return repr([*shapes, call.dtype, call.dtypes, call.arguments])


@contextlib.contextmanager
def _set(call: Call) -> Iterator[None]:
    """Torch's switches as a call wants them, and back."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    tf32 = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        if call.setting.threads != threads:
            torch.set_num_threads(call.setting.threads)
        if call.setting.deterministic != deterministic:  # the first call imports a compiler, in every new worker
            torch.use_deterministic_algorithms(call.setting.deterministic)
        if call.device == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = call.dtype == "tf32"
        if not call.setting.onednn:
            torch.backends.mkldnn.set_flags(False)
        yield
    finally:
        if not call.setting.onednn:
            torch.backends.mkldnn.set_flags(True)
        if call.setting.deterministic != deterministic:
            torch.use_deterministic_algorithms(deterministic)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if call.device == "cuda":
            torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = tf32


@contextlib.contextmanager
def _inferring(call: Call) -> Iterator[None]:
    """In the mode "fake", tensors that are said to be on a device, of which there need be none."""
    if call.mode != FAKE:
        yield
        return
    from torch._subclasses.fake_tensor import FakeTensorMode  # takes a second

    with FakeTensorMode():
        yield


class Kernels:
    """Functions of a file or module in the place of ``torch.nn.functional``.

    What it does not define is missing, and so is what it has imported from there: that is torch's. Classes with names
    of torch.nn's stand for the functions that they compute (:mod:`properties.worker.modules`).

    asked: whether any has been used, without which a result would be torch's own. without: what they are said not to
    take, by the words of ``--without``.
    """

    def __init__(self, where: str) -> None:
        self._module = load_kernels(where)
        self.without = _declared(self._module)
        self._layers = _functions_of_layers(where)
        self.name = short(where)
        self.asked = False

    def __getattr__(self, name: str) -> Any:
        if (function := self._own(name)) is None:
            raise NotImplementedError(f"{self.name} defines no {name}")
        self.asked = True
        if function is self._layers.get(name):  # its constructor has a place for everything
            return function
        return functools.partial(_without_defaults, function)

    def _own(self, name: str) -> Any:
        function = getattr(self._module, name, None)
        if callable(function) and function is not getattr(torch.nn.functional, name, None):
            return function
        return self._layers.get(name)

    def lack(self, program: Program) -> str | None:
        """What is missing, if these kernels can have a part in no call of a program, whatever its arguments."""
        named = sorted(named_functions(program))
        if any(self._own(name) for name in named):
            return None
        return f"{self.name} defines no {named[0]}" if len(named) == 1 else self.no_part_of(program)

    def no_part_of(self, program: Program) -> str:
        """How a result is declined that would be torch's own."""
        return f"{self.name} defines no part of {program.__name__}"


@functools.cache
def named_functions(program: Program) -> frozenset[str]:
    """The functions of torch.nn.functional that a program's code names, or that of functions of its module it calls."""
    module, names = sys.modules[program.__module__], set()
    seen = [program] if inspect.isfunction(program) else []
    for function in seen:  # grows as it goes
        codes = [function.__code__]
        for code in codes:
            codes += [inner for inner in code.co_consts if inspect.iscode(inner)]
            names |= set(code.co_names)
            called = [vars(module).get(name) for name in code.co_names]
            seen += [f for f in called if inspect.isfunction(f) and f.__module__ == module.__name__ and f not in seen]
    routine = (name for name in names if inspect.isroutine(getattr(torch.nn.functional, name, None)))
    return frozenset((*routine, *({ANSWER} & names)))


DEFAULTS = {
    "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "output_padding": 0, "ceil_mode": False,
    "count_include_pad": True,
}  # fmt: skip
"""What torch takes for an argument that is left out, on each axis; for the stride of a pooling, the window's size."""


def _without_defaults(function: Any, *operands: Any, **arguments: Any) -> Any:
    """Call a kernel without the arguments that it has no place for, where they say what torch does by default."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # not every callable has one
        return function(*operands, **arguments)
    kinds = [parameter.kind for parameter in parameters.values()]
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        defaults = {**DEFAULTS, "stride": arguments.get("kernel_size", 1)}
        idle = [
            name for name, value in arguments.items() if name not in parameters and _says(value, defaults.get(name))
        ]
        arguments = {name: value for name, value in arguments.items() if name not in idle}
    if inspect.Parameter.VAR_POSITIONAL not in kinds and len(operands) > len(kinds) and operands[-1] is None:
        operands = operands[:-1]
    return function(*operands, **arguments)


def _says(value: Any, default: Any) -> bool:
    """True if a value, or that of each axis, is the default."""
    return value == default or (isinstance(value, tuple) and all(each == default for each in value))


def _declared(module: ModuleType) -> tuple[str, ...]:
    """The words of a file's ``WITHOUT``: "unbatched, groups", or several texts."""
    words = getattr(module, "WITHOUT", ())
    return tuple(word.strip() for word in (words.split(",") if isinstance(words, str) else map(str, words)))


@functools.cache
def load_kernels(where: str) -> ModuleType:
    """Kernels of a file or module, or one thing in their place; ImportError says why they cannot be loaded."""
    file, made, layer = modules.parted(where)
    module = registered.functions(where) if "::" in where else load(file)
    try:
        module = modules.alone(module, made, layer) if made else module
        modules.check(module)
    except (TypeError, ValueError) as error:
        raise ImportError(f"{file} cannot be loaded: {error}") from error
    names = (name for name, function in vars(torch.nn.functional).items() if inspect.isroutine(function))
    found = any(callable(getattr(module, name, None)) for name in names) or modules.functionals(module)
    if not found and not hasattr(module, ANSWER):
        raise ImportError(
            f"{where} defines no function of torch.nn.functional's, no layer of torch.nn's and no {ANSWER}"
        )
    if not isinstance(getattr(module, "WITHOUT", ()), str | tuple | list):
        raise ImportError(f"{where} says WITHOUT = {module.WITHOUT!r}, which is no words")
    return module


@functools.cache
def load(where: str) -> ModuleType:
    """A file (a path that ends in .py) or a module that can be imported; ImportError says why it cannot be loaded."""
    try:
        return modules.load_file(where) if where.endswith(".py") else importlib.import_module(where)
    except (Exception, SystemExit) as error:
        raise ImportError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error


@functools.cache
def _functions_of_layers(where: str) -> dict[str, Any]:
    return modules.functionals(load_kernels(where))


@contextlib.contextmanager
def _standing_for_torch(call: Call) -> Iterator[Kernels | None]:
    """Kernels in the place of the ``F`` of the program's module."""
    if call.kernels is None:
        yield None
        return
    module, standing = sys.modules[call.program.__module__], Kernels(call.kernels)
    own = vars(module).get("F")
    vars(module)["F"] = standing
    try:
        yield standing
    finally:
        vars(module)["F"] = own


def _tensor(values: Array | Shape, name: str, call: Call) -> torch.Tensor:
    if isinstance(values, tuple):
        return torch.empty(values, dtype=getattr(torch, call.dtype_of(name)), device="meta")
    # torch cannot take negative strides; integers (class labels) keep their own dtype.
    if call.mode == FAKE:
        floating = values.dtype.kind == "f"
        kind = getattr(torch, call.dtype_of(name) if floating else str(values.dtype))
        return torch.empty(values.shape, dtype=kind, device=call.device)
    tensor = torch.from_numpy(np.array(values, order="C"))
    kept = getattr(torch, call.dtype_of(name)) if tensor.is_floating_point() else None
    tensor = tensor.to(device=call.device, dtype=kept, copy=True)  # NumPy's memory is aligned by chance
    return LAYOUTS[call.setting.layouts.get(name, "contiguous")](tensor)


def _named(result: Tensors) -> dict[str, torch.Tensor]:
    results = result if isinstance(result, tuple | dict) else (result,)
    named = dict(results) if isinstance(results, dict) else dict(zip(("output", "indices"), results, strict=False))
    for name, tensor in named.items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"{name} {NO_TENSOR} {type(tensor).__name__}")
    return named


def _all_observed(tensors: dict[str, torch.Tensor]) -> dict[str, Observed]:
    return {name: _observed(tensor) for name, tensor in tensors.items()}


def _observed(tensor: torch.Tensor) -> Observed:
    values = None
    if not _inferred(tensor):  # a copy: a later call may write to this memory, which it should not
        host = tensor.detach().cpu()
        values = host.to(torch.float64 if host.is_floating_point() else host.dtype, copy=True).numpy()
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Observed(values, tuple(tensor.shape), dtype, tensor.device.type, tuple(tensor.stride()))


def _inferred(tensor: torch.Tensor) -> bool:
    """True if a tensor has no values."""
    return tensor.device.type == "meta" or hasattr(tensor, "fake_mode")


def _changed(tensors: dict[str, torch.Tensor], operands: Mapping[str, Array | Shape]) -> tuple[str, ...]:
    now = {name: seen.values for name, seen in _all_observed(tensors).items()}
    return tuple(name for name, values in now.items() if values is not None and not _same(values, operands[name]))


def _same(values: Array, before: Array | Shape) -> bool:
    """True if values are what they were; to look for NaN takes longer, and is seldom needed."""
    return np.array_equal(values, before) or np.array_equal(values, before, equal_nan=values.dtype.kind == "f")


def _aliased(tensors: dict[str, torch.Tensor], outputs: dict[str, torch.Tensor]) -> tuple[str, ...]:
    """Operands whose memory an output shares, so that writing to one would change the other."""
    shared = {_address(t) for t in outputs.values() if t.numel() and not _inferred(t)} - {0}
    return tuple(name for name, t in tensors.items() if _address(t) in shared) if shared else ()


def _address(tensor: torch.Tensor) -> int:
    """Where a tensor's memory begins; 0 where its device does not tell, as one outside torch's tree may not."""
    try:
        return tensor.untyped_storage().data_ptr()
    except RuntimeError:
        return 0


def _out_of_memory(error: Exception) -> bool:
    """Torch reports exhausted memory of the CPU as a RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "allocate memory" in str(error) or "bad_alloc" in str(error)
