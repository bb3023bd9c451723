"""Two ranks of one thread train alike; a rank that dies ends the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import distributed, measure
from properties.subjects.environment import ROOT

LIMIT = 120  # seconds within which a run must end by itself
clock = measure.Recorded()


def launch(*options: str) -> subprocess.Popen[str]:
    """Two ranks, started as the README says."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # as torchrun would, and says in a warning
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.Popen(
        [*command, "-m", "bench.distributed", *options],
        cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def scaling(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The record of a run with two ranks."""
    out = tmp_path_factory.mktemp("scaling") / "scaling.json"
    folder = pytestconfig.getoption("--data-dir")
    process = launch("--steps=15", f"--out={out}", *([f"--data-dir={folder}"] if folder else []))
    _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, stderr
    return json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["strong", "weak"])
@pytest.mark.benchmark(timer=clock)
def test_scaling(benchmark: BenchmarkFixture, kind: str, request: pytest.FixtureRequest) -> None:
    """Throughput of two ranks, in rounds interleaved with one rank alone."""
    if not benchmark.enabled:
        pytest.skip("not run (benchmarks are disabled; test_two_ranks runs for a while)")
    record = request.getfixturevalue("scaling")
    benchmark.group = f"LeNet on {record['world_size']} ranks over {record['backend']}"
    clock.load(record["seconds"][kind])
    benchmark.pedantic(clock.replay, rounds=len(record["seconds"][kind]))
    own = {key: record[key][kind] for key in ("examples_per_second", "batch_size", "speedup", "efficiency")}
    benchmark.extra_info.update({key: value for key, value in record.items() if key != "environment"} | own)
    benchmark.extra_info["scaling"] = kind


def test_two_ranks(tmp_path: Path) -> None:
    """Strong and weak scaling are measured, the replicas are equal, and the record is written."""
    out = tmp_path / "scaling.json"
    process = launch("--steps=1", "--rounds=2", f"--out={out}")
    stdout, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, stderr
    assert "strong scaling, 2 ranks over gloo" in stdout
    record = json.loads(out.read_text(encoding="utf-8"))
    assert (record["kind"], record["world_size"], record["batch_size"]) == (
        "distributed", 2, {"strong": 256, "weak": 512},
    )  # fmt: skip
    assert all(len(samples) == 2 and min(samples) > 0 for samples in record["seconds"].values())


def test_a_dead_rank_ends_the_run() -> None:
    """A rank that is killed while it trains ends the other and the launcher, which says which it was."""
    process = launch("--steps=1000", "--rounds=1000", "--timeout=30")
    victim = _rank(process, 1)
    time.sleep(1)  # into the training, or into its start: it must end either way
    os.kill(victim, signal.SIGKILL)
    _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode != 0
    assert "SIGKILL" in stderr
    assert "rank      : 1" in stderr


def _rank(process: subprocess.Popen[str], rank: int) -> int:
    """The process id of a rank, once it is there."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
                environment = (status.parent / "environ").read_bytes().split(b"\0")
            except (OSError, ValueError, IndexError):
                continue
            if parent == process.pid and f"RANK={rank}".encode() in environment:
                return int(status.parent.name)
        time.sleep(0.1)
    raise AssertionError("the rank did not start")


@pytest.mark.parametrize(
    "arguments, message",
    [(["--steps=0"], "--steps=0: must be positive"), (["--out=/no/such/folder/x"], "no such folder"), ([], "torchrun")],
)
def test_wrong_use(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that makes no sense, and a start without torchrun, are one line and exit code 2."""
    monkeypatch.delenv("RANK", raising=False)
    assert distributed.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_shares_of_a_batch() -> None:
    """A batch is split without a remainder, as evenly as it can be."""
    assert [distributed._share(256, rank, 3) for rank in range(3)] == [86, 85, 85]
