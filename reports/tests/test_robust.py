"""Every value of the evidence, one at a time, replaced by another: a report or a clear refusal, never a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.draw import charts, pictures
from reports.draw.report import render
from reports.read.load import load
from reports.read.untrusted import Unusable
from reports.tests import fake_run, validators

ODD: tuple[Any, ...] = (None, True, -1, 1e308, float("nan"), "<b>", [None], {"a": {"b": []}})
AT_ONCE = 4  # places whose values stand in one report, each in a line of its own that is read and shown
Path_ = tuple[str | int, ...]


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Where every value inside ``value`` is; of a list, its first element stands for all."""
    if path:
        yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def one_by_one(value: Any) -> Iterator[Any]:
    """``value`` with one odd value in it; half of them at each place, the others at the next."""
    for number, path in enumerate(places(value)):
        for odd in ODD[number % 2 :: 2]:
            yield replaced(value, path, odd)


def together(value: Any, at_once: int) -> Iterator[list[Any]]:
    """``value`` with each odd value at each place, those of a few places together."""
    paths = list(places(value))
    for start in range(0, len(paths), at_once):
        yield [replaced(value, path, odd) for path in paths[start : start + at_once] for odd in ODD]


def replaced(value: Any, path: Path_, odd: Any) -> Any:
    """A copy of ``value`` with ``odd`` at ``path``."""
    changed = copy.deepcopy(value)
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = odd
    return changed


@cache  # most parts of a report are what they were in the last one
def has_its_form(key: str, text: str) -> None:
    """What stands under a key of a report, by the schema."""
    own = {"$ref": f"#/properties/{key}", **{name: validators.RESULTS[name] for name in ("properties", "$defs")}}
    validators.REPORT.evolve(schema=own).validate(json.loads(text))


def survives(folder: Path) -> None:
    """All four files are made, and the schema holds, or the evidence is refused with a reason."""
    try:
        texts = render(load([folder]))
    except Unusable:
        return
    assert all(texts.values())
    whole = json.loads(
        texts["results.json"], parse_constant=lambda constant: pytest.fail(f"{constant} in results.json")
    )
    assert set(whole) == set(validators.RESULTS["required"])
    for key, part in whole.items():
        has_its_form(key, json.dumps(part))


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What charts draw is drawn on axes of which no picture is made, which is what takes long."""
    axes = Figure().add_subplot()

    def unpainted(draw: Callable[[Axes], None], *_: Any) -> str:
        draw(axes)
        axes.clear()
        return ""

    for module in (charts, pictures):
        monkeypatch.setattr(module, "drawn", unpainted)


LINES: list[dict[str, Any]] = [
    fake_run.header(run="one", shard="gw0"),
    fake_run.result(status="known", reason="a defect", repro="repro/a.py", upstream="https://github.com/a/b"),
    *fake_run.figures(),
    fake_run.accumulator(),
    fake_run.worker(),
    fake_run.fault(),
    fake_run.END,
]
BENCHES = [
    *{entry["extra_info"]["kind"]: entry for entry in fake_run.all_benchmarks()}.values(),
    fake_run.benchmark("test_restart", [0.03] * 3, {"kind": "worker", **fake_run.worker()["data"]}),
]


@pytest.mark.parametrize("position", range(len(LINES)), ids=lambda i: LINES[i].get("name", LINES[i]["kind"]))
@pytest.mark.usefixtures("unpainted")
def test_any_value_of_a_run_may_be_anything(tmp_path: Path, position: int) -> None:
    """Each value of each kind of line becomes each odd value."""
    line = LINES[position]
    once = line["kind"] in ("run", "end")  # of a picture no two of the values are read: that one is shown
    before, after = LINES[: min(position, 1)], LINES[max(position + 1, len(LINES) - 1) :]
    for lines in ([changed] for changed in one_by_one(line)) if once else together(line, AT_ONCE):
        fake_run.write_run(tmp_path, [*before, *lines, LINES[1], *after])
        survives(tmp_path)


@pytest.mark.parametrize("position", range(len(BENCHES)), ids=lambda i: BENCHES[i]["extra_info"]["kind"])
@pytest.mark.usefixtures("unpainted")
def test_any_value_of_a_benchmark_may_be_anything(tmp_path: Path, position: int) -> None:
    """Each value of each kind of benchmark becomes each odd value; of ten epochs a report shows a few runs alone."""
    few = BENCHES[position]["extra_info"]["kind"] == "ten-epochs"
    for entries in together(BENCHES[position], 1 if few else AT_ONCE):
        fake_run.write_benchmarks(tmp_path, entries)
        survives(tmp_path)


def test_any_value_around_the_benchmarks_may_be_anything(tmp_path: Path) -> None:
    """The file's own keys, and the environment inside it."""
    whole = json.loads(fake_run.write_benchmarks(tmp_path, []).read_text())
    for changed in one_by_one(whole):
        (tmp_path / "benchmark-1.json").write_text(json.dumps(changed))
        survives(tmp_path)


@pytest.mark.parametrize("value", [1e-300, 1e12, -1e12, 1e300])
def test_extreme_numbers_can_be_drawn(tmp_path: Path, value: float) -> None:
    """The charts themselves, with values at the ends of the range and beyond: no warning, no crash."""
    edge, learning, *_ = fake_run.figures()
    learning["data"] = {"loss": [1.0, value], "weight": [[0.0, value], [value, 1.0]]}
    edge["data"]["output"] = [[value]]
    point = {"epoch": 1.0, "loss": value, "train_acc": value, "test_acc": value}
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), edge, learning, fake_run.END])
    fake_run.write_benchmarks(tmp_path, [fake_run.ten_epochs(history=[point])])
    survives(tmp_path)
