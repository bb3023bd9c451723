"""Recipes compute what the loops compute, and say why where they cannot run (S18–S23)."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bench import compiled, lenet, loop_kernels, matrix_lenet, per_core, recipes, registry
from bench.agreement import first_step
from bench.fashion_mnist import DataSet
from properties.images import idx
from properties.selftest import nested
from properties.verdicts.verdict import Diverged

SMALL = 40


@pytest.fixture
def problem() -> recipes.Problem:
    """The bundled sample in small batches on the CPU, whatever else is installed."""
    both = idx.sample()
    data = DataSet(both.train, both.test, "bundled sample", "for a test", None)
    return recipes.Problem(data, "cpu", batch_size=SMALL)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch.compile traces is computed by its own functions: to build code takes half a minute."""
    monkeypatch.setattr(compiled, "BACKEND", "aot_eager")


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of a recipe are forked from one that has imported torch, and computed nothing."""
    monkeypatch.setattr(per_core, "START", nested.context.get_start_method())


@pytest.mark.usefixtures("traced", "forked")  # "bench" holds what is built to the same bound, "bench-full" per_core's
@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_step_is_the_loops_step(name: str, problem: recipes.Problem) -> None:
    """A recipe's first step is within the bound propagated through the network; in 16 bits there is none."""
    chosen = recipes.RECIPES[name]
    if absence := chosen.absence("cpu"):
        pytest.skip(f"not run ({absence})")
    training = chosen(problem)
    try:
        bounded = chosen.dtype == "float32"
        share = first_step(training, problem.lr, bounded).worst_share
        assert bounded == (share is not None)
        assert share is None or share <= 1
        assert chosen.doc.endswith(".")
    finally:
        training.close()


def test_a_wrong_step_is_found(problem: recipes.Problem) -> None:
    """A learning rate off by a hundredth is beyond the bound."""
    training = recipes.in_memory(problem)
    with pytest.raises(Diverged, match=r"differs from the loops'.* times its bound"):
        first_step(training, problem.lr * 1.01)


def test_matrix_lenet_is_lenet() -> None:
    """Integers that add up exactly: the matrix products' convolution and its gradients have the layers' very bits."""
    torch.manual_seed(0)
    x = torch.randint(-3, 4, (2, 3, 12, 8)).double()
    weight = torch.randint(-3, 4, (4, 3, 5, 5)).double().requires_grad_()
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    columns = matrix_lenet.Windows.apply(mine.permute(1, 2, 3, 0))
    products = (matrix_lenet.spread(weight) @ columns).view(2, 2, 4, 4, 2, 2)
    own = products.permute(5, 2, 3, 0, 4, 1).reshape(2, 4, 8, 4)  # (N, O, 2U, 2V)
    real = F.conv2d(theirs, weight)
    assert torch.equal(own, real)
    cotangent = torch.randint(-3, 4, real.shape).double()
    ours = torch.autograd.grad(own, (mine, weight), cotangent)
    stock = torch.autograd.grad(real, (theirs, weight), cotangent)
    assert all(torch.equal(a, b) for a, b in zip(ours, stock, strict=True))


@pytest.mark.parametrize("examples", [64, 70])
def test_loops_take_whole_chunks_and_parts(problem: recipes.Problem, examples: int) -> None:
    """One chunk that is full, and two of which one is filled up: the loops' step within the bound."""
    training = recipes.RECIPES["loops"](replace(problem, batch_size=examples))
    share = first_step(training, problem.lr).worst_share
    assert share is not None
    assert share <= 1


def test_kernels_gradients_are_torchs() -> None:
    """Integers that add up exactly: gradients to the weight and to the input have torch's very bits."""
    torch.manual_seed(0)
    g, x, w = (torch.randint(-3, 4, shape).float() for shape in ((64, 16, 10, 10), (64, 6, 14, 14), (16, 6, 5, 5)))
    inner = [of.permute(1, 2, 3, 0).contiguous()[None].numpy() for of in (g, x)]
    to_w, to_x = np.empty((1, 16, 6, 5, 5), np.float32), np.empty((1, 6, 14, 14, 64), np.float32)
    loop_kernels.weight_gradient()(*inner, to_w)
    loop_kernels.input_gradient(6, 16, 10)(inner[0], w.numpy(), to_x)
    stock_x, stock_w = torch.autograd.grad(F.conv2d(x.requires_grad_(), w.requires_grad_()), (x, w), g)
    assert torch.equal(torch.from_numpy(to_w[0]), stock_w)
    assert torch.equal(torch.from_numpy(to_x[0]).permute(3, 0, 1, 2), stock_x)


def test_kernels_keep_nan_and_infinity() -> None:
    """One NaN among the pixels makes the sigmoids that see it NaN, one infinity ones, and other examples neither."""
    x, w, b = np.zeros((1, 1, 6, 6, 64), np.float32), np.ones((2, 1, 5, 5), np.float32), np.zeros(2, np.float32)
    x[0, 0, 2, 2, :2] = np.nan, np.inf
    s, y = np.empty((1, 2, 2, 2, 64), np.float32), np.empty((1, 2, 1, 1, 64), np.float32)
    loop_kernels.convolution()(x, w, b, s, y)
    assert np.isnan(y[..., 0]).all()
    assert (y[..., 1].round(6) == 1).all()
    assert (y[..., 2:] == 0.5).all()


def test_as_many_trainings_compile_as_there_are() -> None:
    """A step that needs more compilations than torch makes by default has them."""

    def step(x: torch.Tensor, times: int) -> torch.Tensor:
        return x * times

    once = compiled.compiled(step, fullgraph=True, backend="eager")
    assert [float(once(torch.ones(1), times)) for times in range(12)] == list(range(12))


@pytest.mark.usefixtures("forked")
def test_a_lost_process_ends_the_run(problem: recipes.Problem) -> None:
    """A process that is killed is an error that names it, not a hang; the others end with the training."""
    if absence := recipes.RECIPES["per_core"].absence("cpu"):
        pytest.skip(f"not run ({absence})")
    training = registry.rebuilt(per_core.PerCore, recipes.in_memory(problem))
    training.start(workers=2, batch_size=SMALL, lr=problem.lr)
    workers = list(training.workers)
    try:
        os.kill(workers[1].pid, signal.SIGKILL)
        workers[1].join(10)
        with pytest.raises(per_core.WorkerLostError, match="process 1"):
            training.step(torch.zeros(SMALL, 1, 28, 28), torch.zeros(SMALL, dtype=torch.int64))
    finally:
        training.close()
    assert not any(worker.is_alive() for worker in workers)


@pytest.mark.usefixtures("traced", "forked")
def test_pieces_of_every_size(problem: recipes.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the sizes is chosen, and a step is the loops' step in pieces of any, the last of which is filled up."""
    if absence := recipes.RECIPES["per_core"].absence("cpu"):
        pytest.skip(f"not run ({absence})")
    sizes = (12, 16)
    monkeypatch.setattr(per_core, "PIECES", sizes)
    training = registry.rebuilt(per_core.PerCore, recipes.in_memory(problem))
    training.start(workers=1, batch_size=SMALL, lr=problem.lr)
    try:
        assert training.piece in sizes
        for training.piece in sizes * 2:
            first_step(training, problem.lr)  # raises where a parameter is beyond its bound
    finally:
        training.close()


def test_laps_cover_a_step(problem: recipes.Problem) -> None:
    """A plain step names its phases in order."""
    seen: list[str] = []
    training = recipes.in_memory(problem)
    training.lap = seen.append
    lenet.run_steps(training, 1)
    assert seen == ["moving", "forward", "backward", "step", "metrics"]


def test_why_a_recipe_is_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another device, no compiler and no headers are each said."""
    monkeypatch.setattr("bench.registry.sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setattr("bench.registry.shutil.which", lambda name: "/usr/bin/g++")
    assert recipes.RECIPES["cuda_graph"].absence("cpu") == "for cuda only"
    assert registry.compiler_absence("cpu") == "no Python.h, which torch.compile needs"
    monkeypatch.setattr("bench.registry.shutil.which", lambda name: None)
    assert recipes.RECIPES["compiled"].absence("cpu") == "no C++ compiler"
    assert recipes.RECIPES["book"].absence("cpu") is None


class StubOfCuda:
    """As much of torch.cuda as a capture asks for, which notes what it was asked; what is captured is computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        for name, stub in {
            "Stream": lambda: SimpleNamespace(wait_stream=lambda other: self.asked.append("aside waits")),
            "current_stream": lambda: SimpleNamespace(wait_stream=lambda other: self.asked.append("main waits")),
            "stream": lambda stream: self.within("aside"),
            "CUDAGraph": lambda: SimpleNamespace(replay=lambda: self.asked.append("replay")),
            "graph": lambda graph: self.within("capture"),
        }.items():
            monkeypatch.setattr(torch.cuda, name, stub)

    @contextlib.contextmanager
    def within(self, what: str) -> Iterator[None]:
        """A stream, or the capture of a graph."""
        self.asked.append(f"{what} begins")
        yield
        self.asked.append(f"{what} ends")


def test_a_capture_asks_in_order(problem: recipes.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps aside, before and after which streams wait, then the capture; parameters are as they were before."""
    cuda, training = StubOfCuda(monkeypatch), recipes.cuda_graph(problem)
    before = [parameter.detach().clone() for parameter in training.model.parameters()]
    training.optimizer.register_step_post_hook(lambda *about: cuda.asked.append("step"))
    images, labels = torch.zeros(SMALL, 1, 28, 28), torch.zeros(SMALL, dtype=torch.int64)
    captured = compiled.Capture(training, images, labels)
    steps = ["step"] * compiled.WARMUP_STEPS
    aside = ["aside waits", "aside begins", *steps, "aside ends", "main waits"]
    assert cuda.asked == [*aside, "capture begins", "step", "capture ends"]
    assert all(map(torch.equal, training.model.parameters(), before))
    captured.replay(images + 1, labels + 2)
    assert cuda.asked[-1] == "replay"
    assert torch.equal(captured._images, images + 1)
    assert torch.equal(captured._labels, labels + 2)


def test_what_was_captured_is_replayed(problem: recipes.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step captures once and then replays; a batch of another size is trained without the graph."""
    cuda, training = StubOfCuda(monkeypatch), recipes.cuda_graph(problem)
    images, labels = torch.zeros(SMALL, 1, 28, 28), torch.zeros(SMALL, dtype=torch.int64)
    for size in (SMALL, SMALL, SMALL - 1):
        assert training.step(images[:size], labels[:size])[2] == size
    assert [cuda.asked.count(what) for what in ("capture begins", "replay")] == [1, 2]
