"""Several machines: every check on one of them, each with about as much to do, and one page of them all."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from properties import subjects
from properties.engine.law import valued
from properties.selftest import nested
from properties.session import shards
from properties.session.shards import Shard
from properties.subjects import Subject


class Check:
    """A test of a law on an operator and a subject, as far as it is looked at."""

    def __init__(self, law: str, operator: int, subject: Subject) -> None:
        self.nodeid = f"test_{law}.py::test_{law}[operator{operator:02}-{subject}]"
        self.law, self.callspec = law, SimpleNamespace(params={"subject": subject})

    def __repr__(self) -> str:
        return self.nodeid


SUBJECTS = [Subject("cpu", dtype) for dtype in ("bfloat16", "float16", "float32", "float64")]
SUBJECTS += [Subject("cpu", "float32", "compiled")]
CHECKS: list[Any] = [Check(law, n, subject) for law in ("a", "b", "c") for n in range(40) for subject in SUBJECTS]


@pytest.mark.parametrize("of, number", [(1, 600), (2, 600), (4, 600), (7, 599), (4, 3), (4, 0)])
def test_every_check_once(of: int, number: int) -> None:
    """The shards together are the whole; each keeps the order, which has what explains most at its front."""
    checks = CHECKS[:number]
    parts = [shards.split(checks, Shard(part, of))[0] for part in range(1, of + 1)]
    assert Counter(check for part in parts for check in part) == Counter(checks)
    assert all(part == sorted(part, key=checks.index) for part in parts)


@pytest.mark.parametrize("of", [2, 3, 4, 5])
def test_shards_are_alike(of: int) -> None:
    """Each has its share of every law on every subject, of what is compiled too, which takes far longer."""
    for part in range(1, of + 1):
        own: list[Any] = shards.split(CHECKS, Shard(part, of))[0]
        mine = Counter((check.law, str(check.callspec.params["subject"])) for check in own)
        assert all(abs(number - 40 / of) <= 2 for number in mine.values())
        assert len(mine) == 15


def test_checks_are_told_apart() -> None:
    """The digest is that of the checks, in whatever order."""
    assert shards.digest(CHECKS) == shards.digest(CHECKS[::-1]) != shards.digest(CHECKS[1:])


@pytest.mark.parametrize("given", ["5/4", "0/4", "x", "", "1/", "1/4/4", "-1/4", "1.5/4", "1/100000", "١/٤"])
def test_no_shard(given: str) -> None:
    """What names no part of a whole is refused."""
    assert shards.parse("2/4") == (2, 4)
    with pytest.raises(ValueError, match="no part of a whole; give K/N"):
        shards.parse(given)


def shard(part: int, of: int, folder: Path, *options: str) -> nested.Ended:
    """A shard as a user runs it: of the tests of two laws on one operator each."""
    plain = [f"--evidence={folder}", "--hypothesis-profile=tests", "-p", "no:cacheprovider", "--benchmark-disable"]
    return nested.run("properties/laws/test_dense.py", f"--shard={part}/{of}", *options, *plain)


def evidence(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The lines of one kind in all files."""
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.jsonl")]
    return [line for text in texts for line in map(json.loads, text.splitlines()) if line["kind"] == kind]


def test_a_run_on_two_machines(tmp_path: Path) -> None:
    """As users see it, with pytest-xdist on one: each check and each row of an absent device once, one page of both."""
    only = ["-k", "cpu-float32"]
    finished = [shard(1, 2, tmp_path / "1", *only, "-n1"), shard(2, 2, tmp_path / "2", *only, "--hypothesis-seed=1")]
    assert [one.returncode for one in finished] == [0, 0], finished[0].stdout + finished[1].stdout
    rows = Counter((row["law"], row["operator"], row["subject"]) for row in evidence(tmp_path, "result"))
    assert set(rows.values()) == {1}
    gone = [subject for subject in subjects.known() if subject.absence and valued(subject)]
    assert len(rows) == 2 + 2 * len(gone)
    splits = [header["split"] for header in evidence(tmp_path, "run")]
    assert {(split["part"], split["of"]) for split in splits} == {(1, 2), (2, 2)}
    assert len({split["checks"] for split in splits}) == 1


def test_fewer_checks_than_shards(tmp_path: Path) -> None:
    """A shard without checks is no failure, and says that it was there."""
    for options in ([], ["-n1"]):
        finished = shard(4, 4, tmp_path / str(len(options)), "-k", "toeplitz and cpu-float32", *options)
        assert finished.returncode == 0, finished.stdout
    assert [end["exitstatus"] for end in evidence(tmp_path, "end")] == [0, 0]
    assert {header["split"]["part"] for header in evidence(tmp_path, "run")} == {4}
