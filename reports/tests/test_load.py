"""Evidence that is damaged, hostile or from another version is named, skipped and shown, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reports.draw.report import render
from reports.read.load import Evidence, load
from reports.read.records import Result
from reports.read.untrusted import Unusable, clean, text
from reports.tell.report import assemble
from reports.tests import fake_run

RAGGED: dict[str, Any] = {"image": [[1], [1, 2]], "kernel": [[1]], "output": [[1]], "transposed_output": [[1]]}
UNITS = [{"name": "x", "field": 1, "gradient": [[1, 2], [3, 4]]}]
LARGER: dict[str, Any] = {"kind": "figure", "name": "receptive-field", "data": {"image": [[1]], "units": UNITS}}


def report(folder: Path) -> dict[str, Any]:
    """The report of a folder, as plain data."""
    return assemble(load([folder]))


def problems(evidence: Evidence) -> str:
    """Everything that was not used, in one text."""
    return "\n".join(f"{notice.file}:{notice.line}: {notice.problem}" for notice in evidence.notices)


def test_the_newest_complete_run_is_used(tmp_path: Path) -> None:
    """Newest by the time inside, whatever the file is called; a newer one that was killed gives way, and is named."""
    fake_run.write_run(tmp_path, [fake_run.header("2026-11-24T08:00:00Z"), fake_run.result(), fake_run.END], "z-old")
    fake_run.write_run(tmp_path, [fake_run.header("2026-11-24T10:00:00+01:00"), fake_run.result(), fake_run.END], "new")
    fake_run.write_run(tmp_path, [fake_run.header("2026-11-25T08:00:00Z"), fake_run.result()], "killed")
    evidence = load([tmp_path])
    assert evidence.places[0].runs[0].files == ("properties-new.jsonl",)
    assert "properties-killed.jsonl:None: not used: cut off before its end" in problems(evidence)


def test_only_an_incomplete_run_is_said_loudly(tmp_path: Path) -> None:
    """A killed run alone is shown, with its last half line named, and never as a yes."""
    half = json.dumps(fake_run.result())[:50]
    fake_run.write_run(tmp_path, [fake_run.header(), *fake_run.all_results(), half])
    found = report(tmp_path)
    assert found["verdict"]["answer"] == "Not established"
    assert not found["verdict"]["complete"]
    assert found["skipped"][0]["line"] == len(fake_run.all_results()) + 2
    assert "Incomplete run." in render(load([tmp_path]))["index.html"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON"),
        ("[1]", "the line is a list, not an object"),
        ("null", "the line is missing, not an object"),
        ("[" * 100_000, "JSON beyond reading"),
        ('{"kind": "result", "cases": ' + "9" * 5000 + "}", "JSON beyond reading"),
        ({"kind": 7}, "kind is 7, not text"),
        ({"kind": "fault", "name": "flipped"}, "caught is missing, not true or false"),
        ({"kind": "figure", "name": "worker", "data": {}}, "a worker's figures name none of"),
        (
            {"kind": "figure", "name": "worker", "data": {"shares": {"torch": 2}}},
            "data.shares.torch is 2, not a share from 0 to 1",
        ),
        ({"kind": "figure", "name": "accumulators", "data": {"operator": "conv2d"}}, "storage is missing, not text"),
        ({"kind": "result"}, "status is missing, not one of diverged, "),
        (fake_run.result(status="splendid"), "status is 'splendid', not one of diverged, error"),
        (fake_run.result(cases=-1), "cases is -1, not a whole number"),
        (fake_run.result(cases=10**30), "not a whole number from 0 to 10¹²"),
        (fake_run.result(cases=True), "cases is True"),
        ({**fake_run.result(), "operator": None}, "operator is missing, not text"),
        (fake_run.result(systems="S1"), "systems is 'S1', not a list of texts"),
        (fake_run.result(seconds=float("nan")), "seconds is nan, not a finite number"),
        (fake_run.result(worst_share=-1e400), "worst_share is -inf, not a number"),
        (fake_run.result(worst_share="much"), "worst_share is 'much', not a number from 0 on"),
        (
            {"kind": "figure", "name": "edge-detection", "data": RAGGED},
            "image is not a grid: its rows differ in length",
        ),
        (
            LARGER,
            "image and gradient differ in size",
        ),
        (
            {"kind": "figure", "name": "kernel-learning", "data": {"loss": []}},
            "data.loss is a list of 0, not a list of 1 to 32",
        ),
    ],
)
def test_a_bad_line_is_named_and_skipped(tmp_path: Path, line: object, problem: str) -> None:
    """The line's number and its problem are kept; the others count; and the answer is no longer a yes."""
    fake_run.write_run(tmp_path, [fake_run.header(), line, *fake_run.all_results(), fake_run.END])
    evidence = load([tmp_path])
    assert ":2: line skipped: " in problems(evidence)
    assert problem in problems(evidence)
    found = assemble(evidence)
    assert len(found["results"]) == len(fake_run.all_results())
    assert found["verdict"]["answer"] == "Not established"
    assert all(render(evidence).values())


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (fake_run.header(schema_version=2), "schema_version 2 is newer than 1"),
        (fake_run.header(schema_version="1"), "schema_version is '1'"),
        (fake_run.header(schema_version=10**400), "schema_version 1000000"),
        (fake_run.header(started="yesterday"), "started is 'yesterday', not a time"),
        (fake_run.header(environment=None), "environment is missing, not an object"),
        (fake_run.result(), "the first line is not the header of a run"),
    ],
)
def test_a_file_that_cannot_be_read_gives_way_to_one_that_can(tmp_path: Path, header: object, problem: str) -> None:
    """A newer schema or a bad header: the file is named and an older good one is used."""
    fake_run.write_run(tmp_path, [header, fake_run.result(), fake_run.END], "bad")
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), fake_run.END], "good")
    evidence = load([tmp_path])
    assert evidence.places[0].runs[0].files == ("properties-good.jsonl",)
    assert f"properties-bad.jsonl:None: not used: {problem}" in problems(evidence)


def test_an_empty_file_gives_way(tmp_path: Path) -> None:
    """A run that was killed before its first line, alone and beside a good one."""
    path = fake_run.write_run(tmp_path, [], "bad")
    with pytest.raises(Unusable, match=r"no usable file .*properties-bad.jsonl, not used: the file is empty"):
        load([tmp_path])
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), fake_run.END], "good")
    assert problems(load([tmp_path])) == f"{path.name}:None: not used: the file is empty"


def test_bad_benchmarks_are_named_and_skipped(tmp_path: Path) -> None:
    """Each bad entry is named; the good ones remain; a newer schema and a truncated file give way."""
    bad: list[Any] = [
        7,
        {"name": "no stats"},
        {**fake_run.training(), "stats": {"data": [0.1, float("inf")]}},
        {**fake_run.training(), "stats": {"data": [-1.0]}},
        fake_run.training(examples_per_second="fast"),
        fake_run.ten_epochs(history=[{"epoch": float("nan")}]),
        fake_run.ten_epochs(final={"loss": 0.4}),
    ]
    fake_run.write_benchmarks(tmp_path, [*bad, fake_run.training()], "good")
    fake_run.write_benchmarks(tmp_path, [], "newer", schema_version=2)
    (tmp_path / "benchmark-cut.json").write_text('{"schema_version": 1, "bench')
    evidence = load([tmp_path])
    assert [found.name for found in evidence.places[0].benches[0].benchmarks] == ["test_training[book-cpu]"]
    for position in range(1, len(bad) + 1):
        assert f"benchmark {position} skipped: " in problems(evidence)
    assert "benchmark-newer.json:None: not used: schema_version 2 is newer" in problems(evidence)
    assert "benchmark-cut.json:None: not used: not JSON" in problems(evidence)


def test_a_pass_that_its_numbers_deny_is_none(tmp_path: Path) -> None:
    """Passed beyond its bound, with NaN for an error, or without a case: an error, an error, and vacuous."""
    rows = [
        fake_run.result("beyond", worst_share=1.5),
        fake_run.result("nan", worst_share=float("nan")),
        fake_run.result("idle", cases=0),
    ]
    fake_run.write_run(tmp_path, [fake_run.header(), *rows, fake_run.END])
    found = report(tmp_path)
    assert {row["law"]: row["status"] for row in found["results"]} == {
        "beyond": "error",
        "nan": "error",
        "idle": "vacuous",
    }
    assert len(found["skipped"]) == 3


def test_infinite_error_of_a_divergence_is_kept_as_none(tmp_path: Path) -> None:
    """A bound of zero makes the share infinite, which JSON cannot hold: null, with a remark."""
    row = fake_run.result(status="diverged", worst_share=float("inf"))
    fake_run.write_run(tmp_path, [fake_run.header(), row, fake_run.END])
    found = report(tmp_path)
    assert found["results"][0]["worst_share"] is None
    assert found["skipped"][0]["problem"] == "worst_share is inf; shown as none"


def test_texts_lose_what_breaks_or_disguises_a_page() -> None:
    """Control characters, surrogates and direction overrides become U+FFFD; long texts are cut; the rest stays."""
    assert text("a\x00\x1b\ud800\u202eb\n×") == "a\ufffd\ufffd\ufffd\ufffdb\n×"
    assert len(text("x" * 10**6)) == 20_000
    assert clean({"deep": [float("nan"), 10**40, "\x07"]}) == {"deep": [None, None, "\ufffd"]}


def test_counts_are_bounded() -> None:
    """The largest count that is taken, and the first that is not."""
    assert Result.read(fake_run.result(cases=10**12))[0].cases == 10**12
    with pytest.raises(Unusable, match=r"cases is 1000000000001, not a whole number"):
        Result.read(fake_run.result(cases=10**12 + 1))
