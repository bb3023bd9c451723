"""Tasks of KernelBench's form: ``Model``, ``get_inputs()`` and ``get_init_inputs()``, and ``ModelNew``, which answers.

Around a task's own shape there are others: its file's numbers, such as ``batch_size``, and the defaults of its
constructor are changed, and the functions that make its arguments are called again. What they would make is learnt on
the meta device, where it takes neither time nor memory.
"""

from __future__ import annotations

import inspect
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, get_testing_overrides

from properties.worker.modules import load_file, matched, with_weights

Changed = dict[str, Any]
"""Values of a task's numbers, by name; those of its constructor's defaults are named "Model.NAME"."""

SMALL = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33)
FACTORIES = {"rand", "randn", "randint", "empty", "zeros", "ones", "mul", "add", "sub", "div", "float", "to"}
"""What makes inputs of any values, or stretches and moves them."""
SUMMING = ("linear", "matmul", "mm", "bmm", "mv", "einsum")
"""Matrix products."""
TRIES, CALLS = 400, 8000
"""How often numbers are changed at random, at most: many changes give what Model does not take. And how many calls are
recorded in all: a large Model makes many."""
OFTEN = (0.2, 0.5)
"""How often each of them is changed, by turns: few at once, or many."""


def answer(task: str, changed: Changed, **operands: Tensor) -> Any:
    """What ModelNew gives, or, where torch itself is asked, Model, with these inputs and weights.

    operands: "input 0" … as get_inputs() orders them, and "weight NAME" for each of Model's parameters.
    """
    module = load_file(task)
    made = module.Model if F is torch.nn.functional else F.ModelNew  # type: ignore[attr-defined]
    positional, named = constructed(module, changed)
    tensors = [operands[f"input {i}"] for i in range(sum(name.startswith("input ") for name in operands))]
    inputs = _with_numbers(_on_meta(module, changed), tensors)
    weights = {n.removeprefix("weight "): weight for n, weight in operands.items() if n.startswith("weight ")}
    return with_weights(made(*positional, **named), weights, inputs)


def own_inputs(task: str, changed: Changed, seed: int) -> dict[str, Tensor]:
    """The inputs that the task itself makes, from a seed."""
    torch.manual_seed(seed)
    made = called(load_file(task), "get_inputs", changed)
    return {f"input {i}": tensor for i, tensor in enumerate(_tensors(made))}


def _on_meta(module: Any, changed: Changed) -> list[Any]:
    """The inputs, of which tensors have no values."""
    with torch.device("meta"):
        return list(called(module, "get_inputs", changed))


def _tensors(inputs: Sequence[Any]) -> list[Tensor]:
    return [each for each in inputs if isinstance(each, Tensor)]


def _with_numbers(inputs: Sequence[Any], tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    """Some tensors in the places of those among the inputs, with the numbers between them."""
    rest = iter(tensors)
    return tuple(next(rest) if isinstance(each, Tensor) else each for each in inputs)


def called(module: Any, function: str, changed: Changed) -> Any:
    """What a function of a task's file returns while the file's numbers are changed."""
    kept = dict(vars(module))
    vars(module).update({name: value for name, value in changed.items() if name in kept})
    try:
        return getattr(module, function)()
    finally:
        vars(module).update(kept)


def constructed(module: Any, changed: Changed) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of Model's constructor: those of get_init_inputs(), and changed defaults by name."""
    named = {n.removeprefix("Model."): value for n, value in changed.items() if n.startswith("Model.")}
    return list(called(module, "get_init_inputs", changed)), named


def survey(task: str, wanted: int, small: tuple[int, int], large: tuple[tuple[int, int], ...]) -> Tensor:
    """What a task computes: JSON, as bytes, of its own shape, of that cut down to each of some limits, and of others.

    small, large: the products, and the elements of the largest tensor, that another shape may have, and its own. What
    is too large is cut down by halving numbers: those of the batch first.
    """
    module = load_file(task)
    if F is torch.nn.functional or not callable(F.ModelNew):  # type: ignore[attr-defined]
        raise NotImplementedError("no ModelNew answers")
    if missing := [name for name in ("Model", "get_inputs", "get_init_inputs") if not hasattr(module, name)]:
        raise ValueError(
            f"it has ModelNew, but no {', '.join(missing)}; where the task is another file, --task names it"
        )
    try:
        own = seen_of(module, {})
    except Exception as error:
        raise ValueError(f"its Model cannot be tried: {type(error).__name__}: {error}") from error
    look = Looks(module, CALLS // max(len(own["calls"]), 1))
    held = [_cut_down(look, own, most) for most in large]
    _match(module, held[0] or own)
    found = {"own": own, "held": held, "others": _others(look, own, wanted, small)}
    return torch.frombuffer(bytearray(json.dumps(found).encode()), dtype=torch.uint8)


def _match(module: Any, seen: dict[str, Any]) -> None:
    """Raise ValueError unless ModelNew can be built, with the weights of Model."""
    positional, named = constructed(module, seen["changed"])
    try:
        made = F.ModelNew(*positional, **named)  # type: ignore[attr-defined]
    except Exception as error:
        raise ValueError(f"its ModelNew cannot be built: {type(error).__name__}: {error}") from error
    matched(made, {name: torch.empty(shape, device="meta") for name, shape in seen["weights"].items()})


class Recorder(TorchFunctionMode):
    """Notes the functions that are called and give tensors, with their arguments by name; a tensor by where it is from.

    names: of the tensors that there were before, by their identity.
    """

    def __init__(self, names: dict[int, str] | None = None) -> None:
        super().__init__()
        self.names, self.calls, self.kept = dict(names or {}), list[tuple[str, dict[str, Any]]](), list[Any]()
        self.products, self.elements = 0, 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Make the call, and note it."""
        result, name = function(*args, **(kwargs or {})), _name(function)
        results = result if isinstance(result, tuple) else (result,)
        if results and all(isinstance(each, Tensor) for each in results):
            self.kept += [result, args, kwargs]  # an identity is one tensor's as long as it lives
            self.calls.append((name, self._arguments(function, args, kwargs or {})))
            self.elements = max(self.elements, *(each.numel() for each in results))
            self.products += _products(name, results[0], [v for v in args if isinstance(v, Tensor)])
            own = f"call {len(self.calls) - 1}"
            self.names |= {id(each): f"{own}, {i}" if i else own for i, each in enumerate(results)}
        return result

    def _arguments(self, function: Any, args: Any, kwargs: Any) -> dict[str, Any]:
        described = get_testing_overrides().get(function, function)
        try:
            bound = inspect.signature(described).bind(*args, **kwargs)
        except (TypeError, ValueError):
            given = {str(i): value for i, value in enumerate(args)} | kwargs
            return {name: self._plain(value) for name, value in given.items()}
        bound.apply_defaults()
        return {name: self._plain(value) for name, value in bound.arguments.items()}

    def _plain(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return {"tensor": self.names.get(id(value), "unknown")}
        if isinstance(value, list | tuple):
            return [self._plain(item) for item in value]
        return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _name(function: Any) -> str:
    """The name of a function; of what reads a property of a tensor, the property's, and of an operation its plain one.

    >>> _name(torch.relu), _name(Tensor.T.__get__), _name(Tensor.__matmul__)
    ('relu', 'T', 'matmul')
    """
    name = str(function.__self__.__name__ if function.__name__ == "__get__" else function.__name__)
    return name.strip("_") if name.startswith("__") else name


def _products(function: str, result: Tensor, operands: list[Tensor]) -> int:
    """How many products a convolution, a matrix product or attention adds up; 0 of any other function."""
    if function == "scaled_dot_product_attention":
        return 2 * operands[0].numel() * operands[1].shape[-2]
    if len(operands) < 2 or not ("conv" in function or function in SUMMING):
        return 0
    if "conv" in function:
        return math.prod(operands[1].shape[1:]) * (operands[0] if "transpose" in function else result).numel()
    return result.numel() * operands[0].shape[-1]


def seen_of(module: Any, changed: Changed) -> dict[str, Any]:
    """What the task is with its numbers changed: shapes, calls and cost. Raises what its functions raise."""
    maker = Recorder()
    with torch.device("meta"), maker:
        inputs = called(module, "get_inputs", changed)
    if not all(isinstance(each, Tensor | int | float) for each in inputs):
        raise TypeError("get_inputs() gives more than tensors and numbers")
    tensors = _tensors(inputs)
    if shapes := changed.get("inputs"):
        tensors = [torch.empty(shape, dtype=t.dtype, device="meta") for t, shape in zip(tensors, shapes, strict=True)]
    with torch.device("meta"):
        positional, named = constructed(module, changed)
        model: nn.Module = module.Model(*positional, **named)
    weights = dict(model.named_parameters())
    names = {id(tensor): f"input {i}" for i, tensor in enumerate(tensors)}
    names |= {id(weight): f"weight {name}" for name, weight in weights.items()}
    with torch.no_grad(), Recorder(names) as forward:
        output = model(*_with_numbers(inputs, tensors))
    if not isinstance(output, Tensor):
        raise TypeError(f"Model gives no tensor, but a {type(output).__name__}")
    made = {name for name, _ in maker.calls}
    integral = [arguments for name, arguments in maker.calls if name == "randint"]
    return {
        "changed": changed,
        "constructor": f"Model({', '.join([*map(repr, positional), *(f'{n}={v!r}' for n, v in named.items())])})",
        "inputs": [[tuple(t.shape), str(t.dtype).removeprefix("torch.")] for t in tensors],
        "classes": [max(v for v in arguments.values() if type(v) is int) for arguments in integral],
        "plain": made <= FACTORIES,
        "weights": {name: tuple(weight.shape) for name, weight in weights.items()},
        "output": tuple(output.shape),
        "calls": forward.calls,
        "products": forward.products,
        "elements": max(forward.elements, *(tensor.numel() for tensor in (*tensors, *weights.values(), output))),
    }


def _fits(seen: dict[str, Any], most: tuple[int, int]) -> bool:
    return bool(seen["products"] <= most[0] and seen["elements"] <= most[1])


def _numbers(module: Any) -> dict[str, Any]:
    """What can be changed about a task: integers of its file, sequences of them, and defaults of its constructor."""
    found = {name: value for name, value in vars(module).items() if not name.startswith("_") and _number(value)}
    positional, _ = constructed(module, {})
    parameters = list(inspect.signature(module.Model).parameters.values())[len(positional) :]
    return found | {f"Model.{p.name}": p.default for p in parameters if _number(p.default)}


def _number(value: Any) -> bool:
    return (isinstance(value, int) and value >= 0) or (
        isinstance(value, list | tuple) and bool(value) and all(map(_number, value))
    )


@dataclass
class Looks:
    """How often a task is looked at with its numbers changed, at most."""

    module: Any
    left: int

    def __call__(self, changed: Changed) -> dict[str, Any] | None:
        """The same as :func:`seen_of`; None where the task cannot be changed so, and when no look is left."""
        self.left -= 1
        try:
            return seen_of(self.module, changed) if self.left >= 0 else None
        except Exception:
            return None


def _halves(value: Any) -> list[Any]:
    """A number halved; of several, each in its turn."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int):
        return [value // 2] if value > 1 else []
    return [type(value)([*value[:i], half, *value[i + 1 :]]) for i, part in enumerate(value) for half in _halves(part)]


def _cut_down(look: Looks, own: dict[str, Any], most: tuple[int, int]) -> dict[str, Any] | None:
    """The task's own shape with numbers halved until it can be held; None where that cannot be."""
    seen = own
    while not _fits(seen, most):
        at = {**{name: value for name, value in _numbers(look.module).items() if "." not in name}, **seen["changed"]}
        tried = [(name, look({**seen["changed"], name: half})) for name in at for half in _halves(at[name])]
        if seen["plain"]:
            shapes = tuple(tuple(shape) for shape, _ in seen["inputs"])
            tried += [("inputs", look({**seen["changed"], "inputs": halved})) for halved in _halves(shapes)]
        smaller = [other for _, other in tried if other and _cost(other) < _cost(seen)]
        if not smaller:
            return None
        seen = min(smaller, key=lambda other: (_kept(own, other), _longest(other), _cost(other)))
    return seen


def _cost(seen: dict[str, Any]) -> int:
    return max(seen["products"], 64 * seen["elements"])


def _longest(seen: dict[str, Any]) -> int:
    return max(size for shape, _ in seen["inputs"] for size in shape)


def _kept(own: dict[str, Any], seen: dict[str, Any]) -> int:
    """How much of the task's own shape is lost: 0 if none but the batch, 1 if the layers are the same, else 2."""
    if seen["weights"] != own["weights"] or seen["constructor"] != own["constructor"]:
        return 2
    batch = all(mine[0][1:] == other[0][1:] for mine, other in zip(own["inputs"], seen["inputs"], strict=True))
    return 0 if batch else 1


def _others(look: Looks, own: dict[str, Any], wanted: int, most: tuple[int, int]) -> list[dict[str, Any]]:
    """Small shapes around the task's own, the smallest first; each of them one that torch takes with values, too."""
    dice, numbers, found = random.Random(0), _numbers(look.module), dict[str, dict[str, Any]]()
    halved = {name: [look({name: half}) for half in _halves(value)] for name, value in numbers.items()}
    sizes = [name for name, tried in halved.items() if tried and all(seen and _kept(own, seen) < 2 for seen in tried)]
    for turn in range(TRIES):
        often = dice.choice(OFTEN)
        changed = {name: _moved(value, dice, 1.0 if name in sizes else often) for name, value in numbers.items()}
        if own["plain"] and (not sizes or (turn > TRIES // 2 and len(found) < wanted // 4)):
            changed["inputs"] = tuple(_moved(tuple(shape), dice, often) for shape, _ in own["inputs"])
        seen = look({name: value for name, value in changed.items() if numbers.get(name) != value})
        key = repr(seen and (seen["inputs"], seen["constructor"]))
        if seen and key not in found and _fits(seen, most) and _computes(look.module, seen):
            found[key] = seen
        if len(found) >= wanted:
            break
    return sorted(found.values(), key=lambda seen: sum(math.prod(shape) for shape, _ in seen["inputs"]))


def _moved(value: Any, dice: random.Random, often: float) -> Any:
    """Another number near by, or a small one; one that is no large size stays the same but so often."""
    if isinstance(value, list | tuple):
        return type(value)(_moved(part, dice, often) for part in value)
    if value <= 64 and dice.random() >= often:
        return value
    if isinstance(value, bool):
        return not value
    if value <= 16:
        return dice.randrange(value + 3)
    return dice.choice((*SMALL, value - 1, value + 1) if value <= 64 else SMALL)


def _computes(module: Any, seen: dict[str, Any]) -> bool:
    """True if Model takes inputs of these shapes on the CPU."""
    positional, named = constructed(module, seen["changed"])
    inputs = [torch.ones(shape, dtype=getattr(torch, dtype)) for shape, dtype in seen["inputs"]]
    classes = iter(seen["classes"])
    inputs = [tensor if tensor.is_floating_point() else tensor % next(classes, 2) for tensor in inputs]
    try:
        with torch.no_grad():
            module.Model(*positional, **named)(*_with_numbers(_on_meta(module, seen["changed"]), inputs))
    except Exception:
        return False
    return all(map(math.prod, (seen["output"], *seen["weights"].values())))
