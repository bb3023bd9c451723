"""Which runs are of one environment, and which of one machine.

An environment is what a verdict holds for: the versions and the machine. A machine is what a speed holds for. Both go
by what the evidence recorded; a machine that recorded no CPU is like no other, so that no ratio is made with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

MACHINE = ("os", "cpu", "cpu_isa", "cores", "memory_gib", "devices")
ENVIRONMENT = ("convproof", "commit", "torch", "torch_build", "python", *MACHINE)
_TELLING = ("convproof", "commit", "python", "os", "cores", "memory_gib")
_PASSING = frozenset({"load_average"})  # a machine's load changes from minute to minute

Environment = Mapping[str, Any]


def differing(one: Environment, other: Environment) -> list[str]:
    """The keys by which two environments are not the same place."""
    return sorted(key for key in {*one, *other} - _PASSING if one.get(key) != other.get(key))


def identity(environment: Environment) -> str:
    """Equal for environments that one verdict may speak of."""
    return json.dumps({key: environment.get(key) for key in ENVIRONMENT}, sort_keys=True)


def one_machine(one: Environment, other: Environment) -> bool:
    """True if a time measured in the one may be compared with a time measured in the other."""
    return bool(one.get("cpu")) and not differing_machines(one, other)


def differing_machines(one: Environment, other: Environment) -> list[str]:
    """The keys by which two machines differ."""
    return [key for key in MACHINE if one.get(key) != other.get(key)]


def name(environment: Environment) -> str:
    """An environment in a few words: its torch, its devices (the CPU where there is no other) and its ISA.

    >>> name({"torch": "2.13.0", "cpu": "A processor", "cpu_isa": "AVX2", "devices": [{"name": "cpu"}]})
    'torch 2.13.0, A processor, AVX2'
    """
    devices = environment.get("devices")
    listed = [device for device in devices if isinstance(device, dict)] if isinstance(devices, list) else []
    others = [str(device.get("description") or device.get("name")) for device in listed if device.get("name") != "cpu"]
    parts = [f"torch {environment.get('torch') or 'of unknown version'}", str(environment.get("cpu") or "unknown CPU")]
    if environment.get("cpu_isa"):
        parts.append(str(environment["cpu_isa"]))
    return ", ".join([*parts, *others])


def names(environments: Sequence[Environment]) -> list[str]:
    """A name for each; those that share one are told apart by the keys in which they differ."""
    plain = [name(environment) for environment in environments]
    found = []
    for environment, own in zip(environments, plain, strict=True):
        alike = [other for other, theirs in zip(environments, plain, strict=True) if theirs == own]
        keys = [key for key in _TELLING if any(other.get(key) != environment.get(key) for other in alike)]
        found.append(", ".join([own, *(f"{key} {environment.get(key)}" for key in keys)]))
    return found
