"""Made-up benchmarks in the form of real ones, for the tests of the report; none of their numbers was measured."""

from __future__ import annotations

import math
from typing import Any

QUIET: dict[str, Any] = {"cores": [0, 1], "governor": None, "load_average": [0.1, 0.1, 0.1], "others_share": 0.01}
BUSY = "other processes took 40% of the cores' time: run it again on a quiet machine"
FLOP, BYTES = 2_263_920, 200_000  # of an example


def benchmark(name: str, samples: list[float], extra: dict[str, Any]) -> dict[str, Any]:
    """One entry as pytest-benchmark writes it, without the statistics that the report does not read."""
    return {"name": name, "fullname": f"bench/test.py::{name}", "stats": {"data": samples}, "extra_info": extra}


def conditions(warning: str | None = None) -> dict[str, Any]:
    """A quiet machine, or a busy one."""
    return {**QUIET, "warning": warning}


def ratio(median: float, half: float = 0.04) -> dict[str, float]:
    """A median with its interval."""
    return {"median": median, "low": median - half, "high": median + half}


def training(recipe: str = "book", rate: float = 12_000.0, **changes: Any) -> dict[str, Any]:
    """A throughput benchmark of five rounds."""
    seconds = [10_240 / (rate * (1 + 0.02 * (i - 2))) for i in range(5)]
    extra = {
        "kind": "training",
        "recipe": recipe,
        "recipe_doc": "the chapter's loop",
        "device": "cpu",
        "device_name": "A processor",
        "dataset": "fashion-mnist",
        "dataset_note": "",
        "batch_size": 256,
        "steps": 40,
        "examples_per_round": 10_240,
        "threads": 2,
        "systems": ["S22", "S23"],
        "examples_per_second": [11_000 / s for s in seconds],
        "over_book": ratio(rate / 12_000.0, 0.0 if recipe == "book" else 0.04),
        "noise_floor": 0.05,
        "other": None,
        "dtype": "float32",
        "flop_per_example": FLOP,
        "bytes_per_example": BYTES,
        "peak_flop_per_second": 2e11,
        "copy_bytes_per_second": 1e10,
        "peak_memory_bytes": 700 * 2**20,
        "prepare_seconds": 1.5,
        "conditions": conditions(),
        **changes,
    }
    return benchmark(f"test_training[{recipe}-cpu]", seconds, extra)


def ten_epochs(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """A run of ten epochs whose curves look as LeNet's do."""
    history: list[dict[str, float]] = []
    for fifth in range(1, 51):
        epoch = fifth / 5
        point = {
            "epoch": epoch,
            "loss": 0.47 + 1.83 * math.exp(-epoch / 1.8),
            "train_acc": 0.82 * (1 - math.exp(-epoch / 2)),
        }
        history.append(point | ({"test_acc": 0.78 * (1 - math.exp(-epoch / 2))} if fifth % 5 == 0 else {}))
    away = 0.004 * seed
    extra = {
        "kind": "ten-epochs",
        "recipe": "book",
        "device": "cpu",
        "device_name": "A processor",
        "dataset": "fashion-mnist",
        "dataset_note": "",
        "epochs": 10,
        "seed": seed,
        "history": history,
        "final": {
            "loss": 0.477 - away,
            "train_acc": 0.82 + away,
            "test_acc": 0.781 - away,
            "examples_per_second": 12_345.6,
        },
        "wall_seconds_per_epoch": [6.0] * 10,
        "feature_maps": feature_maps() if seed == 0 else None,
        "systems": ["S18", "S22", "S23", "S24"],
        **changes,
    }
    return benchmark(f"test_ten_epochs[book-cpu-{seed}]", [60.0], extra)


def epoch(recipe: str = "book", seconds: float = 4.0, **changes: Any) -> dict[str, Any]:
    """A whole epoch."""
    times = 4.0 / seconds
    extra: dict[str, Any] = {"kind": "epoch", "recipe": recipe, "device": "cpu", "device_name": "a CPU"}
    extra |= {"over_book": {"median": times, "low": 0.9 * times, "high": 1.1 * times}, **changes}
    return benchmark(f"test_epoch[{recipe}-cpu]", [seconds] * 5, extra)


def reference(implementation: str, seconds: float) -> dict[str, Any]:
    """One side of the references' ratio."""
    extra = {"kind": "reference", "operation": "corr2d", "shape": "28×28, k=5", "systems": ["S4"]}
    return benchmark(f"test_corr2d[{implementation}]", [seconds] * 3, {**extra, "implementation": implementation})


def limit(what: str = "matrix product", dtype: str | None = "float32", **amount: float) -> dict[str, Any]:
    """A limit of the machine."""
    extra = {"kind": "machine", "what": what, "dtype": dtype, "device": "cpu", **(amount or {"flop": 17_000_000_000})}
    return benchmark(f"test_{what}[{dtype}-cpu]", [0.1, 0.085, 0.09], extra)


def layer(name: str = "Sigmoid()", direction: str = "forward", flop: int = 0, **changes: Any) -> dict[str, Any]:
    """A layer by itself, in one direction."""
    extra: dict[str, Any] = {"kind": "layer", "layer_name": name, "direction": direction, "device": "cpu", "flop": flop}
    extra |= {"bytes": 1_000_000, "systems": ["S18"], **changes}
    return benchmark(f"test_layer[{name}-{direction}-cpu]", [0.002] * 3, extra)


def real_layer(dtype: str = "bfloat16", speed: float = 0.25, **changes: Any) -> dict[str, Any]:
    """A layer of a known network in one dtype, beside float32."""
    extra: dict[str, Any] = {"kind": "real layer", "network": "ResNet-50", "layer_name": "conv 1×1 64→256 56×56"}
    extra |= {"direction": "forward", "dtype": dtype, "layout": "contiguous", "mode": "eager", "device": "cpu"}
    extra |= {"batch_size": 4, "share_of_peak": 0.4, "share_of_copy": 0.1, "noise_floor": 0.05}
    extra |= {"over_float32": None if dtype == "float32" else ratio(speed), "conditions": conditions(), **changes}
    name = f"test_real_layer[{'-'.join(str(extra[key]) for key in ('dtype', 'layout', 'mode'))}]"
    return benchmark(name, [0.002 / speed] * 3, extra)


def versions(layer: str = "conv 1×1 64→256 56×56", times: float = 4.0, **changes: Any) -> dict[str, Any]:
    """A call that takes so many times as long in the newer torch."""
    extra: dict[str, Any] = {"kind": "versions", "network": "ResNet-50", "layer_name": layer, "direction": "forward"}
    extra |= {"dtype": "bfloat16", "older": "2.12.1", "newer": "2.13.0", "over_older": ratio(times), "null": ratio(1.0)}
    extra |= {"p": 0.001, "conditions": conditions(), **changes}
    return benchmark(f"test_versions[{layer}]", [0.002] * 3, extra)


def null(**changes: Any) -> dict[str, Any]:
    """One torch beside itself."""
    extra = {"kind": "null", "runs": 100, "wrong_runs": 3, "calls": 1500, "wrong_calls": 4, **changes}
    return benchmark("test_null", [1.0] * 100, extra)


def phases(recipe: str = "book", **changes: Any) -> dict[str, Any]:
    """Where the time of a step goes."""
    names = ("loading", "moving", "forward", "backward", "step", "metrics")
    parts = {name: [0.001 * (place + 1)] * 3 for place, name in enumerate(names)}
    extra = {"kind": "phases", "recipe": recipe, "device": "cpu", "phases": parts, "systems": ["S23"], **changes}
    return benchmark(f"test_phases[{recipe}-cpu]", [0.021] * 3, extra)


def growth(axis: str = "batch size", value: float = 64, seconds: float = 0.3, **changes: Any) -> dict[str, Any]:
    """One point of the cost as work grows."""
    extra = {"kind": "growth", "axis": axis, "value": value, "device": "cpu", "examples_per_round": 4096, **changes}
    return benchmark(f"test_{axis}[{value}]", [seconds, 1.1 * seconds], extra)


def scaling(kind: str = "strong", **changes: Any) -> dict[str, Any]:
    """Two ranks beside one."""
    extra: dict[str, Any] = {"kind": "distributed", "scaling": kind, "world_size": 2, "backend": "gloo"}
    extra |= {"threads_per_rank": 1, "speedup": ratio(1.5), "efficiency": 0.75, "conditions": conditions()}
    return benchmark(f"test_scaling[{kind}]", [0.5] * 3, {**extra, "batch_size": 256, **changes})


def peer(recipe: str = "jax", library: str = "jax", median: float = 0.6, **changes: Any) -> dict[str, Any]:
    """Another library, or torch beside it."""
    extra: dict[str, Any] = {"kind": "peer", "recipe": recipe, "library": library, "version": "0.1", "device": "cpu"}
    extra |= {"over_book": ratio(median), "examples_per_round": 2560, "conditions": conditions(), **changes}
    return benchmark(f"test_peers[{recipe}]", [0.4] * 3, extra)


def feature_maps() -> dict[str, Any]:
    """A small image and two layers, in shades."""
    tile = [[(16 * x + 40 * y) % 256 for x in range(6)] for y in range(6)]
    layers = [
        {"name": "convolution", "shape": [2, 6, 6], "low": -1.0, "high": 1.5, "maps": [tile, tile]},
        {"name": "dense", "shape": [10], "low": 0.0, "high": 1.0, "maps": [[[25 * x for x in range(10)]]]},
    ]
    return {"image": tile, "label": "ankle boot", "layers": layers}


def receptive_field() -> dict[str, Any]:
    """An image, and a unit that sees a part of it."""
    image = feature_maps()["image"]
    gradient = [[100 if 1 <= y <= 3 and 2 <= x <= 4 else 0 for x in range(6)] for y in range(6)]
    return {"image": image, "units": [{"name": "first convolution", "field": 3, "gradient": gradient}]}


def all_benchmarks() -> list[dict[str, Any]]:
    """One of each kind, or as many as its picture needs."""
    return [
        training(),
        training("in_memory", 31_000.0),
        epoch(),
        epoch("matrix", 2.0),
        ten_epochs(),
        reference("loops", 1e-5),
        reference("chapter's torch loop", 5e-3),
        limit(),
        limit("copy", None, bytes=1_000_000_000),
        layer("Conv2d(1, 6, kernel_size=(5, 5))", "forward", 60_000_000),
        layer("Sigmoid()", "backward", 0),
        real_layer("float32", 1.0),
        real_layer(),
        real_layer("bfloat16", 0.5, layout="channels_last"),
        versions(),
        null(),
        phases(),
        growth(),
        growth(value=256, seconds=0.2),
        scaling(),
        scaling("weak"),
        peer(),
        peer("book", "torch", 1.0),
    ]


def full_ladder() -> list[dict[str, Any]]:
    """As many benchmarks as the full ladder has: 16 recipes, ten seeds and five recipes more, the layers, growth."""
    recipes = [f"recipe_{i}" for i in range(15)]
    layers = [f"Linear(in_features={i}, out_features={i})" for i in range(1, 12)]
    found = [
        *all_benchmarks(),
        *(training(name, 12_000.0 + 900 * i) for i, name in enumerate(recipes)),
        *(ten_epochs(seed) for seed in range(1, 10)),
        *(ten_epochs(recipe=name, feature_maps=None) for name in recipes[:5]),
        *(layer(name, direction, 10**7) for name in layers for direction in ("forward", "backward")),
        *(phases(name) for name in recipes[:2]),
        *(growth("image size", size) for size in (28, 56, 112)),
        *(growth("threads", number) for number in (1, 2)),
    ]
    return [{**entry, "fullname": f"bench/test.py::{i}"} for i, entry in enumerate(found)]
