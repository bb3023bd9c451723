"""LeNet trained by several processes, on one machine or more: DistributedDataParallel over gloo or nccl.

    torchrun --nproc-per-node=2 -m bench.distributed

Strong scaling splits the book's batch of 256 among the ranks; weak scaling gives each rank a batch of 256. Efficiency
is examples a second over those of the same work on one rank alone, times the number of ranks; that one is measured in
the same run, while the others wait. Rank 0 writes one JSON record, whole or not at all. Nothing is downloaded: each
machine uses the data set that it has, or the bundled sample.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bench import fashion_mnist, measure
from bench.batches import WHITE
from bench.fashion_mnist import DataSet
from bench.lenet import Training
from bench.registry import initial_model
from properties.subjects import devices
from properties.subjects.environment import environment

BATCH = 256
LR = 0.9
LAUNCH = "torchrun --nproc-per-node=2 -m bench.distributed"


class UsageError(Exception):
    """What the user must change, in one line."""


@dataclass(frozen=True)
class Options:
    """What to measure: steps a round and rounds; ``timeout``: seconds until a silent rank ends the run."""

    steps: int
    rounds: int
    timeout: float
    data_dir: Path | None
    out: Path | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as one rank. Returns the exit code: 0 done, 1 a rank was lost or a replica differs, 2 wrong use."""
    try:
        options = parse(arguments)
        rank, world = _place()
        backend, device = _backend()
        data = fashion_mnist.load(options.data_dir, downloading=False)
    except (UsageError, fashion_mnist.DataSetError) as error:
        print(f"bench.distributed: {error}", file=sys.stderr)
        return 2
    torch.set_num_threads(max(1, _cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
    try:
        dist.init_process_group(backend, timeout=timedelta(seconds=options.timeout))
        record = measure_scaling(data, device, options)
        if rank == 0:
            _report(record, options.out)
        dist.destroy_process_group()
    except (RuntimeError, Diverged) as error:
        # A rank that has lost another must not wait for it again, as an orderly end would.
        print(f"bench.distributed: rank {rank} of {world} stops: {_first_line(error)}", file=sys.stderr, flush=True)
        os._exit(1)
    return 0


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Options of the command line. Raises UsageError for a value that makes no sense."""
    parser = argparse.ArgumentParser(prog=LAUNCH, description="LeNet's training on several processes")
    parser.add_argument("--steps", type=int, default=40, help="steps a round (default: 40)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each kind (default: 5)")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds until a silent rank ends the run (60)")
    parser.add_argument("--data-dir", type=Path, help="Fashion-MNIST's four files, raw or .gz")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the record as JSON to this file")
    given = parser.parse_args(arguments)
    for name in ("steps", "rounds", "timeout"):
        if not getattr(given, name) > 0:
            raise UsageError(f"--{name}={getattr(given, name)}: must be positive")
    if given.out is not None and not given.out.parent.is_dir():
        raise UsageError(f"--out={given.out}: no such folder; name a file in one that exists")
    return Options(given.steps, given.rounds, given.timeout, given.data_dir, given.out)


def measure_scaling(data: DataSet, device: torch.device, options: Options) -> dict[str, Any]:
    """Strong and weak scaling, in interleaved rounds with one rank alone. Returns the record; all ranks call it."""
    world = dist.get_world_size()
    watch = measure.Watch(os.getppid())  # the launcher's: the other ranks are no others
    images = torch.tensor(data.train.images).unsqueeze(1).to(device) / WHITE
    labels = torch.tensor(data.train.labels).to(device, torch.int64)
    sizes = {"strong": _share(BATCH, dist.get_rank(), world), "weak": BATCH, "alone": BATCH}
    trainings = {name: _training(device, parallel=name != "alone") for name in sizes}

    def round_of(name: str) -> float:
        _wait(device)
        start = time.perf_counter()
        if name != "alone" or dist.get_rank() == 0:
            _train(trainings[name], images, labels, sizes[name], options.steps)
        _wait(device)
        return time.perf_counter() - start

    for name in sizes:
        round_of(name)
    found = measure.interleave({name: partial(round_of, name) for name in sizes}, options.rounds)
    for name in ("strong", "weak"):
        _check_replicas(trainings[name].model, name)
    return _record(found, world, device, data, options, watch.conditions())


def _record(
    found: dict[str, list[float]], world: int, device: torch.device, data: DataSet, options: Options,
    conditions: measure.Conditions,
) -> dict[str, Any]:  # fmt: skip
    strong = measure.ratio(found["alone"], found["strong"])
    weak = measure.ratio(found["alone"], found["weak"])
    return {
        "kind": "distributed",
        "backend": dist.get_backend(),
        "world_size": world,
        "threads_per_rank": torch.get_num_threads(),
        "device": device.type,
        "device_name": devices.describe(device.type),
        "dataset": data.name,
        "dataset_note": data.note,
        "batch_size": {"strong": BATCH, "weak": BATCH * world},
        "steps": options.steps,
        "seconds": found,
        "examples_per_second": {
            name: [options.steps * BATCH * (world if name == "weak" else 1) / s for s in samples]
            for name, samples in found.items()
        },
        "speedup": {"strong": vars(strong), "weak": {key: value * world for key, value in vars(weak).items()}},
        "efficiency": {"strong": strong.median / world, "weak": weak.median},
        "conditions": conditions.as_dict(),
        "environment": environment(),
    }


def _training(device: torch.device, parallel: bool) -> Training:
    model: nn.Module = initial_model(0).to(device)
    if parallel:
        model = DistributedDataParallel(model)
    return Training(model, torch.optim.SGD(model.parameters(), lr=LR), [], [])


def _train(training: Training, images: Tensor, labels: Tensor, size: int, steps: int) -> None:
    """Steps on batches of which each rank draws its own; what is drawn does not matter to the time."""
    draw = torch.Generator().manual_seed(dist.get_rank())
    for _ in range(steps):
        chosen = torch.randint(len(labels), (size,), generator=draw).to(labels.device)
        training.step(images[chosen], labels[chosen])


class Diverged(Exception):
    """Ranks that should hold the same parameters do not."""


def _check_replicas(model: nn.Module, name: str) -> None:
    """All ranks end with the same parameters, bit for bit, and with parameters that training has changed."""
    own = nn.utils.parameters_to_vector(model.parameters()).detach()
    first = own.clone()
    dist.broadcast(first, src=0)
    start = nn.utils.parameters_to_vector(initial_model(0).parameters()).detach().to(own.device)
    if not torch.equal(own, first):
        raise Diverged(f"{name} scaling: this rank's parameters differ from rank 0's")
    if torch.equal(own, start) or not own.isfinite().all():
        raise Diverged(f"{name} scaling: the parameters did not change or are not finite")


def _share(batch: int, rank: int, world: int) -> int:
    """A rank's part of a batch; the first ranks take what does not divide."""
    return batch // world + (rank < batch % world)


def _wait(device: torch.device) -> None:
    devices.synchronize(device.type)
    dist.barrier()


def _place() -> tuple[int, int]:
    try:
        return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except KeyError as error:
        raise UsageError(f"{error.args[0]} is not set; start it by: {LAUNCH}") from None


def _backend() -> tuple[str, torch.device]:
    """nccl with a GPU for each rank of this machine, else gloo on the CPU."""
    if not torch.cuda.is_available():
        return "gloo", torch.device("cpu")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if local >= torch.cuda.device_count():
        raise UsageError(
            f"--nproc-per-node: more than the {torch.cuda.device_count()} CUDA devices here; ask for fewer"
        )
    torch.cuda.set_device(local)
    return "nccl", torch.device("cuda", local)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _report(record: dict[str, Any], out: Path | None) -> None:
    for name in ("strong", "weak"):
        rate = sorted(record["examples_per_second"][name])[len(record["seconds"][name]) // 2]
        over = record["speedup"][name]
        print(
            f"{name} scaling, {record['world_size']} ranks over {record['backend']}: {rate:,.0f} examples/s, "
            f"{over['median']:.2f} [{over['low']:.2f}, {over['high']:.2f}] times one rank alone, "
            f"efficiency {record['efficiency'][name]:.0%}"
        )
    if warning := record["conditions"]["warning"]:
        print(f"warning: {warning}")
    if out is not None:
        draft = out.with_suffix(out.suffix + ".tmp")
        draft.write_text(json.dumps(record, default=str), encoding="utf-8")
        draft.replace(out)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
