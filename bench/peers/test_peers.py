"""Other libraries beside torch: same LeNet, data, batches, learning rate and start, in interleaved rounds.

JAX and tinygrad train; those and ONNX Runtime infer, which is the forward pass alone.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench import measure, recipes
from bench.fashion_mnist import DataSet
from bench.peers.process import Batches, Peer
from properties.verdicts.expected import Expected
from properties.verdicts.verdict import shares
from refimpl import lenet
from refimpl.rounding import FORMATS, Computed

ROUNDS, STEPS = 10, 10
CHECKED = 2
PEERS = {"jax": "JaxLeNet", "tinygrad": "TinygradLeNet"}
INFERRING = {**PEERS, "onnxruntime": "OnnxruntimeLeNet"}
TORCH = ("book", "in_memory", "compiled_step", "max_autotune", "loops", "matrix", "per_core")


def absence(name: str) -> str | None:
    """Why a peer cannot run here, or None if it can."""
    if find_spec(name) is None:
        return f"no {name}: tox run -e peers"
    if name == "tinygrad" and not shutil.which(os.environ.get("CC", "clang")):
        return "no clang, which tinygrad compiles with: apt install clang"
    return None


PLACES, PLACES_TO_INFER = (
    [
        pytest.param(name, marks=pytest.mark.skip(reason=f"not run ({reason})") if (reason := absence(name)) else ())
        for name in names
    ]
    for names in (PEERS, INFERRING)
)
clock = measure.Recorded()
Raced = tuple[dict[str, list[float]], measure.Conditions]


def peer(name: str, problem: recipes.Problem, given: Batches, method: str = "step") -> Peer:
    """A peer in its process, from LeNet's first parameters."""
    start = {key: p.numpy() for key, p in recipes.initial_model(problem.seed).state_dict().items()}
    return Peer(f"bench.peers.{name}_lenet", INFERRING[name], start, problem.lr, given, method)


def batches(problem: recipes.Problem) -> Iterator[tuple[Any, Any]]:
    """The book's batches as NumPy arrays, all of one size: a compiler would compile the smaller last one apart."""
    made = recipes.in_memory(problem)
    while True:
        yield from ((x.numpy(), y.numpy()) for x, y in made.train_batches if len(y) == problem.batch_size)


@pytest.mark.parametrize("name", PLACES)
def test_peer_trains_alike(name: str, data: DataSet) -> None:
    """A peer's loss before each of two steps from the same weights is the loops', within the propagated bound."""
    problem = recipes.Problem(data, "cpu", batch_size=64)
    given = list(itertools.islice(batches(problem), CHECKED))
    made = peer(name, problem, given)
    try:
        _, losses = made.round()
    finally:
        made.close()
    format, parameters = FORMATS["float32"], start(problem)
    for (images, labels), seen in zip(given, losses, strict=True):
        pixels = Computed.operand(images.astype(np.float64), format)
        parameters, loss = lenet.step(parameters, pixels, labels, problem.lr, lenet.COMPUTED)
        should = Expected.within(loss)
        assert shares(np.asarray(seen), should.values, should.bound) <= 1


def start(problem: recipes.Problem) -> dict[str, Computed]:
    """LeNet's first parameters, as the loops with bounds take them."""
    own = recipes.initial_model(problem.seed).state_dict()
    return {key: Computed.operand(p.double().numpy(), FORMATS["float32"]) for key, p in own.items()}


@pytest.mark.parametrize("name", PLACES_TO_INFER)
def test_peer_infers_alike(name: str, data: DataSet) -> None:
    """A peer's logits are the loops', within the propagated bound."""
    problem = recipes.Problem(data, "cpu", batch_size=64)
    images, _ = next(batches(problem))
    made = peer(name, problem, [(images,)], "logits")
    try:
        _, (seen,) = made.round()
    finally:
        made.close()
    pixels = Computed.operand(images.astype(np.float64), FORMATS["float32"])
    should = Expected.within(lenet.forward(start(problem), pixels, lenet.COMPUTED)[-1])
    assert np.max(shares(seen, should.values, should.bound)) <= 1


def race(runs: Mapping[str, Callable[[], float]], announce: list[str], what: str) -> Raced:
    """Seconds of the rounds of all, each compiled and warmed up before, and what they met."""
    watch = measure.Watch()
    for name, run in runs.items():
        begin = time.perf_counter()
        run()
        announce.append(f"{name}: {time.perf_counter() - begin:.1f} s for the first {STEPS} {what}, compilation in")
        run()
    return measure.interleave(runs, ROUNDS), watch.conditions()


@pytest.fixture(scope="module")
def raced(data: DataSet, announce: list[str]) -> Raced:
    """Seconds of every peer's and torch recipe's rounds, and what they met."""
    problem = recipes.Problem(data, "cpu")
    names = [name for name in TORCH if not recipes.RECIPES[name].absence("cpu")]
    trainings = {name: recipes.RECIPES[name](problem) for name in names}
    loaded = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in itertools.islice(batches(problem), STEPS)]
    arrays = [(x.numpy(), y.numpy()) for x, y in loaded]
    peers = {name: peer(name, problem, arrays) for name in PEERS if not absence(name)}

    def round_of(name: str) -> float:
        return measure.seconds(lambda: [trainings[name].step(x, y) for x, y in loaded])

    runs = {name: lambda name=name: round_of(name) for name in trainings}
    runs |= {name: lambda made=made: made.round()[0] for name, made in peers.items()}
    try:
        return race(runs, announce, "steps")
    finally:
        started: list[Any] = [*trainings.values(), *peers.values()]
        for made in started:
            made.close()


@pytest.fixture(scope="module")
def raced_forward(data: DataSet, announce: list[str]) -> Raced:
    """The same of the forward pass alone."""
    problem = recipes.Problem(data, "cpu")
    net = recipes.initial_model(problem.seed)
    nets = {"eager": net} | ({} if absent_in_torch("max_autotune") else {"max_autotune": compiled(net)})
    images = [x for x, _ in itertools.islice(batches(problem), STEPS)]
    tensors = [torch.from_numpy(x) for x in images]
    given = [(x,) for x in images]
    peers = {name: peer(name, problem, given, "logits") for name in INFERRING if not absence(name)}

    def round_of(net: Callable[..., torch.Tensor]) -> float:
        with torch.inference_mode():
            return measure.seconds(lambda: [net(x) for x in tensors])

    runs = {name: lambda net=net: round_of(net) for name, net in nets.items()}
    runs |= {name: lambda made=made: made.round()[0] for name, made in peers.items()}
    try:
        return race(runs, announce, "forward passes")
    finally:
        for made in peers.values():
            made.close()


def compiled(net: torch.nn.Module) -> Callable[..., torch.Tensor]:
    """The forward pass as torch compiles it where it is told to take its time."""
    return torch.compile(net, mode="max-autotune")


def absent_in_torch(name: str) -> str | None:
    """Why torch cannot run one of its rows here, or None if it can."""
    return recipes.RECIPES[name].absence("cpu") if name in recipes.RECIPES else None


@pytest.mark.parametrize("name", [*TORCH, *PLACES])
@pytest.mark.benchmark(timer=clock)
def test_peers(benchmark: BenchmarkFixture, name: str, data: DataSet, request: pytest.FixtureRequest) -> None:
    """Ten steps of 256 a round, on batches that are loaded already, the loss read after each step."""
    if not benchmark.enabled:
        pytest.skip("not run (benchmarks are disabled; test_peer_trains_alike takes its first steps)")
    if all(map(absence, PEERS)):
        pytest.skip("not run (no peers: tox run -e peers)")
    if reason := absent_in_torch(name):
        pytest.skip(f"not run ({reason})")
    found, conditions = request.getfixturevalue("raced")
    benchmark.group = f"LeNet in other libraries, {STEPS} steps of 256"
    clock.load(found[name])
    benchmark.pedantic(clock.replay, rounds=ROUNDS)
    benchmark.extra_info.update(
        **_told(name, name if name in PEERS else "torch", data),
        over_book=vars(measure.ratio(found["book"], found[name])),
        over_eager_torch=vars(measure.ratio(found["in_memory"], found[name])),
        conditions=conditions.as_dict(),
    )


def _told(name: str, library: str, data: DataSet) -> dict[str, Any]:
    """What is said of a row of either kind."""
    return {
        "kind": "peer", "recipe": name, "library": library, "version": version(library), "device": "cpu",
        "dataset": data.name, "dataset_note": data.note, "batch_size": 256, "threads": torch.get_num_threads(),
        "examples_per_round": STEPS * 256,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["eager", "max_autotune", *PLACES_TO_INFER])
@pytest.mark.benchmark(timer=clock)
def test_inference(benchmark: BenchmarkFixture, name: str, data: DataSet, request: pytest.FixtureRequest) -> None:
    """Ten forward passes of 256 a round, on batches that are loaded already, without gradients."""
    if not benchmark.enabled:
        pytest.skip("not run (benchmarks are disabled; test_peer_infers_alike takes a forward pass)")
    if reason := absent_in_torch(name):
        pytest.skip(f"not run ({reason})")
    found, conditions = request.getfixturevalue("raced_forward")
    benchmark.group = f"LeNet's forward pass in other libraries, {STEPS} of 256"
    clock.load(found[name])
    benchmark.pedantic(clock.replay, rounds=ROUNDS)
    benchmark.extra_info.update(
        **_told(name, name if name in INFERRING else "torch", data),
        work="inference",
        over_book=vars(measure.ratio(found["eager"], found[name])),
        conditions=conditions.as_dict(),
    )
