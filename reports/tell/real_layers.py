"""Layers of known networks: their time, their share of the machine's limits, and where 16 bits are slower."""

from __future__ import annotations

from typing import Any

from reports.read.benchmarks import Benchmark
from reports.read.load import Evidence
from reports.tell.benchmarks import of_kind
from reports.tell.noise_floor import judged

PLAIN = ("contiguous", "eager")


def layers(evidence: Evidence) -> list[dict[str, Any]]:
    """By environment and network a row for each layer, direction and dtype, in contiguous eager mode.

    ``seconds`` is the median, ``limit`` the limit of the machine of which it reaches the larger ``share``. ``ways``
    has the other layouts and modes, as multiples of the row's speed. ``word`` says how 16 bits stand to float32.
    ``unaided`` is True if the processor lacks what oneDNN needs to convolve in 16 bits.
    """
    found: dict[tuple[str, ...], dict[tuple[str, str], Benchmark]] = {}
    for place, bench, item in of_kind(evidence, "real layer"):
        row = tuple(str(item.extra[key]) for key in ("network", "layer_name", "direction", "dtype"))
        found.setdefault((place.id, bench.file, *row), {})[item.extra["layout"], item.extra["mode"]] = item
    networks: dict[tuple[str, str], list[dict[str, Any]]] = {}
    processors = {
        place.id: str(bench.environment.get("cpu_isa")) for place, bench, _ in of_kind(evidence, "real layer")
    }
    for (environment, _, network, *_), own in found.items():
        networks.setdefault((environment, network), []).append(_row(own))
    return [
        {
            "environment": environment,
            "network": network,
            "rows": rows,
            "slower": sum(row["slower"] > 0 for row in rows),
            "unaided": _unaided(processors[environment]),
        }
        for (environment, network), rows in networks.items()
    ]


def _unaided(instructions: str) -> bool:
    """True if a processor has AVX2 and no AVX-512.

    >>> _unaided("AVX2 avx2"), _unaided("AVX512 avx2 avx512_f")
    (True, False)
    """
    return "avx2" in instructions.lower() and "avx512" not in instructions.lower()


def _row(own: dict[tuple[str, str], Benchmark]) -> dict[str, Any]:
    plain = own.get(PLAIN) or next(iter(own.values()))
    extra = plain.extra
    shares = {"product": extra["share_of_peak"], "copy": extra["share_of_copy"]}
    limit = max(shares, key=lambda name: shares[name] or 0.0)
    words = [_word(item) for item in own.values()]
    return {
        **{key: extra[key] for key in ("layer_name", "direction", "dtype", "batch_size", "over_float32")},
        "seconds": plain.median,
        "share": shares[limit],
        "limit": limit,
        "ways": {" ".join(way): plain.median / item.median for way, item in own.items() if item is not plain},
        "word": _word(plain),
        "slower": words.count("slower"),
    }


def _word(item: Benchmark) -> str | None:
    return judged(item.extra["over_float32"], item.extra["noise_floor"], item.warning)
