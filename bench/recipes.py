"""Recipes: ways to train the same LeNet on the same batches. To add one, write a function and decorate it.

A recipe takes a :class:`Problem` and sets up a :class:`bench.lenet.Training`; it may bring other batches, another
model or optimizer, or another step. Every recipe starts from the same parameters and sees the same images in the
same order, so that what differs between two of them is how the work is done. The first line of its docstring is
shown in the report.
"""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader

from bench.batches import WHITE, DeviceBatches, ImageDataset, Shuffle
from bench.compiled import Autocast, CompiledLoss, GraphedStep, WholeStep
from bench.lenet import Training
from bench.loops import Loops
from bench.matrix_lenet import MatrixLeNet
from bench.per_core import PerCore
from bench.registry import RECIPES, Problem, Recipe, describe, initial_model, rebuilt, recipe, training

__all__ = ["RECIPES", "WHITE", "Problem", "Recipe", "Training", "describe", "initial_model"]


@recipe()
def book(problem: Problem) -> Training:
    """The chapter's loop: Dataset and DataLoader, each batch moved to the device, metrics read after each step.

    Images are decoded one by one in this process: worker processes would take cores from the training on a CPU.
    """
    train = ImageDataset(problem.data.train)
    shuffled = DataLoader(train, problem.batch_size, sampler=Shuffle(len(train), problem.seed))
    return training(problem, shuffled, DataLoader(ImageDataset(problem.data.test), problem.batch_size))


@recipe()
def in_memory(problem: Problem) -> Training:
    """The chapter's step on tensors that were decoded and moved to the device before training.

    The whole set in float32 takes 220 MB there.
    """
    order = Shuffle(len(problem.data.train), problem.seed)
    return training(
        problem,
        DeviceBatches(problem.data.train, problem.device, problem.batch_size, order),
        DeviceBatches(problem.data.test, problem.device, problem.batch_size),
    )


@recipe()
def channels_last(problem: Problem) -> Training:
    """in_memory, with images and kernels laid out channels last, the layout that many convolution kernels prefer."""
    made = in_memory(problem)
    made.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made


@recipe()
def fused_sgd(problem: Problem) -> Training:
    """in_memory, with torch's fused SGD: one kernel updates all ten parameters."""
    made = in_memory(problem)
    made.optimizer = torch.optim.SGD(made.model.parameters(), lr=problem.lr, fused=True)
    return made


@recipe(other="numerics: layers compute in bfloat16", dtype="bfloat16")
def bf16(problem: Problem) -> Training:
    """in_memory under autocast to bfloat16: layers compute in 16 bits, parameters and their update stay in 32."""
    return rebuilt(Autocast, in_memory(problem))


@recipe(compiled=True)
def compiled(problem: Problem) -> Training:
    """in_memory, with the network and its loss compiled by torch.compile, forward and backward; plain SGD follows."""
    return rebuilt(CompiledLoss, in_memory(problem))


@recipe(compiled=True)
def compiled_step(problem: Problem) -> Training:
    """in_memory, with the whole step compiled as one graph: loss, gradients, update and metrics."""
    return rebuilt(WholeStep, in_memory(problem))


@recipe(compiled=True)
def max_autotune(problem: Problem) -> Training:
    """compiled, in torch.compile's mode max-autotune: it tries several kernels for a product and keeps the fastest."""
    made = rebuilt(CompiledLoss, in_memory(problem))
    made.mode = "max-autotune"
    return made


@recipe(compiled=True)
def matrix(problem: Problem) -> Training:
    """compiled_step, with each convolution and pool as one matrix product over 6×6 windows, batch innermost."""
    made = rebuilt(WholeStep, in_memory(problem))
    made.model = MatrixLeNet(made.model)
    return made


@recipe(only="cpu")
def loops(problem: Problem) -> Training:
    """in_memory, with convolutions, sigmoids and pools as Numba's loops, batch innermost, and dense layers by BLAS."""
    return rebuilt(Loops, in_memory(problem))


@recipe(compiled=True, only="cpu")
def per_core(problem: Problem) -> Training:
    """matrix, with one process of one thread a core: each takes its share of every batch.

    The processes share the parameters and the batch in memory; gradients are summed and applied by this process.
    """
    made = rebuilt(PerCore, in_memory(problem))
    made.model = MatrixLeNet(made.model)
    made.start(torch.get_num_threads(), problem.batch_size, problem.lr)
    return made


@recipe(compiled=True, only="cuda")
def reduce_overhead(problem: Problem) -> Training:
    """compiled, replayed as CUDA graphs by torch.compile's mode reduce-overhead."""
    made = rebuilt(CompiledLoss, in_memory(problem))
    made.mode = "reduce-overhead"
    return made


@recipe(only="cuda")
def cuda_graph(problem: Problem) -> Training:
    """in_memory, with the whole step captured once as a CUDA graph and replayed, without the CPU's part in it."""
    return rebuilt(GraphedStep, in_memory(problem))
