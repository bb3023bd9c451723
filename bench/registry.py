"""The register of recipes, and what they start from: the problem, LeNet's first parameters, plain SGD."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from bench.fashion_mnist import DataSet
from bench.lenet import Batches, Training, initial_lenet
from properties.subjects import devices

Made = TypeVar("Made", bound=Training)


@dataclass(frozen=True)
class Problem:
    """What is to be trained: LeNet on ``data``, by SGD, from ``seed``. The defaults are the chapter's (S20, S22)."""

    data: DataSet
    device: str
    batch_size: int = 256
    lr: float = 0.9
    seed: int = 0


Build = Callable[[Problem], Training]


@dataclass(frozen=True)
class Recipe:
    """How to set up a training, and where and as what it may stand in a table.

    ``other``: what differs from the book's problem, None where the same numbers are computed; ``compiled``: whether
    it needs torch.compile; ``only``: the one device that it is for; ``dtype``: what its layers compute in.
    """

    build: Build
    other: str | None = None
    compiled: bool = False
    only: str | None = None
    dtype: str = "float32"

    def __call__(self, problem: Problem) -> Training:
        """The training, ready for its first step."""
        return self.build(problem)

    @property
    def doc(self) -> str:
        """The first line of the function's docstring."""
        return (self.build.__doc__ or "").strip().partition("\n")[0]

    def absence(self, device: str) -> str | None:
        """Why it cannot run on a device here, or None if it can."""
        if self.only not in (None, device):
            return f"for {self.only} only"
        return devices.absence(device) or (compiler_absence(device) if self.compiled else None)


RECIPES: dict[str, Recipe] = {}


def recipe(**how: Any) -> Callable[[Build], Recipe]:
    """Register a recipe under its function's name; the arguments are :class:`Recipe`'s."""

    def register(function: Build) -> Recipe:
        RECIPES[function.__name__] = made = Recipe(function, **how)
        return made

    return register


def describe(name: str) -> str:
    """The first line of a recipe's docstring."""
    return RECIPES[name].doc


def compiler_absence(device: str) -> str | None:
    """What torch.compile lacks here, or None: a C++ compiler and Python's headers, on accelerators Triton too."""
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++")):
        return "no C++ compiler"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "no Python.h, which torch.compile needs"
    if device != "cpu" and find_spec("triton") is None:
        return "no Triton"
    return None


def training(problem: Problem, train: Batches, test: Batches) -> Training:
    """LeNet from the problem's seed and plain SGD, on these batches."""
    model = initial_model(problem.seed).to(problem.device)
    return Training(model, torch.optim.SGD(model.parameters(), lr=problem.lr), train, test)


def rebuilt(kind: type[Made], made: Training) -> Made:
    """The same model, optimizer and batches under another way to make a step."""
    return kind(made.model, made.optimizer, made.train_batches, made.test_batches)


def initial_model(seed: int) -> nn.Sequential:
    """LeNet on the CPU with parameters drawn from ``seed``; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return initial_lenet()
