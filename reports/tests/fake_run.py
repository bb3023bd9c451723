"""A made-up run in the form that a real one has, for the tests of the report; none of its numbers was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

from reports.tell.chapter import SYSTEMS
from reports.tests.fake_bench import (
    all_benchmarks,
    benchmark,
    feature_maps,
    full_ladder,
    receptive_field,
    reference,
    ten_epochs,
    training,
)

__all__ = ["all_benchmarks", "benchmark", "reference", "ten_epochs", "training"]

SUBJECTS = ("cpu-float64", "cpu-float32", "cuda-float32")
LAWS = ("agreement", "gradients", "flip equivalence", "geometry")
FAMILIES = {
    "conv2d": "convolution", "max_pool2d": "pooling", "avg_pool2d": "pooling", "linear": "dense",
    "cross_entropy": "loss",
}  # fmt: skip
OPERATORS = tuple(FAMILIES)
ENVIRONMENT: dict[str, Any] = {
    "convproof": "0.1.0",
    "commit": "0123abc",
    "torch": "2.13.0+cpu",
    "torch_build": "PyTorch built with:\n  - GCC 13.3",
    "python": "3.11.7",
    "cpu": "A processor",
    "cpu_isa": "AVX2",
    "cores": 2,
    "threads": 1,
    "memory_gib": 23.5,
    "devices": [{"name": "cpu", "description": "A processor"}],
    "load_average": [0.1, 0.2, 0.3],
}


def header(started: str = "2026-11-24T08:00:00Z", **changes: Any) -> dict[str, Any]:
    """The first line of a run."""
    return {
        "kind": "run",
        "schema_version": 1,
        "suite": "properties",
        "started": started,
        "profile": "default",
        "seed": None,
        "arguments": ["properties"],
        "subjects": list(SUBJECTS),
        "environment": ENVIRONMENT,
        **changes,
    }


def result(
    law: str = "agreement", operator: str = "conv2d", subject: str = "cpu-float32", **changes: Any
) -> dict[str, Any]:
    """A row: passed on a CPU; not run on CUDA."""
    idle = subject.startswith("cuda")
    device, _, dtype = subject.partition("-")
    return {
        "kind": "result",
        "law": law,
        "title": f"The law of {law} holds.",
        "operator": operator,
        "family": FAMILIES.get(operator),
        "subject": subject,
        "device": device,
        "dtype": dtype,
        "systems": ["S4", "S12"],
        "status": "not run" if idle else "passed",
        "reason": "no CUDA device" if idle else None,
        "cases": 0 if idle else 100,
        "comparisons": 0 if idle else 200,
        "exact": 0 if idle else 100,
        "bounded": 0 if idle else 100,
        "vacuous": 0,
        "worst_share": None if idle else 0.31,
        "worst_case": None if idle else "Case(seed=1)",
        "message": None,
        "test": f"properties/test_{law}.py::test[{operator}-{subject}]",
        "seconds": 0.5,
        **changes,
    }


def all_results() -> list[dict[str, Any]]:
    """Every law × operator × subject, and every system of S1–S21 named by some row."""
    named = [system.id for system in SYSTEMS[:21]]
    rows = [(law, operator, subject) for law in LAWS for operator in OPERATORS for subject in SUBJECTS]
    return [result(*row, systems=[named[i % 21], named[(i + 7) % 21]]) for i, row in enumerate(rows)]


def figures() -> list[dict[str, Any]]:
    """The four pictures."""
    image = [[1, 1, 0, 0, 0, 0, 1, 1]] * 6
    edge = {
        "image": image,
        "kernel": [[1, -1]],
        "output": [[0, 1, 0, 0, 0, -1, 0]] * 6,
        "transposed_output": [[0] * 5] * 8,
    }
    learned = {
        "loss": [30 * math.exp(-step / 2) for step in range(10)],
        "weight": [[1 - math.exp(-step / 3), math.exp(-step / 3) - 1] for step in range(10)],
    }
    return [
        {"kind": "figure", "name": "edge-detection", "subject": "cpu-float32", "data": edge},
        {"kind": "figure", "name": "kernel-learning", "subject": "cpu-float32", "data": learned},
        {"kind": "figure", "name": "feature-maps", "subject": "cpu-float32", "data": feature_maps()},
        {"kind": "figure", "name": "receptive-field", "subject": "cpu-float32", "data": receptive_field()},
    ]


def fault(name: str = "flipped kernel", subject: str = "cpu-float32", **changes: Any) -> dict[str, Any]:
    """A planted fault that was caught."""
    return {
        "kind": "fault",
        "name": name,
        "law": "agreement",
        "operator": "conv2d",
        "subject": subject,
        "caught": True,
        "cases": 3,
        "correct": False,
        "message": None,
        **changes,
    }


def faults() -> list[dict[str, Any]]:
    """Three faults, all caught, and two correct kernels that passed, on two subjects."""
    planted = [
        fault(name, subject, cases=cases)
        for name, cases in (
            ("flipped kernel", 1),
            ("wrong tail lane", 17),
            ("dropped batch in the weight's gradient", 4),
        )
        for subject in SUBJECTS[:2]
    ]
    return planted + [
        fault(name, subject, correct=True, caught=False, cases=100)
        for name in ("reversed order", "pairwise sums")
        for subject in SUBJECTS[:2]
    ]


def accumulator(operator: str = "conv2d", subject: str = "cpu-bfloat16", **changes: Any) -> dict[str, Any]:
    """The accumulator of one operator in one direction."""
    data = {
        "operator": operator,
        "direction": "forward",
        "storage": "bfloat16",
        "accumulator": "float32",
        "worst_share": 0.4,
        **changes,
    }
    return {"kind": "figure", "name": "accumulators", "subject": subject, "data": data}


def diagnosis(law: str = "agreement", operator: str = "conv2d", subject: str = "cpu-float32") -> dict[str, Any]:
    """When a check diverges, with a picture of a result that is wrong in its last column."""
    data = {
        "law": law,
        "operator": operator,
        "entry": None,
        "rule": ["groups > 1", "a bias"],
        "under": [52, 1],
        "beside": [0, 148],
        "confirmed": True,
        "elements": "in the last column",
        "value": "zero (in 24 of 24 cases)",
        "plane": [[0, 0, -1], [0, 0, 2.44], [0, 0, 3e7]],
        "of": "output[0] of 1 × 3 × 3",
        "right": ["Case({'input': (1, 1)}, {'groups': 1})"],
    }
    return {"kind": "figure", "name": "diagnosis", "subject": subject, "data": data}


def accumulators() -> list[dict[str, Any]]:
    """Two operators; one keeps its sums in 16 bits going backward."""
    return [
        accumulator(operator, direction=direction, accumulator="bfloat16" if narrow else "float32")
        for operator, direction, narrow in (
            ("conv2d", "forward", False),
            ("conv2d", "gradient", False),
            ("linear", "forward", False),
            ("linear", "gradient", True),
        )
    ]


def worker() -> dict[str, Any]:
    """What running torch in a worker costs."""
    shares = {"drawing": 0.31, "reference": 0.12, "comparison": 0.14, "transport": 0.11, "torch": 0.32}
    data = {"restart_ms": 31.0, "call_overhead_ms": 0.21, "cases_per_second": 640.0, "shares": shares}
    return {"kind": "figure", "name": "worker", "subject": "cpu-float32", "data": data}


END = {"kind": "end", "finished": "2026-11-24T08:05:00Z", "exitstatus": 0}


def write_run(folder: Path, lines: Iterable[Any], name: str = "20261124T080000Z-1") -> Path:
    """A properties file of ``lines``: objects, or raw text for what is no JSON."""
    path = folder / f"properties-{name}.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def write_benchmarks(folder: Path, entries: Iterable[Any], name: str = "1", **changes: Any) -> Path:
    """A file of benchmarks."""
    path = folder / f"benchmark-{name}.json"
    whole = {
        "schema_version": 1,
        "datetime": "2026-11-24T08:10:00.123456+00:00",
        "machine_info": {"environment": ENVIRONMENT},
        "benchmarks": list(entries),
        "not_run": [{"name": "test_training[book-cuda]", "reason": "no CUDA device"}],
        **changes,
    }
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def write_all(folder: Path) -> None:
    """A whole run: properties that reached their end, and benchmarks."""
    lines = [*all_results(), *figures(), *accumulators(), worker(), *faults()]
    write_run(folder, [header(), *lines, END])
    write_benchmarks(folder, all_benchmarks())


def write_wide(folder: Path) -> None:
    """A run on 30 subjects, 12 of which had no device, with every status and two versions of torch."""
    dtypes = ("float64", "float32", "bfloat16", "float16", "int64")
    ran = [f"{group}-{dtype}" for group in ("cpu", "compiled-cpu", "channels_last-cpu") for dtype in dtypes]
    ran += ["meta-float32", "cpu-float64@torch-2.11.0", "cpu-float32@torch-2.11.0"]
    idle = [f"{group}-{dtype}" for group in ("cuda", "compiled-cuda") for dtype in (*dtypes, "tf32")]
    rows = []
    for place, (law, operator, subject) in enumerate((x, y, z) for x in LAWS for y in OPERATORS for z in ran + idle):
        dtype = subject.partition("@")[0].rpartition("-")[2]
        changes: dict[str, Any] = {"dtype": dtype, "systems": [SYSTEMS[place % 21].id]}
        if subject in ran:
            status = {7: "vacuous", 11: "known", 13: "error", 17: "diverged"}.get(place % 97, "passed")
            changes |= {
                "status": status,
                "reason": None,
                "worst_share": None if dtype == "int64" else (place * 37 % 100) / 100,
            }
        else:
            changes |= {"status": "not run", "reason": "no CUDA device", "cases": 0, "worst_share": None}
        if changes["status"] in ("diverged", "error", "known"):
            changes |= {"severity": "silent wrong value", "message": "value is 3, but should be 2 [conv2d(x, w)]"}
            changes |= {"diagnosis": "wrong where groups > 1 and a bias (52 of 53); right elsewhere (148 of 148)"}
            changes |= {
                "repro": "reports/generated/repro/a.py",
                "upstream": "https://github.com/pytorch/pytorch/issues/1",
            }
        rows.append(result(law, operator, subject, **changes))
    told = [diagnosis(r["law"], r["operator"], r["subject"]) for r in rows if r["status"] == "diverged"]
    lines = [*rows, *told, *figures(), *accumulators(), worker(), *faults(), fault("missed", caught=False)]
    write_run(folder, [header(subjects=ran + idle), *lines, END])
    write_benchmarks(folder, all_benchmarks())


def full_results(every_pair: bool = False) -> Iterator[dict[str, Any]]:
    """50 operators × 63 laws × 17 subjects: about as many of their checks as a real run has, or all 53,550."""
    dtypes = ("float64", "float32", "bfloat16", "float16", "int64")
    across = [f"{group}-{dtype}" for group in ("cpu", "compiled-cpu", "channels_last-cpu") for dtype in dtypes]
    across += ["meta-float32", "cpu-float32@torch-2.11.0"]
    for place, (i, j, subject) in enumerate(product(range(50), range(63), across)):
        if not every_pair and ((i + j) % 4 or place * 31 % 7 > 1):
            continue
        known = place % 29 == 0
        found: dict[str, Any] = {"status": "known" if known else "passed", "cases": 40, "reason": None}
        if known:
            found |= {"severity": "silent wrong value", "message": "value is 3, but should be 2\n" + "and so on " * 40}
            found |= {"reason": f"entry {place % 53} of the ledger", "worst_case": f"Case(seed={place}, batch=2)"}
        named = [SYSTEMS[place % 21].id, SYSTEMS[(place + 7) % 21].id]
        found |= {"systems": named, "worst_share": place * 37 % 100 / 100}
        yield result(f"a law of {j} words", f"operator_{i}d", subject, **found)


def write_full(folder: Path, every_pair: bool = False) -> None:
    """A run as large as a real one, with 173 planted faults and every benchmark of the full ladder."""
    planted = [fault(f"planted fault {i}", subject) for i in range(173) for subject in SUBJECTS]
    write_run(folder, [header(), *full_results(every_pair), *figures(), *accumulators(), worker(), *planted, END])
    write_benchmarks(folder, full_ladder())
