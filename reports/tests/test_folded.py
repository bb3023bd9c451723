"""Evidence so large that counts alone are kept of most checks: the same verdict, tables and comparisons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main
from reports.draw.matrix import matrices
from reports.read import folded, load
from reports.tell import explained, pairs, precision, summarise
from reports.tell.report import assemble
from reports.tests import fake_run, validators

OTHER = {**fake_run.ENVIRONMENT, "cpu": "Another processor"}


@pytest.fixture
def fold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any evidence be large."""
    monkeypatch.setattr(load, "FOLDED", 0)


def rows() -> list[dict[str, Any]]:
    """Every status, entries of the ledger, pairs that were met, and a test with parameters of its own."""
    found = fake_run.all_results()
    for place, row in enumerate(found):
        if place % 5 == 0 and row["status"] == "passed":
            row |= {"known": 3, "explained": ["an-entry: 3, 2"], "reason": f"3 of {place} cases", "pairs": 9}
    found += [fake_run.result(f"law {i}", status="diverged", message="m") for i in range(3)]
    alike = {"status": "known", "reason": "an-entry"}
    found += [fake_run.result("known", f"operator {i % 2}", f"cpu-float{i}", **alike) for i in range(60)]
    return [*found, fake_run.result("own", test="properties/test_own.py::test[S4-conv2d]")]


def written(folder: Path, lines: list[dict[str, Any]], name: str = "1", **changes: Any) -> load.Evidence:
    """Evidence of one run."""
    folder.mkdir(exist_ok=True)
    fake_run.write_run(folder, [fake_run.header(**changes), *lines, fake_run.END], name)
    return load.load([folder])


def told(evidence: load.Evidence) -> list[Any]:
    """What the page tells of checks."""
    table, report = summarise.frame(evidence), assemble(evidence)
    drawn = matrices(evidence, table, 6000, 400, 60)[0]
    rows = [row for part in drawn["parts"] for family in part["families"] for row in family["rows"]]
    shown = sorted((row["operator"], [str(cell) for cell in row["cells"]]) for row in rows)
    faults = [{**fault, "subjects": sorted(fault["subjects"])} for fault in summarise.faults(table)]
    parts = [report[key] for key in ("verdict", "systems", "not_run")]
    return [shown, faults, parts, explained.by_entry(table), pairs.met(table), precision.distributions(table)]


def test_the_page_tells_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict, matrix, failures, systems, reasons, entries, pairs and errors, of checks that are folded or not."""
    whole = written(tmp_path, rows())
    before = json.loads(json.dumps(told(whole)))
    monkeypatch.setattr(load, "FOLDED", 0)
    within = load.load([tmp_path])
    (run,) = within.runs
    assert run.folded
    assert len(run.results) + len(run.folded) == len(whole.runs[0].results)
    assert json.loads(json.dumps(told(within))) == before


@pytest.mark.usefixtures("fold")
def test_what_tells_more_is_kept_whole(tmp_path: Path) -> None:
    """What diverged, the first failures of a kind, and tests with parameters of their own; the rest is folded."""
    found = assemble(written(tmp_path, rows()))
    kept = [row["law"] for row in found["results"]]
    assert {law: kept.count(law) for law in kept} == {
        "known": folded.ALIKE,
        "own": 1,
        **{f"law {i}": 1 for i in range(3)},
    }
    folds = [entry for entry in found["folded"] if entry["law"] == "known"]
    assert [len(entry["checks"]) for entry in folds] == [(60 - folded.ALIKE) // 2] * 2
    assert "counts alone are kept" in found["skipped"][0]["problem"]
    validators.REPORT.validate(json.loads(json.dumps(found)))


@pytest.mark.usefixtures("fold")
def test_a_pass_that_its_numbers_deny_is_not_folded(tmp_path: Path) -> None:
    """Beyond its bound, and without a case: an error and vacuous, with the reason."""
    lines = [fake_run.result("beyond", worst_share=1.5), fake_run.result("idle", cases=0), fake_run.result()]
    found = assemble(written(tmp_path, lines))
    assert {row["law"]: row["status"] for row in found["results"]} == {"beyond": "error", "idle": "vacuous"}


def test_a_folded_report_compares_as_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing differs between the two; a pass that diverges in the newer broke, though it was folded in the older."""
    written(tmp_path / "old", rows())
    written(tmp_path / "new", [fake_run.result(status="diverged", message="m"), *rows()[1:]])
    assert main(["build", "--evidence", str(tmp_path / "old"), "--output", str(tmp_path / "whole")]) == 0
    monkeypatch.setattr(load, "FOLDED", 0)
    for name in ("old", "new"):
        assert main(["build", "--evidence", str(tmp_path / name), "--output", str(tmp_path / f"{name} report")]) == 0
    assert main(["compare", str(tmp_path / "whole"), str(tmp_path / "old report")]) == 0
    assert main(["compare", str(tmp_path / "old report"), str(tmp_path / "new report")]) == 1


@pytest.mark.usefixtures("fold")
def test_the_newer_of_two_folded_rows_counts(tmp_path: Path) -> None:
    """Of two runs in one environment, and of another environment, each check counts once."""
    fake_run.write_run(
        tmp_path, [fake_run.header("2026-11-23T08:00:00Z"), fake_run.result(cases=7), fake_run.END], "old"
    )
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), fake_run.END], "new")
    fake_run.write_run(tmp_path, [fake_run.header(environment=OTHER), fake_run.result(), fake_run.END], "other")
    found = assemble(load.join([tmp_path]))
    assert [entry["checks"] for entry in found["folded"]] == [{"cpu-float32": [100, 0]}] * 2
    assert any("1 rows superseded" in notice["problem"] for notice in found["skipped"])


@pytest.mark.usefixtures("fold")
def test_texts_that_are_folded_are_safe(tmp_path: Path) -> None:
    """A control character in a subject's name."""
    line = fake_run.result(subject="cpu-float\x07", test="t[conv2d-cpu-float\x07]")
    (entry,) = assemble(written(tmp_path, [line]))["folded"]
    assert list(entry["checks"]) == ["cpu-float\ufffd"]


@pytest.mark.parametrize("odd", [None, [], {"cpu": [1]}, {"cpu": [-1, 0]}, {"cpu": [1, 0, 0]}])
def test_a_folded_entry_without_its_form_is_left_out(tmp_path: Path, odd: Any) -> None:
    """A results.json of another program: the entry counts as one that could not be read."""
    written(tmp_path / "in", rows())
    main(["build", "--evidence", str(tmp_path / "in"), "--output", str(tmp_path)])
    whole = json.loads((tmp_path / "results.json").read_text())
    entry = {"environment": "e1", "law": "l", "operator": "o", "parameters": "o", "status": "passed", "checks": odd}
    (tmp_path / "results.json").write_text(json.dumps({**whole, "folded": [entry]}))
    from reports.read.results import read

    assert read(tmp_path).unread == 1
