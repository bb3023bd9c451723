"""A search as a user starts it: its options, its evidence, its progress, its exit code."""

from __future__ import annotations

import ast
import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis.database import InMemoryExampleDatabase

from properties.selftest import nested
from properties.session import example_database, options, search_plugin
from properties.subjects import scripts
from properties.subjects.launchers import ROOT
from properties.verdicts import evidence


@pytest.mark.parametrize("given", ["0", "-1", "nan", "inf", "soon"])
def test_no_time_is_an_error(given: str) -> None:
    """The time budget is a number above 0."""
    with pytest.raises(ValueError, match="no number of minutes above 0"):
        options.minutes(given)


@pytest.mark.parametrize("place", ["ftp://host", "", str(ROOT / "README.md"), "redis://localhost:1/0"])
def test_no_place_for_examples(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is neither a folder nor a server, or needs a package that is not there, is refused."""
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ValueError, match=r"no such kind of address|not a folder|needs the package redis"):
        example_database.database(place)


def test_a_database_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """A server that goes away ends no search; it is said once, and then left alone for a while."""
    asked: list[bytes] = []

    class Gone(InMemoryExampleDatabase):
        def save(self, *about: bytes) -> None:
            asked.extend(about)
            raise OSError("gone")

        fetch = delete = save  # type: ignore[assignment]

    tolerant = example_database.Tolerant(Gone(), (OSError,), "redis://host")
    tolerant.save(b"key", b"value")
    assert list(tolerant.fetch(b"key")) == []
    tolerant.delete(b"key", b"value")
    assert capsys.readouterr().err.count("redis://host fails (gone)") == 1
    assert asked == [b"key", b"value"]


def test_evidence_of_a_killed_search(tmp_path: Path) -> None:
    """Rows are replaced all at once; without an end, whoever reads them knows that the run was killed."""
    writer = evidence.Writer(tmp_path, {"run": "one"})
    writer.rewrite([{"kind": "result", "cases": 1}])
    shutil.rmtree(tmp_path)
    writer.rewrite([{"kind": "result", "cases": 2}, {"kind": "result", "cases": 3}])
    (path,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line.get("cases") for line in lines] == [None, 2, 3]
    assert writer.close(0) == path
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["kind"] == "end"


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one line, drawn over itself, that adds the processes up."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    plugin = search_plugin.Plugin(SimpleNamespace(), 1.0)  # type: ignore[arg-type]
    part = {"round": 2, "turn": 3, "turns": 10, "left": 90.0, "cases": 1000, "found": 1, "interrupted": False}
    plugin.parts = {"one": part, "two": part}
    plugin.display.show(plugin._state())
    plugin.pytest_sessionfinish()
    assert "round 2, 6 of 20 pairs, 2,000 cases, 1.5 minutes left, 2 divergences" in terminal.getvalue()


def searches(folder: Path, *arguments: str) -> nested.Ended:
    """pytest as a user starts it."""
    options = [f"--evidence={folder}/evidence", *arguments, "-p", "no:cacheprovider", "--benchmark-disable"]
    return nested.run("properties/laws/test_agreement.py", *options)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--search-minutes=0"], "--search-minutes=0: no number of minutes above 0; give one, e.g. 30 or 0.5"),
        (["--search-minutes=1", "--hypothesis-seed=1"], "--hypothesis-seed=1: a search takes fresh seeds"),
        (["--search-minutes=1", "--examples=a://b:c@d"], "--examples=a://***@d: no such kind of address"),
    ],
)  # fmt: skip
def test_bad_option(arguments: list[str], message: str, tmp_path: Path) -> None:
    """One clear line, exit code 2, nothing written, no password shown."""
    finished = searches(tmp_path, *arguments)
    assert finished.returncode == 2
    assert message in finished.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("processes", [[], ["-n1"]])
def test_search(processes: list[str], tmp_path: Path, script: scripts.Run) -> None:
    """A planted fault is found in each dtype, shrunk and written down; the exit code is 1."""
    kernels = ROOT / "examples" / "subtly_wrong.py"
    options = ["--search-minutes=2", f"--kernels={kernels}", f"--examples={tmp_path}/examples", "-k", "[conv2d-"]
    finished = searches(tmp_path, "--subjects=cpu-float32,cpu-float64", "--diagnosis=0", *options, *processes)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "search: diverged: agreement conv2d subtly_wrong-cpu-float32: output[1, " in finished.stdout
    assert "test_agreement[conv2d-subtly_wrong-cpu-float64]" in finished.stdout
    assert "2 failed" in finished.stdout
    for row in found(tmp_path / "evidence"):
        assert script(tmp_path / row["repro"], 60.0).returncode == 1
    for stub in (tmp_path / "stubs").iterdir():
        assert "example=Case(shapes={'input': (2, " in stub.read_text(encoding="utf-8")
        ast.parse(stub.read_text(encoding="utf-8"))


def found(folder: Path) -> list[dict[str, Any]]:
    """The rows of a search that found a fault in two dtypes."""
    texts = [path.read_text(encoding="utf-8") for path in folder.iterdir()]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    rows = [line for line in lines if line["kind"] == "result"]
    assert {(row["dtype"], row["status"]) for row in rows} == {("float32", "diverged"), ("float64", "diverged")}
    assert {line["profile"] for line in lines if line["kind"] == "run"} == {"search"}
    return rows
