"""Two reports compared: what is called broken, fixed, slower; what is refused; and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.__main__ import main
from reports.draw.report import render
from reports.read.load import load
from reports.read.results import read
from reports.read.untrusted import Unusable
from reports.tell.compare import Comparison, compare
from reports.tell.intervals import interval
from reports.tests import fake_bench, fake_run

EMPTY = '{"schema_version": 1, "environments": %s, "results": [], "benchmarks": []}'
FAST = [fake_run.training(rate=12_000.0)]


def report(folder: Path, rows: list[dict[str, Any]], entries: list[dict[str, Any]] = FAST, **environment: Any) -> Path:
    """A report of these rows and benchmarks, written to ``folder``."""
    folder.mkdir()
    place = {**fake_run.ENVIRONMENT, **environment}
    fake_run.write_run(folder, [fake_run.header(environment=place), *rows, fake_run.END])
    fake_run.write_benchmarks(folder, entries, machine_info={"environment": place})
    (folder / "results.json").write_text(render(load([folder]))["results.json"], encoding="utf-8")
    return folder


def compared(folder: Path, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Comparison:
    """Two reports on one machine that differ in their rows."""
    return compare(read(report(folder / "a", old)), read(report(folder / "b", new)))


@pytest.mark.parametrize(
    ("old", "new", "sort"),
    [
        ("passed", "diverged", "broke"),
        ("known", "error", "broke"),
        ("vacuous", "diverged", "broke"),
        ("not run", "diverged", "new and failing"),
        (None, "error", "new and failing"),
        ("diverged", "passed", "fixed"),
        ("known", "passed", "fixed"),
        ("diverged", "error", "changed"),
        ("diverged", "known", "changed"),
        ("passed", "known", "changed"),
        ("passed", "not run", "no longer run"),
        ("diverged", None, "gone"),
        ("not run", "passed", "newly run"),
        (None, "passed", "new"),
        ("passed", "passed", None),
    ],
)
def test_what_a_change_of_status_is_called(tmp_path: Path, old: str | None, new: str | None, sort: str | None) -> None:
    """Each way from one status to another; only what fails now and did not before is worse."""
    first, second = (
        [fake_run.result("other"), *([fake_run.result(status=status, worst_share=None)] if status else [])]
        for status in (old, new)
    )
    found = compared(tmp_path, first, second)
    assert [name for name, lines in found.found.items() if lines] == ([sort] if sort else [])
    assert found.worse == (sort in ("broke", "new and failing"))
    assert found.same == (1 if sort else 2)


def test_fewer_known_cases_are_no_fix(tmp_path: Path) -> None:
    """A check is "known" where most cases run into the ledger: fewer of them, by chance, mend nothing."""
    old, new = (fake_run.result(status=status, known=known) for status, known in (("known", 60), ("passed", 40)))
    found = compared(tmp_path, [old], [new])
    assert [name for name, lines in found.found.items() if lines] == ["changed"]


def test_a_test_in_another_file_is_the_same_check(tmp_path: Path) -> None:
    """Files may move and tests be renamed between the runs: law, operator and subject name the check."""
    row = fake_run.result()
    moved = {**row, "test": row["test"].replace("properties/", "properties/laws/").replace("::test", "::test_law")}
    found = compared(tmp_path, [row], [moved])
    assert (found.same, not any(found.found.values())) == (1, True)


def test_the_examples_of_one_law_are_told_apart(tmp_path: Path) -> None:
    """Tests of one law, operator and subject are several checks, named by their parameters."""
    one, other = (fake_run.result("worked example", test=f"a.py::test[{name}]") for name in ("S4", "S5"))
    found = compared(tmp_path, [one, other], [one, {**other, "status": "diverged"}])
    assert found.same == 1
    assert found.found["broke"] == ["conv2d, worked example [S5], on cpu-float32: passed → diverged"]


@pytest.mark.parametrize(
    ("rate", "sort"), [(12_000.0, None), (11_900.0, None), (9_000.0, "slower"), (16_000.0, "faster")]
)
def test_times_are_judged_by_their_interval(tmp_path: Path, rate: float, sort: str | None) -> None:
    """Within the spread of the rounds nothing is said; beyond it, with the interval."""
    one = read(report(tmp_path / "a", [fake_run.result()]))
    other = read(report(tmp_path / "b", [fake_run.result()], [fake_run.training(rate=rate)]))
    found = compare(one, other)
    assert [name for name, lines in found.found.items() if lines] == ([sort] if sort else [])
    assert found.worse == (sort == "slower")
    if sort:
        assert f"{12_000 / rate:.3f} × the time, 95 % interval " in found.found[sort][0]
        assert compare(one, other, floor=0.9).steady == 1


def test_a_recorded_noise_floor_is_used(tmp_path: Path) -> None:
    """What a pair of equal recipes showed as noise is no change."""
    one = read(report(tmp_path / "a", [fake_run.result()], [fake_run.training(noise_floor=0.5)]))
    other = read(report(tmp_path / "b", [fake_run.result()], [fake_run.training(rate=9_000.0)]))
    assert not compare(one, other).worse


def test_no_ratio_across_machines(tmp_path: Path) -> None:
    """Another CPU: statuses are compared, times are not, and that is said."""
    one = read(report(tmp_path / "a", [fake_run.result()]))
    other = read(report(tmp_path / "b", [fake_run.result()], [fake_run.training(rate=1.0)], cpu="Another processor"))
    found = compare(one, other)
    assert not found.worse
    assert found.same == 1
    assert found.remarks == ["times are not compared: the machines differ in cpu"]


@pytest.mark.parametrize("changes", [{"threads": 4}, {"dataset": "bundled sample"}, {"device": "cuda"}])
def test_no_ratio_across_settings(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A benchmark of one name under other settings is another one."""
    one = read(report(tmp_path / "a", [fake_run.result()]))
    other = read(report(tmp_path / "b", [fake_run.result()], [fake_run.training(rate=1.0, **changes)]))
    found = compare(one, other)
    assert not found.worse
    assert f"its runs differ in {next(iter(changes))}" in found.remarks[0]


def test_a_busy_machine_is_not_compared(tmp_path: Path) -> None:
    """Times of which one was taken while others worked are no regression, and that is said."""
    busy = fake_bench.conditions(fake_bench.BUSY)
    one = read(report(tmp_path / "a", [fake_run.result()]))
    other = read(report(tmp_path / "b", [fake_run.result()], [fake_run.training(rate=1.0, conditions=busy)]))
    found = compare(one, other)
    assert not found.worse
    assert "is not judged: machine busy (other processes took 40%" in found.remarks[0]


def test_the_interval_is_that_of_the_samples() -> None:
    """It holds the ratio of the medians, narrows as rounds are added, and is the same for the same samples."""
    generator = np.random.default_rng(1)
    few, many = (generator.normal(1, 0.05, size) for size in (5, 200))
    for samples in (few, many):
        low, high = interval(samples, samples * 1.2)
        assert low < 1.2 < high
        assert interval(samples, samples * 1.2) == (low, high)
    assert np.ptp(interval(many, many)) < np.ptp(interval(few, few))


def test_exit_codes_and_both_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 for the same, 1 for a break; the text on standard output, Markdown that is no markup in the file."""
    message = "<b>value</b> is 1 | [x](javascript:1)"
    one = report(tmp_path / "a", [fake_run.result()])
    other = report(tmp_path / "b", [fake_run.result(status="diverged", message=message)])
    assert main(["compare", str(one), str(one)]) == 0
    assert "Nothing broke" in capsys.readouterr().out
    assert main(["compare", str(one), str(other / "results.json"), "--output", str(tmp_path / "c.md")]) == 1
    assert f"passed → diverged; {message}" in capsys.readouterr().out
    written = (tmp_path / "c.md").read_text(encoding="utf-8")
    assert "## Broke: 1" in written
    assert "<b>" not in written
    assert "[x](" not in written


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no results.json there"),
        ("", "not JSON"),
        ("[]", "the file is a list, not an object"),
        ('{"schema_version": 9}', "schema_version 9 is newer than 1"),
        (EMPTY % 3, "environments is 3, not a list of at least one"),
        (EMPTY % [], "environments is a list of 0, not a list of at least one"),
    ],
)
def test_what_is_no_report_is_refused(
    tmp_path: Path, content: str | None, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, one line that names the file and what would do, and no output."""
    good = report(tmp_path / "a", [fake_run.result()])
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    assert main(["compare", str(good), str(tmp_path), "--output", str(tmp_path / "c.md")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert problem in told.err
    assert not (tmp_path / "c.md").exists()


def test_bad_options_are_refused(tmp_path: Path) -> None:
    """argparse's exit code 2 for a floor that is no share."""
    good = str(report(tmp_path / "a", [fake_run.result()]))
    for arguments in ([good, good, "--noise-floor", "2"], [good, good, "--noise-floor", "nan"]):
        with pytest.raises(SystemExit) as ended:
            main(["compare", *arguments])
        assert ended.value.code == 2


def test_a_report_alone_needs_two_torches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that timed a single torch has nothing to be compared with: exit 2, and a line that says what to give."""
    assert main(["compare", str(report(tmp_path / "a", [fake_run.result()]))]) == 2
    assert "times no two torches; give the newer report, too" in capsys.readouterr().err


def test_hostile_entries_are_counted_and_left_out(tmp_path: Path) -> None:
    """Each value of a report replaced by an odd one: a comparison or a clear refusal, never a crash."""
    good = report(tmp_path / "a", [fake_run.result()])
    whole = json.loads((good / "results.json").read_text(encoding="utf-8"))
    odd: tuple[Any, ...] = (None, 7, -1.5, "x", [None], {"a": 1})
    for key in ("environments", "results", "benchmarks"):
        for name in whole[key][0]:
            for value in odd:
                changed = {**whole, key: [{**whole[key][0], name: value}]}
                (tmp_path / "results.json").write_text(json.dumps(changed))
                try:
                    compare(read(good), read(tmp_path))
                except Unusable:
                    continue
    (tmp_path / "results.json").write_text(json.dumps({**whole, "results": [1, {"law": "x"}]}))
    assert any("2 entries could not be read" in remark for remark in compare(read(good), read(tmp_path)).remarks)


def test_the_torches_of_one_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A call that is slower in the newer torch is worse; one that may be chance, or was on a busy machine, is not."""
    busy = fake_bench.conditions(fake_bench.BUSY)
    slower, chance = fake_bench.versions(), fake_bench.versions("linear 84→10", p=0.3)
    steady = fake_bench.versions("linear 120→84", 1.0)
    assert main(["compare", str(report(tmp_path / "a", [], [slower, chance, steady]))]) == 1
    told = capsys.readouterr().out
    assert "ResNet-50 conv 1×1 64→256 56×56 forward bfloat16: 4.000 × the time in torch 2.13.0 as in 2.12.1" in told
    assert "1 benchmark got slower; 0 fixed, 0 faster; 0 checks and 5 benchmarks as before" in told
    assert main(["compare", str(report(tmp_path / "b", [], [chance]))]) == 0
    assert main(["compare", str(report(tmp_path / "c", [], [fake_bench.versions(conditions=busy)]))]) == 0
    assert "1 call in two torches not judged: machine busy" in capsys.readouterr().out
