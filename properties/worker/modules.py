"""Classes with the names and constructors of torch.nn's in the place of functions of torch.nn.functional.

The script of a divergence copies :func:`functionals` and what it calls, which use no constant of this module.
"""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from properties.worker.call import ONE


def parted(where: str) -> tuple[str, str, str]:
    """The file or module of kernels and, if they are one class, that and the layer that it stands for.

    >>> parted("mine.py"), parted("mine.py:Mine=Conv2d")
    (('mine.py', '', ''), ('mine.py', 'Mine', 'Conv2d'))
    """
    one = ONE.fullmatch(where)
    return (one["file"], one["made"], one["layer"]) if one else (where, "", "")


def load_file(where: str) -> ModuleType:
    """The module of a file, loaded once, under no name that an import could find or hide: it may be called like one."""
    name = f"kernels of {where}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, where)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def function_of(layer: str) -> str:
    """The function of torch.nn.functional that a layer of torch.nn computes; "" if there is none.

    Its name is the layer's in lower case with underscores, perhaps without "Loss"; that of all padding layers is pad,
    that of Upsample is interpolate.

    >>> function_of("AdaptiveMaxPool2d"), function_of("CrossEntropyLoss"), function_of("ZeroPad2d"), function_of("LSTM")
    ('adaptive_max_pool2d', 'cross_entropy', 'pad', '')
    >>> function_of("BCEWithLogitsLoss")
    'binary_cross_entropy_with_logits'
    """
    if re.fullmatch(r"\w+Pad[123]d", layer):
        return "pad"
    if layer == "Upsample":
        return "interpolate"
    public = [name for name in dir(torch.nn.functional) if name.islower() and name.strip("_") == name]
    spelt = layer.lower().replace("bce", "binarycrossentropy")
    plain = (spelt, spelt.removesuffix("loss"))
    return next((name for name in public if name.replace("_", "") in plain), "")


def alone(module: ModuleType, made: str, layer: str) -> ModuleType:
    """A module with nothing but a class, under the name of a layer of torch.nn. Raises TypeError where it is none."""
    given = getattr(module, made, None)
    if not makes_modules(given):
        raise TypeError(f"{made} is no subclass of torch.nn.Module")
    apart = ModuleType(made)
    vars(apart).update({layer: given, "WITHOUT": getattr(module, "WITHOUT", ())})
    return apart


def check(module: ModuleType) -> None:
    """Build the smallest layer of each class that has weights. Raises ValueError where that cannot be done."""
    for name, function in functionals(module).items():
        axes = {"linear": 0, "bilinear": 1}.get(name, int(name[-2]) if "conv" in name else None)
        if axes is None:
            continue
        weights = {"weight": torch.ones((1,) * (axes + 2)), "bias": torch.ones(1)}
        arguments = {**sizes_of(name, weights["weight"], 1), "bias": True}
        try:
            matched(build(function.made, function.layer, arguments), weights)  # type: ignore[attr-defined]
        except NotImplementedError:
            continue
        except Exception as error:
            raise ValueError(f"the layer for {name} cannot be built: {error}") from error


def makes_modules(made: Any) -> bool:
    """True if it may make modules: a subclass of torch.nn.Module, or another callable, such as a partial one."""
    return issubclass(made, nn.Module) if inspect.isclass(made) else callable(made)


def functionals(module: Any) -> dict[str, Callable[..., Any]]:
    """The functions of torch.nn.functional that the classes of a module compute, by name.

    A class computes what the layer of torch.nn of the same name does, if it is not that layer itself.
    """
    own: dict[str, type[nn.Module]] = {}
    for name, layer in vars(nn).items():
        made: Any = getattr(module, name, None)
        if makes_modules(made) and made is not layer:
            own[name] = made
    found = {function: functional_of(made, getattr(nn, name), function)
             for name, made in own.items() if (function := function_of(name)) not in ("", "pad")}  # fmt: skip
    if any(function_of(name) == "pad" for name in own):
        found["pad"] = padding_of(own)
    return found


def functional_of(made: type[nn.Module], layer: type[nn.Module], function: str) -> Callable[..., Any]:
    """The function that a class with the constructor of a layer of torch.nn computes."""
    parameters = inspect.signature(layer).parameters
    positional = {"linear": ("input", "weight", "bias"), "bilinear": ("input1", "input2", "weight", "bias"),
                  "prelu": ("input", "weight")}  # fmt: skip
    names = positional.get(function, ("input", "weight", "bias") if "conv" in function else ("input",))
    called = [*inspect.signature(layer.forward).parameters][1:]
    if {"target", "anchor"} & set(called):
        operands = [*inspect.signature(getattr(nn.functional, function)).parameters][: len(called)]
        names = (*operands, "weight")
    names = ("input", "indices") if "unpool" in function else names

    def call(*operands: Any, **arguments: Any) -> Any:
        if function.endswith("_norm") and function != "local_response_norm":
            raise NotImplementedError("layers that normalise are held as functions alone")
        arguments = {**dict(zip(names, operands, strict=False)), **arguments}
        weights: dict[str, Any] = {}
        if "target" in called and "weight" in arguments and "weight" not in parameters:
            raise NotImplementedError(f"torch.nn.{layer.__name__} has no weight: the function alone takes one")
        if "weight" in arguments and "weight" not in parameters:
            weights = {"weight": arguments.pop("weight"), "bias": arguments.pop("bias", None)}
        built = {name: arguments.pop(name) for name in list(arguments) if name in parameters}
        training = arguments.pop("training", None)
        if arguments.pop("antialias", False):
            raise NotImplementedError("Upsample has no antialias")
        if weights:
            built |= sizes_of(function, weights["weight"], built.get("groups", 1))
            built |= {"bias": weights["bias"] is not None} if function != "prelu" else {}
        module = build(made, layer, built)
        if training is not None:
            module.train(training)
        return with_weights(module, weights, tuple(arguments.values()))

    call.made, call.layer = made, layer  # type: ignore[attr-defined]
    return call


def padding_of(own: Mapping[str, type[nn.Module]]) -> Callable[..., Any]:
    """torch.nn.functional.pad, by the padding layers that there are."""
    layers = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}

    def pad(input: Tensor, padding: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
        name = f"{layers[mode]}Pad{len(padding) // 2}d"
        if mode == "constant" and not value and name not in own:
            name = name.replace("Constant", "Zero")
        if name not in own:
            raise NotImplementedError(f"no {name} is defined")
        more = {"value": value or 0.0} if "Constant" in name else {}
        return build(own[name], getattr(nn, name), {"padding": tuple(padding), **more}).to(input.device)(input)

    return pad


def sizes_of(function: str, weight: Tensor, groups: int) -> dict[str, Any]:
    """The arguments of a layer's constructor that the shape of its weight says."""
    if function == "linear":
        return {"in_features": weight.shape[1], "out_features": weight.shape[0]}
    if function == "bilinear":
        return dict(zip(("out_features", "in1_features", "in2_features"), weight.shape, strict=True))
    if function == "prelu":
        return {"num_parameters": weight.shape[0]}
    first, second = (0, 1) if "transpose" in function else (1, 0)
    channels = {"in_channels": weight.shape[first], "out_channels": weight.shape[second]}
    channels["out_channels" if "transpose" in function else "in_channels"] *= groups
    return {**channels, "kernel_size": tuple(weight.shape[2:])}


def build(made: type[nn.Module], layer: type[nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    """A module of a class, from the arguments that are not the defaults of torch.nn's constructor.

    Raises NotImplementedError where the constructor has no such argument.
    """
    defaults = {name: parameter.default for name, parameter in inspect.signature(layer).parameters.items()}
    needed = {
        name: value
        for name, value in arguments.items()
        if not all(
            part is defaults[name] or part == defaults[name] for part in (value if type(value) is tuple else [value])
        )
    }
    taken = inspect.signature(made).parameters
    named = any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values())
    if missing := [] if named else [name for name in needed if name not in taken]:
        raise NotImplementedError(f"{getattr(made, '__name__', made)} takes no {', '.join(missing)}")
    return made(**needed)


def with_weights(built: nn.Module, weights: Mapping[str, Tensor | None], operands: tuple[Any, ...]) -> Any:
    """What a module gives of its operands with these weights in the place of its own.

    They are copied into its parameters, too: the module may read those by another way than its attributes.
    """
    like = next(operand for operand in operands if isinstance(operand, Tensor) and operand.is_floating_point())
    built = built.to(like.device, like.dtype)
    placed = matched(built, {name: weight for name, weight in weights.items() if weight is not None})
    with torch.no_grad():
        for name, parameter in built.named_parameters():
            parameter.copy_(placed[name])
    return torch.func.functional_call(built, placed, operands)


def matched(built: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weight for each parameter of a module: the one of its name, else the next one of its shape.

    Raises ValueError where weights and parameters do not match.
    """
    own = {name: tuple(parameter.shape) for name, parameter in built.named_parameters()}
    given = {name: tuple(weight.shape) for name, weight in weights.items()}
    placed = {name: weights[name] for name, shape in own.items() if given.get(name) == shape}
    left = {name: weight for name, weight in weights.items() if name not in placed}
    for name, shape in own.items():
        if name in placed:
            continue
        fitting = next((other for other, weight in left.items() if tuple(weight.shape) == shape), None)
        if fitting is not None:
            placed[name] = left.pop(fitting)
    if left or len(placed) < len(own):
        raise ValueError(f"weights do not match: {type(built).__name__} has {own or 'none'}, but should have {given}")
    return placed
