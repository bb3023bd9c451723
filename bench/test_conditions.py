"""Every benchmark says what it met, so that the report can hold back what a busy machine does not show."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from bench.measure import Conditions
from properties.selftest import nested


def test_benchmarks_say_what_they_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer and a point of growth record cores, governor, load and others' share, and a warning or none."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):  # beside others no benchmark would run
        monkeypatch.delenv(name, raising=False)
    results = tmp_path / "results.json"
    chosen = ["bench/test_layers.py::test_layer[0-forward-cpu]", "bench/test_growth.py::test_image_size[28-cpu]"]
    options = ["--benchmark-only", f"--benchmark-json={results}", f"--evidence={tmp_path}", "-p", "no:cacheprovider"]
    finished = nested.run(*chosen, *options)
    assert finished.returncode == 0, finished.stdout
    found = [entry["extra_info"] for entry in json.loads(results.read_text(encoding="utf-8"))["benchmarks"]]
    assert [extra["kind"] for extra in found] == ["layer", "growth"]
    keys = {field.name for field in fields(Conditions)} | {"warning"}
    assert [set(extra["conditions"]) for extra in found] == [keys, keys]
