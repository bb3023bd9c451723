"""The pictures and tables of throughput as the page's templates need them; where there is none, why."""

from __future__ import annotations

from typing import Any

from reports.draw import pictures
from reports.read.load import Evidence
from reports.tell import conditions, real_layers, roofline, ten_epochs, throughput, two_torches
from reports.tell.benchmarks import reason

MOST = 6  # pictures of one kind; results.json has the numbers of all
_TESTS = {
    "ladder": ("test_training[",),
    "epochs": ("test_epoch",),
    "roof": ("test_matrix_product",),
    "phases": ("test_phases",),
    "growth": ("test_batch_size", "test_threads", "test_image_size"),
    "scaling": ("test_scaling",),
    "layers": ("test_layer[",),
    "real": ("test_real_layer[",),
    "torches": ("test_versions[",),
}
"""The benchmarks that each part of the page shows, by how their names begin."""


def view(evidence: Evidence) -> dict[str, Any]:
    """What is to be shown of each kind of benchmark, and for each kind that is absent the reason."""
    return {
        "ladders": [_ladder(entry, place) for place, entry in enumerate(throughput.ladders(evidence)[:MOST])],
        "epochs": throughput.epochs(evidence),
        "roofs": [_roof(entry, place) for place, entry in enumerate(roofline.roofs(evidence)[:MOST])],
        "real": real_layers.layers(evidence),
        "torches": two_torches.compared(evidence),
        "nulls": two_torches.nulls(evidence),
        "phases": [
            {**entry, "svg": pictures.stacked(entry, f"phases{place}")}
            for place, entry in enumerate(throughput.phases(evidence)[:MOST])
        ],
        "growth": [
            {**entry, "svg": pictures.grown(entry, f"growth{place}")}
            for place, entry in enumerate(throughput.growth(evidence)[: 2 * MOST])
        ],
        "reports": throughput.reports(evidence),
        "scaling": _scaling(evidence),
        "peers": _peers(evidence),
        "seeds": ten_epochs.seeds(evidence),
        "conditions": conditions.conditions(evidence),
        "busy": conditions.busy(evidence),
        "why": {part: reason(evidence, *begins) for part, begins in _TESTS.items()},
    }


def _ladder(entry: dict[str, Any], place: int) -> dict[str, Any]:
    rungs = [{**rung, "label": f"{rung['label']}*" if rung["other"] else rung["label"]} for rung in entry["rungs"]]
    title = f"Recipes compared with the chapter's loop on {entry['device'][:40]}"
    axis = "times as fast as recipe book, in wall time"
    return {**entry, "svg": pictures.intervals(rungs, f"ladder{place}", title, axis, min(entry["floor"], 1e6))}


def _roof(entry: dict[str, Any], place: int) -> dict[str, Any]:
    copy, peak = entry["limits"].get("copy"), entry["limits"].get("matrix product float32")
    layers = [
        {
            **point,
            "flop_share": point["flop"] / point["seconds"] / peak if peak and point["flop"] else None,
            "copy_share": point["bytes"] / point["seconds"] / copy if copy else None,
        }
        for point in entry["points"]
        if point["kind"] == "layer"
    ]
    return {**entry, "layers": layers, "svg": pictures.roofline(entry, f"roof{place}")}


def _placed(evidence: Evidence, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that share a picture, whose labels name the environment where there are several."""
    if not evidence.several:
        return entries
    return [{**entry, "label": f"{entry['label']}, {entry['environment']}"} for entry in entries]


def _scaling(evidence: Evidence) -> dict[str, Any] | None:
    entries = _placed(evidence, throughput.scaling(evidence))
    if not entries:
        return None
    axis = "efficiency: speed-up over one rank ÷ ranks"
    drawn = pictures.intervals(entries, "scaling", "Efficiency of several ranks", axis)
    return {"entries": entries, "svg": drawn}


def _peers(evidence: Evidence) -> dict[str, Any]:
    entries, absent = throughput.peers(evidence, "training"), throughput.absent_peers(evidence)
    inference = throughput.peers(evidence, "inference")
    if not entries:
        return {"entries": [], "inference": inference, "absent": absent, "svg": None}
    rows = _placed(evidence, [e if e["torch"] else {**e, "label": e["library"]} for e in entries])
    axis = "times as fast as recipe book, without loading"
    drawn = pictures.intervals(rows, "peers", "Other libraries and torch's recipes", axis, absent=absent)
    return {"entries": entries, "inference": inference, "absent": absent, "svg": drawn}
