"""A divergence as a script that anyone can run: torch and NumPy, nothing of this suite.

The script makes the one call, compares the one tensor with what it should be, and exits with 1 while they differ.
Sources of programs and layouts are copied into it as they are, so that what it shows is what was tried.
"""

from __future__ import annotations

import base64
import inspect
import re
import sys
import textwrap
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from properties.subjects import devices
from properties.subjects.environment import environment
from properties.verdicts.evidence import write_whole
from properties.verdicts.expected import Expected, Refusal, Shaped
from properties.verdicts.verdict import BUG
from properties.worker import modules
from properties.worker.call import FAKE, GROUPS, INDUCTOR, Call, Shape
from properties.worker.execute import RECOMPILATIONS
from properties.worker.layouts import LAYOUTS
from properties.worker.programs import STEPS, VIEWS
from properties.worker.programs import __name__ as PROGRAMS
from refimpl.arrays import Array

LITERAL = 64
"""Arrays of more elements are written compressed."""
LEVEL = 3
"""Of zlib: 9 takes 30 times as long for a twentieth less, since half of the bits of a widened float32 are zero."""

HEAD = '''"""{title}

{message}

Found with torch {torch} on {system}, {isa}, Python {python}, NumPy {numpy}.
What should be: {source}
{ending} while torch differs, with 0 once it does not.
"""

from __future__ import annotations

{imports}
'''

IMPORTS = {
    "import base64": "base64.",
    "import contextlib": "contextlib.",
    "import ctypes": "ctypes.",
    "import functools": "functools.",
    "import importlib.util": "importlib.util",
    "import inspect": "inspect.",
    "import io": "io.",
    "import os": "os._exit",
    "import re": "re.fullmatch",
    "import sys": "sys.",
    "import types": "types.SimpleNamespace",
    "import zlib": "zlib.",
    "from typing import Any": ": Any",
    "import numpy as np": "np.",
    "import torch": "torch.",
    "import torch.nn.functional as F": " F.",
    "from numpy import inf, nan": "nan",
    "from torch import Tensor, nn": "Tensor",
}
"""What a script may import, and the text by which it is seen to need it."""

POISON = [
    "with contextlib.suppress(OSError, TypeError, AttributeError):  # glibc has it",
    "    ctypes.CDLL(None).mallopt(-6, 85)  # M_PERTURB: what torch reads but never wrote is not zero by chance",
]
"""As the workers' MALLOC_PERTURB_, but however the script is run; what was freed before is not filled."""

LEAVE = [
    "",
    "",
    "def leave(status: int) -> None:",
    '    """End at once: autograd\'s threads for a device written in Python may abort when the interpreter ends."""',
    "    sys.stdout.flush()",
    "    os._exit(status)",
    "",
    "",
    "sys.exit = leave",
]

CRASH = re.compile(r"\bNativeCrash: (SIG[A-Z]+)")
"""A message that tells of a crash: the script ends with the same signal."""

NAN = re.compile(r"\b(nan|inf)\b")


def write(
    folder: Path,
    name: str,
    call: Call,
    message: str,
    source: str,
    expected: Expected | Refusal | Shaped | None = None,
    group: str = "outputs",
    tensor: str = "output",
) -> Path:
    """Write the script ``name``.py, replacing one of that name; ``source`` cites the formula."""
    path = folder / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name).strip('-')}.py"
    write_whole(path, script(name, call, message, source, expected, group, tensor))
    return path


def script(
    name: str,
    call: Call,
    message: str,
    source: str,
    expected: Expected | Refusal | Shaped | None,
    group: str,
    tensor: str,
) -> str:
    """The text of the script."""
    lines = _call(call)
    parts = [*_sources(call), "\n".join(_refused(lines, expected) if isinstance(expected, Refusal) else lines)]
    if isinstance(expected, Shaped):
        parts.append("\n".join(_shape(expected.shape, group, tensor, in_order=expected.in_order)))
    elif isinstance(expected, Expected) and call.inferred:
        parts.append("\n".join(_shape(np.shape(expected.values), group, tensor, _result(call, expected))))
    elif isinstance(expected, Expected):
        parts.append("\n".join(_comparison(call, expected, group, tensor)))
    body = "\n\n".join(part.rstrip() for part in parts) + "\n"
    return _head(name, message, source, body) + "\n\n" + body


def _head(name: str, message: str, source: str, body: str) -> str:
    here = environment()
    said = message.partition("\nExplanation:")[0].replace("\\", "\\\\").replace('"""', "'''")
    needed = [line for line, sign in IMPORTS.items() if (NAN.search(body) if sign == "nan" else sign in body)]
    return HEAD.format(
        imports="\n".join(needed), ending=f"Ends with {crash[1]}" if (crash := CRASH.search(said)) else "Exits with 1",
        title=name, message=said, source=source, torch=here["torch"], system=here["os"], isa=here["cpu_isa"],
        python=here["python"], numpy=here["numpy"],
    )  # fmt: skip


def _sources(call: Call) -> list[str]:
    """The program, the call's layouts, and the functions of their modules and of programs that those call."""
    wanted: dict[str, str] = {}
    for function in (call.program, *(LAYOUTS[layout] for layout in call.setting.layouts.values())):
        _collect(function, wanted)
    if call.kernels and _of_layers(call.kernels):
        _collect(modules.functionals, wanted)
    return list(reversed(wanted.values()))


def _collect(function: Callable[..., Any], into: dict[str, str]) -> None:
    if not isinstance(function, FunctionType) or function.__name__ in into:
        return
    into[function.__name__] = inspect.getsource(function)
    for name in _names(function.__code__):
        used = function.__globals__.get(name)
        if inspect.isfunction(used) and used.__module__.startswith((function.__module__, modules.__name__, PROGRAMS)):
            _collect(used, into)


def _names(code: CodeType) -> Iterator[str]:
    """The names that code uses, those within its comprehensions and functions included."""
    yield from code.co_names
    for inner in filter(inspect.iscode, code.co_consts):
        yield from _names(inner)


def _call(call: Call) -> list[str]:
    program = call.program.__name__ if isinstance(call.program, FunctionType) else f"torch.{call.program.__name__}"
    dtype = _stored(call)
    lines = [] if call.inferred else [*POISON]
    lines += [f"torch.set_num_threads({call.setting.threads})"]
    lines += [_loaded(where, "_") for where in call.imports]
    lines += LEAVE if call.imports and call.device != "cpu" else []
    lines += [] if call.setting.onednn else ["torch.backends.mkldnn.set_flags(False)"]
    lines += ["torch.use_deterministic_algorithms(True)"] if call.setting.deterministic else []
    if call.device == "cuda":
        lines += [f"torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = {call.dtype == 'tf32'}"]
    if call.kernels:
        lines += _kernels(call.kernels)
    if call.mode == FAKE:
        lines += ["torch._subclasses.FakeTensorMode().__enter__()  # what the device's dispatch gives, without it"]
    lines += ["operands = {"]
    lines += [f'    "{name}": {_tensor(values, name, call, dtype)},' for name, values in call.operands.items()]
    lines += ["}"]
    if not call.inferred:
        lines += ["numbers = lambda t: t.detach().cpu().to(torch.float64).numpy().copy()"]
        lines += ["before = {name: numbers(t) for name, t in operands.items()}"]
    if call.mode not in ("eager", FAKE):
        lines += _compiled(call, program, dtype)
        program = "compiled"
    differentiated = call.cotangent is not None
    if differentiated:
        wanted = "" if call.wanted is None else f" and n in {call.wanted!r}"
        lines += [f"operands = {{n: t.requires_grad_(t.is_floating_point(){wanted}) for n, t in operands.items()}}"]
    made = [f"result = {program}(**operands, **{dict(call.arguments)!r})"]
    made += ["results = result if isinstance(result, (tuple, dict)) else (result,)"]
    made += ['outputs = results if isinstance(results, dict) else dict(zip(("output", "indices"), results))']
    made += _gradients(call, dtype) if differentiated else []
    return [*lines, *_held(call, made, dtype), *made]


def _held(call: Call, made: list[str], dtype: str) -> list[str]:
    """The calls that come before the last, in the same memory, and what the first of them gave."""
    if call.before is None:
        return []
    others = ", ".join(f'"{name}": {_tensor(values, name, call, dtype)}' for name, values in call.before.items())
    filled = ["for name, t in operands.items():", "    t.detach().copy_(turns[{}][name])", "    t.grad = None"]
    gradients = '{f"gradient {name}": g for name, g in gradients.items()}' if call.cotangent is not None else "{}"
    return [
        f"turns = [{{{others}}}, {{name: t.detach().clone() for name, t in operands.items()}}]",
        "held = {}  # what the first of the calls gave",
        f"for turn in range({2 * call.rounds - 1}):",
        *(f"    {line.format('turn % 2')}" for line in filled),
        *(f"    {line}" for line in made),
        f"    held = held or {{**outputs, **{gradients}}}",
        *(line.format(1) for line in filled),
    ]


def _compiled(call: Call, program: str, dtype: str) -> list[str]:
    """The compiled program; where it served other calls before, it is first compiled for their shapes."""
    constant = ["torch._dynamo.config.specialize_int = torch._dynamo.config.specialize_float = True"]
    lines = constant if call.mode == "dynamic" else []
    backend = f", backend={call.backend!r}" if call.backend != INDUCTOR else ""
    if call.program in STEPS:
        compiler = f"functools.partial(torch.compile{backend})" if backend else "torch.compile"
        return [f"compiled = functools.partial({program}, compiled={compiler})"]
    lines += [f"compiled = torch.compile({program}, dynamic={call.mode == 'dynamic'}, fullgraph=True{backend})"]
    earlier = dict.fromkeys(f"({_zeros(other, dtype)}, {dict(other.arguments)!r})" for other in call.earlier)
    if not earlier:
        return lines
    lines = [f"torch._dynamo.config.recompile_limit = {RECOMPILATIONS}", *lines, "earlier = ["]
    lines += [f"    {served}," for served in earlier]
    lines += ["]", "for zeros, arguments in earlier:  # it is compiled for the shapes of some of these calls"]
    lines += ["    with contextlib.suppress(Exception):", "        result = compiled(**zeros, **arguments)"]
    if call.cotangent is not None:
        lines += ["        result = result[0] if isinstance(result, tuple) else result"]
        lines += ["        result.backward(torch.ones_like(result))"]
    return lines


def _zeros(call: Call, dtype: str) -> str:
    """Operands of the shapes of a call, with gradients if it has them."""
    tensors = []
    for name, values in call.operands.items():
        values = np.asarray(values)
        floating = values.dtype.kind == "f"
        kind = f"dtype=torch.{dtype if floating else values.dtype}, device={call.device!r}"
        kind += ", requires_grad=True" if floating and call.cotangent is not None else ""
        tensors.append(f"{name!r}: torch.zeros({np.shape(values)!r}, {kind})")
    return f"{{{', '.join(tensors)}}}"


def _refused(lines: list[str], wanted: Refusal) -> list[str]:
    """The call and what follows, which should raise; an exception that torch calls a bug of its own is none."""
    at = next(i for i, line in enumerate(lines) if line.startswith("result = "))
    caught = [
        "except Exception as error:",
        '    print("raises", type(error).__name__, error)',
        f"    sys.exit({BUG!r} in str(error))",
        'shape = tuple(outputs["output"].shape)',
        f'print("gives shape", shape, "but should raise:", {wanted.rule!r})',
        f"sys.exit(shape != {wanted.shape!r})",
    ]
    return [*lines[:at], "try:", *(f"    {line}" for line in lines[at:]), *caught]


def _stored(call: Call) -> str:
    return "float32" if call.dtype == "tf32" else call.dtype


def _gradients(call: Call, dtype: str) -> list[str]:
    assert call.cotangent is not None
    cotangent = f"cotangent = {_tensor(call.cotangent, 'cotangent', call, dtype)}"
    if call.directions is None:
        return [cotangent, 'outputs["output"].backward(cotangent)',
                "gradients = {name: t.grad for name, t in operands.items() if t.grad is not None}"]  # fmt: skip
    about = "materialize_grads=True, allow_unused=True"
    directions = ", ".join(_tensor(values, "", call, dtype) for values in call.directions.values())
    return [
        f"{cotangent}.requires_grad_()",
        f"free = {{name: operands[name] for name in {list(call.directions)}}}",
        'first = torch.autograd.grad(outputs["output"], list(free.values()), cotangent, create_graph=True)',
        f"directions = [{directions}]",
        "gradients = dict(zip(free, first))",
        'about = {"cotangent": cotangent, **free}',
        f"second = torch.autograd.grad(first, list(about.values()), directions, {about})",
        "second = dict(zip(about, second))",
    ]


def _shape(
    shape: tuple[int, ...], group: str, tensor: str, dtype: str | None = None, in_order: bool = False
) -> list[str]:
    """The shape alone, where there are no values or none were looked at, and perhaps the dtype, or the strides."""
    lines = [f'shape = tuple({group}["{tensor}"].shape)', f'print("shape is", shape, "should be", {shape!r})']
    if in_order:
        lines += [f'seen = {group}["{tensor}"]', 'print("strides are", seen.stride(), "should be those of its axes")']
        return [*lines, f"sys.exit(shape != {shape!r} or not seen.is_contiguous())"]
    if dtype is None:
        return [*lines, f"sys.exit(shape != {shape!r})"]
    lines += [f'dtype = {group}["{tensor}"].dtype', f'print("dtype is", dtype, "should be torch.{dtype}")']
    return [*lines, f"sys.exit(shape != {shape!r} or dtype != torch.{dtype})"]


def _result(call: Call, expected: Expected) -> str:
    """Torch's name of the dtype that a result should have."""
    kind = np.asarray(expected.values).dtype
    return call.promoted if kind.kind == "f" else str(kind)


def _comparison(call: Call, expected: Expected, group: str, tensor: str) -> list[str]:
    """What a verdict looks at: operands left alone, memory of its own, dtype, shape and values."""
    assert group in GROUPS
    told = call.device in devices.IN_TREE  # others may not tell where their memory is
    shares = "False" if call.program in VIEWS or not told else "places(outputs) & places(operands)"
    dtype = _result(call, expected)
    bound = "0.0" if expected.bound is None else literal(np.broadcast_to(expected.bound, np.shape(expected.values)))
    return [
        f'seen = {group}["{tensor}"].detach().cpu()',
        "places = lambda tensors: {t.untyped_storage().data_ptr() for t in tensors.values() if t.numel()}",
        f"wrong = seen.dtype != torch.{dtype} or bool({shares})",
        "wrong |= any(not np.array_equal(numbers(t), before[name], equal_nan=True) for name, t in operands.items())",
        "seen = (seen.double() if seen.is_floating_point() else seen).numpy()",
        f"should = {literal(expected.values)}",
        f"bound = {bound}",
        'print("is", seen.tolist(), "should be", should.tolist(), "within", np.asarray(bound).tolist(), sep="\\n")',
        "if wrong or seen.shape != should.shape:",
        '    print("dtype, memory, operands or shape:", seen.dtype, seen.shape)',
        "    sys.exit(1)",
        'with np.errstate(invalid="ignore"):',
        "    right = (np.abs(seen - should) <= bound) | (seen == should) | (np.isnan(seen) & np.isnan(should))",
        "sys.exit(0 if right.all() else 1)",
    ]


def _tensor(values: Array | Shape, name: str, call: Call, dtype: str) -> str:
    dtype = call.dtypes.get(name, dtype)
    if isinstance(values, tuple):
        return f'torch.empty({values!r}, dtype=torch.{dtype}, device="meta")'
    floating = values.dtype.kind == "f"
    if call.mode == FAKE:
        return (
            f'torch.empty({values.shape!r}, dtype=torch.{dtype if floating else values.dtype}, device="{call.device}")'
        )
    # A copy, which torch's allocator aligns: NumPy's memory is aligned by chance.
    text = f"torch.from_numpy({literal(values)})" + (f".to(torch.{dtype}, copy=True)" if floating else ".clone()")
    text += f'.to("{call.device}")' if call.device != "cpu" else ""
    layout = call.setting.layouts.get(name, "contiguous")
    return text if layout == "contiguous" else f"{LAYOUTS[layout].__name__}({text})"


def _loaded(where: str, name: str) -> str:
    """How the code of a file or a module is loaded under a name."""
    if not where.endswith(".py"):
        return f"import {where} as {name}"
    return (
        f'spec = importlib.util.spec_from_file_location("user_code", {where!r})\n'
        f"{name} = sys.modules[spec.name] = importlib.util.module_from_spec(spec)\n"
        f"spec.loader.exec_module({name})"
    )


def _kernels(where: str) -> list[str]:
    """The kernels as F, with functions for the layers among them."""
    if defined := _defined_here(where):
        return _functions(defined)
    file, made, layer = modules.parted(where)
    lines = [_loaded(file, "F")]
    lines += [f"F.{layer} = F.{made}"] if made else []
    if not _of_layers(where):
        return lines
    return [
        *lines,
        "for name, function in functionals(F).items():",
        "    if getattr(F, name, None) in (None, getattr(torch.nn.functional, name)):",
        "        setattr(F, name, function)",
    ]


def _defined_here(where: str) -> dict[str, Callable[..., Any]]:
    """The functions of a module that is in no file: they were defined in this process, as in a notebook."""
    module = sys.modules.get(where)
    own = {} if module is None or hasattr(module, "__file__") else vars(module)
    return {name: function for name, function in own.items() if callable(function)}


def _functions(defined: Mapping[str, Callable[..., Any]]) -> list[str]:
    """Functions as F, by what they say; what they use of their own place is for the reader to add."""
    sources, names = [], []
    for name, function in defined.items():
        try:
            sources.append(textwrap.dedent(inspect.getsource(function)))
        except (OSError, TypeError):  # built in, or typed in a console
            sources.append(f"# {name} is defined in no file: define it here")
        names.append(f"{name}={getattr(function, '__name__', name)}")
    return [*sources, f"F = types.SimpleNamespace({', '.join(names)})"]


def _of_layers(where: str) -> bool:
    """True if kernels may be layers: a file that speaks of none has none."""
    file, made, _ = modules.parted(where)
    if _defined_here(where):
        return False
    if made or not file.endswith(".py"):
        return True
    return any(modules.function_of(word) for word in set(re.findall(r"\b[A-Z]\w+", Path(file).read_text("utf-8"))))


def literal(values: Array) -> str:
    """An array as Python text that makes it again, bit for bit.

    >>> literal(np.array([[1.0, np.nan]]))
    'np.array([[1.0, nan]])'
    >>> literal(np.array(2.0))
    'np.array(2.0)'
    """
    values = np.asarray(values, order="C")
    dtype = "" if values.dtype in (np.float64, np.int64) and values.size else f", dtype=np.{values.dtype}"
    if values.size and values.size <= LITERAL:
        return f"np.array({values.tolist()!r}{dtype})"
    if not values.size:
        return f"np.zeros({values.shape!r}{dtype})"
    packed = base64.b85encode(zlib.compress(values.tobytes(), LEVEL)).decode()
    unpacked = f"zlib.decompress(base64.b85decode({packed!r}))"
    return f"np.frombuffer({unpacked}, dtype=np.{values.dtype}).reshape({values.shape!r}).copy()"
