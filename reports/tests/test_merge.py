"""Runs joined: files of one run, shards, several machines on one page; nothing counted twice or lost in silence."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reports.__main__ import main
from reports.draw.report import render
from reports.read.load import Evidence, join, load
from reports.tell.report import assemble
from reports.tell.throughput import recipes
from reports.tests import fake_bench, fake_run

OTHER = {**fake_run.ENVIRONMENT, "cpu": "Another processor"}


def problems(evidence: Evidence) -> str:
    """Everything that was not used, in one text."""
    return "\n".join(f"{notice.file}: {notice.problem}" for notice in evidence.notices)


def worker(folder: Path, name: str, rows: list[Any], end: bool = True, **changes: Any) -> Path:
    """One worker's file of run "one"."""
    header = fake_run.header(**{"run": "one", "shard": name, **changes})
    return fake_run.write_run(folder, [header, *rows, *([fake_run.END] if end else [])], name)


def test_files_of_one_run_are_joined(tmp_path: Path) -> None:
    """Two workers' files are one run with all rows; an older run of its own does not come in."""
    rows = fake_run.all_results()
    worker(tmp_path, "gw0", rows[::2])
    worker(tmp_path, "gw1", rows[1::2], started="2026-11-24T08:00:01Z")
    fake_run.write_run(tmp_path, [fake_run.header("2026-11-23T08:00:00Z"), fake_run.result("old"), fake_run.END], "old")
    found = assemble(load([tmp_path]))
    (place,) = found["environments"]
    (run,) = place["runs"]
    assert run["files"] == ["properties-gw0.jsonl", "properties-gw1.jsonl"]
    assert run["complete"]
    assert run["started"] == "2026-11-24T08:00:00+00:00"
    assert len(found["results"]) == len(rows)
    assert "2 processes" in render(load([tmp_path]))["index.html"]


def test_a_run_without_the_end_of_one_file_is_incomplete(tmp_path: Path) -> None:
    """The file that was cut off is named, and the answer is no yes."""
    worker(tmp_path, "gw0", [fake_run.result()])
    worker(tmp_path, "gw1", [fake_run.result("gradients")], end=False)
    found = assemble(load([tmp_path]))
    assert found["environments"][0]["runs"][0]["cut_off"] == ["properties-gw1.jsonl"]
    assert found["verdict"]["answer"] == "Not established"
    assert "1 of the run’s 2 files" in render(load([tmp_path]))["index.html"]


def test_the_exit_status_of_every_worker_counts(tmp_path: Path) -> None:
    """One worker that ended badly makes the run one that ended badly."""
    worker(tmp_path, "gw0", [fake_run.result()])
    fake_run.write_run(
        tmp_path,
        [fake_run.header(run="one", shard="gw1"), fake_run.result("b"), {**fake_run.END, "exitstatus": 3}],
        "gw1",
    )
    assert assemble(load([tmp_path]))["environments"][0]["runs"][0]["exitstatus"] == 3


def test_one_worker_twice_counts_once(tmp_path: Path) -> None:
    """A copy is left out; of two different files of one worker the larger is used; both are named."""
    path = worker(tmp_path, "gw0", [fake_run.result(), fake_run.result("gradients")])
    shutil.copy(path, tmp_path / "properties-copy.jsonl")
    cut = path.read_text(encoding="utf-8").splitlines()[:2]
    (tmp_path / "properties-cut.jsonl").write_text("\n".join(cut), encoding="utf-8")
    evidence = load([tmp_path])
    assert len(assemble(evidence)["results"]) == 2
    assert "a copy of" in problems(evidence)
    assert "properties-cut.jsonl: not used: properties-copy.jsonl is of the same worker" in problems(evidence)


def test_one_run_id_in_two_environments_is_two_runs(tmp_path: Path) -> None:
    """A CI that gives all of its machines one id does not make one run of them."""
    worker(tmp_path, "a", [fake_run.result()])
    worker(tmp_path, "b", [fake_run.result()], environment=OTHER)
    assert [len(place.runs) for place in join([tmp_path]).places] == [1, 1]


def test_merge_groups_by_environment(tmp_path: Path) -> None:
    """Two machines: a verdict, a matrix and a speed each; the worst decides; no recipe is divided across them."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "deep").mkdir(parents=True)
    fake_run.write_all(tmp_path / "a")
    rows = [fake_run.result(status="diverged", message="value is 1, but should be 2"), fake_run.result("gradients")]
    fake_run.write_run(tmp_path / "b" / "deep", [fake_run.header(environment=OTHER), *rows, fake_run.END])
    fake_run.write_benchmarks(
        tmp_path / "b" / "deep", [fake_run.training("in_memory", 90_000.0)], machine_info={"environment": OTHER}
    )
    evidence = join([tmp_path / "a", tmp_path / "b"])
    found = assemble(evidence)
    assert [place["verdict"]["answer"] for place in found["environments"]] == ["Yes, where it was checked", "No"]
    assert found["verdict"]["answer"] == "No"
    assert {row["environment"] for row in found["results"]} == {"e1", "e2"}
    texts = render(evidence)
    for part in ('id="e1"', 'id="e2"', "conv2d</b> agreement, on cpu-float32 (e2)", "in e2"):
        assert part in texts["index.html"]
    entry = next(entry for entry in recipes(evidence) if entry["environment"] == "e2")
    assert round(entry["rate"], 6) == round(90_000 * 11_000 / 10_240, 6)
    assert entry["over_recipe_book"] is None, "the chapter's recipe was not run on e2: nothing to divide by"


def test_the_order_of_the_paths_does_not_matter(tmp_path: Path) -> None:
    """Three folders in any order give the same bytes."""
    for name, environment in (("a", fake_run.ENVIRONMENT), ("b", OTHER), ("c", fake_run.ENVIRONMENT)):
        (tmp_path / name).mkdir()
        started = f"2026-11-24T0{ord(name) - 90}:00:00Z"
        lines = [fake_run.header(started, environment=environment), *fake_run.all_results(), fake_run.END]
        fake_run.write_run(tmp_path / name, lines)
    folders = [tmp_path / name for name in "abc"]
    texts = [json.dumps(render(join(order))) for order in itertools.permutations(folders)]
    assert len(set(texts)) == 1


def test_the_newer_row_counts_and_the_older_is_remembered(tmp_path: Path) -> None:
    """One check, run twice in one environment: the newer counts; that the older had diverged is said."""
    old = [fake_run.result(status="diverged", message="m"), fake_run.result("kept")]
    fake_run.write_run(tmp_path, [fake_run.header("2026-11-23T08:00:00Z"), *old, fake_run.END], "old")
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), fake_run.END], "new")
    evidence = join([tmp_path])
    assert {row["law"]: row["status"] for row in assemble(evidence)["results"]} == {
        "agreement": "passed",
        "kept": "passed",
    }
    assert "1 rows superseded by other runs of the same checks; 1 of them had diverged or failed" in problems(evidence)


def test_a_row_that_was_not_run_takes_no_place(tmp_path: Path) -> None:
    """A newer run without the device does not hide what an older one found."""
    fake_run.write_run(tmp_path, [fake_run.header("2026-11-23T08:00:00Z"), fake_run.result(), fake_run.END], "old")
    idle = fake_run.result(status="not run", reason="--subjects left it out", cases=0, worst_share=None)
    fake_run.write_run(tmp_path, [fake_run.header(), idle, fake_run.END], "new")
    assert [row["status"] for row in assemble(join([tmp_path]))["results"]] == ["passed"]


def test_merge_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 with files; exit 2 and one line for a path that is not there; argparse's 2 without ``--output``."""
    fake_run.write_all(tmp_path)
    assert main(["merge", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "index.html").exists()
    capsys.readouterr()
    assert main(["merge", str(tmp_path / "gone"), "--output", str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err.startswith(f"reports: PATH: {tmp_path / 'gone'} does not exist")
    assert not (tmp_path / "new").exists()
    with pytest.raises(SystemExit) as ended:
        main(["merge", str(tmp_path)])
    assert ended.value.code == 2


def test_a_busy_machine_does_not_hide_a_quiet_one(tmp_path: Path) -> None:
    """Alarms and rows name their environment, and what the quiet one shows is said."""
    entries = fake_run.all_benchmarks()
    fake_run.write_benchmarks(tmp_path, entries, "quiet")
    for entry in entries:
        entry["extra_info"]["conditions"] = fake_bench.conditions(fake_bench.BUSY)
    fake_run.write_benchmarks(tmp_path, entries, "busy", machine_info={"environment": OTHER})
    evidence = join([tmp_path])
    busy = next(place.id for place in evidence.places if place.environment["cpu"] == OTHER["cpu"])
    (quiet,) = {place.id for place in evidence.places} - {busy}
    html = render(evidence)["index.html"]
    assert f"The fastest recipe for the same problem is in_memory on cpu in {quiet}:" in html
    assert f"Not judged: machine busy.</b> In {busy}, other processes took 40%" in html
    assert f"In {quiet}, other processes" not in html
    for label in ("strong, 2 ranks", "jax 0.1"):
        assert f">{label}, {quiet}</text>" in html


def shard(folder: Path, number: int, of: int = 4, checks: str = "abc", end: bool = True, **changes: Any) -> None:
    """What one machine writes of a run of four shards: a row, in a folder of its own."""
    split = {"part": number, "of": of, "checks": checks}
    arguments = ["properties", f"--shard={number}/{of}"]
    header = fake_run.header(**{"run": f"run {number}", "split": split, "arguments": arguments, **changes})
    rows = [header, fake_run.result(operator=f"operator {number}"), *([fake_run.END] if end else [])]
    (folder / str(number)).mkdir(parents=True, exist_ok=True)
    fake_run.write_run(folder / str(number), rows, f"{number}-{changes.get('started', '')[:10]}")


def whole(folder: Path, missing: int = 0, **changes: Any) -> Path:
    """Four shards without one."""
    for number in {1, 2, 3, 4} - {missing}:
        shard(folder, number, **changes)
    return folder


def test_shards_of_several_machines_are_one_run(tmp_path: Path) -> None:
    """Four shards make one complete run with the rows of all; run again, it is run whole."""
    found = assemble(join([whole(tmp_path)]))
    (run,) = found["environments"][0]["runs"]
    assert run["split"] == {"of": 4, "parts": [1, 2, 3, 4], "missing": []}
    assert run["arguments"] == ["properties"]
    assert found["verdict"]["complete"]
    assert len(found["results"]) == 4
    assert "shards 1, 2, 3, 4 of 4, 4 processes" in render(join([tmp_path]))["index.html"]


def test_a_missing_shard_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page, the summary and the terminal name it, and the answer is no yes."""
    assert main(["merge", str(whole(tmp_path / "in", missing=3)), "--output", str(tmp_path / "out")]) == 0
    assert "its run is incomplete: shard 3 of 4 is missing" in capsys.readouterr().err
    for name in ("index.html", "summary.md"):
        assert "shard 3 of 4 is missing" in (tmp_path / "out" / name).read_text(encoding="utf-8")
    verdict = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["verdict"]
    assert (verdict["complete"], verdict["answer"]) == (False, "Not established")


def test_one_shard_alone_is_incomplete(tmp_path: Path) -> None:
    """The page of one machine does not pass for that of the whole run."""
    shard(tmp_path, 2)
    found = assemble(load([tmp_path / "2"]))
    assert found["environments"][0]["runs"][0]["split"] == {"of": 4, "parts": [2], "missing": [1, 3, 4]}
    assert "shards 1, 3 and 4 of 4 are missing" in found["verdict"]["sentence"]


def test_a_shard_that_was_run_again(tmp_path: Path) -> None:
    """Of two runs of one shard the newer is used, and the other is named."""
    whole(tmp_path)
    shard(tmp_path, 2, run="again", started="2026-11-25T08:00:00Z")
    evidence = join([tmp_path])
    assert assemble(evidence)["verdict"]["complete"]
    assert len(assemble(evidence)["results"]) == 4
    assert "is a newer run of shard 2 of 4" in problems(evidence)


@pytest.mark.parametrize("other", [{"checks": "other"}, {"of": 5}, {"profile": "nightly"}, {"seed": 1}])
def test_shards_of_different_runs(other: dict[str, Any], tmp_path: Path) -> None:
    """A shard of other checks, or tried in another way, does not complete a run."""
    whole(tmp_path, missing=3)
    shard(tmp_path, 3, **other)
    missing = [run.missing for place in join([tmp_path]).places for run in place.runs]
    assert sorted(missing) == sorted([(3,), (1, 2, 4, 5)[: other.get("of", 4) - 1]])


def test_shards_on_machines_of_two_kinds(tmp_path: Path) -> None:
    """A CI may give its jobs different processors: nothing is missing, and each environment has its rows."""
    whole(tmp_path, missing=3)
    shard(tmp_path, 3, environment=OTHER)
    evidence = join([tmp_path])
    assert [run.complete for place in evidence.places for run in place.runs] == [True, True]
    shard(tmp_path / "more", 1, environment=OTHER)
    evidence = join([tmp_path])
    missing = [run.missing for place in evidence.places for run in place.runs]
    assert sorted(missing) == [(2, 4), (3,)], "shard 1 ran on both: two runs, each with some missing"


@pytest.mark.parametrize("split", [{"part": 5, "of": 4}, {"part": 0, "of": 4}, {"part": 1}, "1/4"])
def test_a_shard_that_is_none(split: Any, tmp_path: Path) -> None:
    """A header that names no shard of a run is not used."""
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), fake_run.END], "good")
    fake_run.write_run(tmp_path, [fake_run.header(split=split), fake_run.result(), fake_run.END], "bad")
    assert "properties-bad.jsonl: not used: " in problems(load([tmp_path]))
