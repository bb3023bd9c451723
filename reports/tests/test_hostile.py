"""Files that are no evidence at all, or evidence that lies: named and passed over; a good run beside them counts."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from reports.draw.report import render
from reports.read.load import LARGEST_FILE, join, load
from reports.read.runs import LONGEST_LINE
from reports.read.untrusted import DEPTH_LIMIT, clean
from reports.tell.report import assemble
from reports.tests import fake_run

GOOD = [fake_run.header(), fake_run.result(), fake_run.END]
WHOLE = "".join(f"{json.dumps(line)}\n" for line in GOOD)
NO_EVIDENCE = {
    "every byte": (bytes(range(256)) * 40, "not UTF-8 text"),
    "zeros": (b"\0" * 10_000, "not JSON"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8 text"),
    "UTF-16": (WHOLE.encode("utf-16"), "not UTF-8 text"),
    "a byte order mark": (b"\xef\xbb\xbf" + WHOLE.encode(), "not JSON"),
    "compressed": (gzip.compress(WHOLE.encode(), mtime=0), "not UTF-8 text"),
    "a page": (b"<!doctype html><script>alert(1)</script>", "not JSON"),
    "one endless line": (b" " * 9 + b"[" * (LONGEST_LINE + 9), "a line of more than"),
    "white space": (b" \n\t\n" * 99, "the file is empty"),
}
ODD_LINES: dict[str, bytes] = {
    "not UTF-8": b"\xff\xfe{}",
    "zeros": b"\0\0\0\0",
    "a lone surrogate's bytes": b'{"kind": "\xed\xa0\x80"}',
    "too long": b'{"kind": "result", "message": "' + b"x" * LONGEST_LINE + b'"}',
    "half an escape": b'{"kind": "\\u12"}',
    "two values": b"{} {}",
    "deep within a figure": b'{"kind": "figure", "name": "learned", "data": ' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
    "a number of many digits": b'{"kind": "result", "cases": 1e999999999}',
}


def problems(folder: Path) -> str:
    """What was not used of a folder, after its page was drawn."""
    evidence = load([folder])
    assert all(render(evidence).values())
    assert [row.law for place in evidence.places for run in place.runs for row in run.results] == ["agreement"]
    return "\n".join(f"{notice.file}:{notice.line}: {notice.problem}" for notice in evidence.notices)


@pytest.mark.parametrize("name", NO_EVIDENCE)
def test_a_file_of_something_else_is_named(tmp_path: Path, name: str) -> None:
    """As a run and as benchmarks, beside a good run."""
    content, problem = NO_EVIDENCE[name]
    fake_run.write_run(tmp_path, GOOD, "good")
    (tmp_path / "properties-bad.jsonl").write_bytes(content)
    (tmp_path / "benchmark-bad.json").write_bytes(content + b" ")  # not a copy of the other
    found = problems(tmp_path)
    assert "properties-bad.jsonl:None: not used: " in found
    assert problem in found
    assert "benchmark-bad.json:None: not used: " in found


@pytest.mark.parametrize("name", ODD_LINES)
def test_a_line_of_something_else_is_named(tmp_path: Path, name: str) -> None:
    """Within a run: its number is kept, and the lines around it count."""
    first, *rest = (json.dumps(line).encode() for line in GOOD)
    (tmp_path / "properties-1.jsonl").write_bytes(b"\r\n".join([first, ODD_LINES[name], *rest, b""]))
    assert "properties-1.jsonl:2: line skipped: " in problems(tmp_path)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """A folder, a link to nothing, a link to itself, and a pipe that nobody writes to, which is not waited for."""
    fake_run.write_run(tmp_path, GOOD, "good")
    (tmp_path / "properties-folder.jsonl").mkdir()
    (tmp_path / "properties-nothing.jsonl").symlink_to(tmp_path / "nothing")
    (tmp_path / "benchmark-loop.json").symlink_to("benchmark-loop.json")
    os.mkfifo(tmp_path / "benchmark-pipe.json")
    found = problems(tmp_path)
    for name in ("properties-folder.jsonl", "properties-nothing.jsonl", "benchmark-loop.json", "benchmark-pipe.json"):
        assert f"{name}:None: not used: not a regular file" in found


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """Benchmarks of more bytes than any run writes, and a run that is one line without end."""
    fake_run.write_run(tmp_path, GOOD, "good")
    for name, size in (("benchmark-huge.json", LARGEST_FILE + 1), ("properties-huge.jsonl", LARGEST_FILE + 2)):
        with (tmp_path / name).open("wb") as handle:
            handle.truncate(size)  # takes no room on the disk
    found = problems(tmp_path)
    assert f"benchmark-huge.json:None: not used: larger than {LARGEST_FILE:,} bytes" in found
    assert f"properties-huge.jsonl:None: not used: a line of more than {LONGEST_LINE:,} bytes" in found


@pytest.mark.parametrize(
    "name",
    ["<img src=x onerror=alert(1)>", "a\x1b[31m", "b\u202ecod.exe", "é" * 60, "$(touch x)", os.fsdecode(b"\xff")],
)
def test_a_files_name_is_text(tmp_path: Path, name: str) -> None:
    """Markup, terminal codes, direction overrides and bytes of no text in the names of evidence and of its folder."""
    folder = tmp_path / name
    folder.mkdir()
    fake_run.write_run(folder, [*GOOD[:1], "{", *GOOD[1:]], name)
    evidence = join([tmp_path])
    texts = render(evidence)
    shown = "".join([*texts.values(), *(notice.file for notice in evidence.notices)])
    assert not {"\x1b", "\u202e"} & set(shown)
    assert shown.encode()
    assert "<img" not in texts["index.html"]
    assert "<img" not in texts["summary.md"]


def test_numbers_that_lie_are_bounded(tmp_path: Path) -> None:
    """Sums over many rows of the largest counts and times that are taken do not overflow."""
    row: dict[str, Any] = {"cases": 10**12, "comparisons": 10**12, "exact": 10**12, "bounded": 10**12, "seconds": 1e12}
    rows = [fake_run.result(f"law {i}", **row) for i in range(200)]
    fake_run.write_run(tmp_path, [fake_run.header(), *rows, fake_run.END])
    evidence = load([tmp_path])
    assert "200,000,000,000,000" in render(evidence)["index.html"]
    assert assemble(evidence)["verdict"]["counts"]["passed"] == 200


def test_keys_given_twice_and_deep_values_are_cut(tmp_path: Path) -> None:
    """Of a key that is there twice the last counts, as in any reader of JSON; nesting ends at its limit."""
    twice = json.dumps(fake_run.result(status="passed"))[:-1] + ', "status": "diverged"}'
    fake_run.write_run(tmp_path, [fake_run.header(), twice, fake_run.END])
    assert assemble(load([tmp_path]))["verdict"]["answer"] == "No"
    deep: Any = "x"
    for _ in range(500):
        deep = {"a": deep}
    fake_run.write_run(tmp_path, [fake_run.header(environment={**fake_run.ENVIRONMENT, "deep": deep}), *GOOD[1:]])
    assert render(load([tmp_path]))["results.json"].count('"a": ') < DEPTH_LIMIT
    assert clean(deep) != deep
