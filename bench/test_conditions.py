"""Every benchmark says what it met, so that the report can hold back what a busy machine does not show."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from bench.measure import Conditions

pytest_plugins = ["pytester"]


def test_benchmarks_say_what_they_met(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A layer and a point of growth record cores, governor, load and others' share, and a warning or none."""
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):  # beside others no benchmark would run
        monkeypatch.delenv(name, raising=False)
    bench, results = Path(__file__).parent, tmp_path / "results.json"
    chosen = [bench / "test_layers.py::test_layer[0-forward-cpu]", bench / "test_growth.py::test_image_size[28-cpu]"]
    options = [f"--rootdir={bench.parent}", "--benchmark-only", f"--benchmark-json={results}", f"--evidence={tmp_path}"]
    assert pytester.runpytest_subprocess(*chosen, *options).ret == 0
    found = [entry["extra_info"] for entry in json.loads(results.read_text(encoding="utf-8"))["benchmarks"]]
    assert [extra["kind"] for extra in found] == ["layer", "growth"]
    keys = {field.name for field in fields(Conditions)} | {"warning"}
    assert [set(extra["conditions"]) for extra in found] == [keys, keys]
