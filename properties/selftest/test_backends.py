"""Backends of torch.compile: what is right passes, what is wrong is caught, and the ledger keeps them apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from properties.ledger.known import LEDGER, known
from properties.operators import operator
from properties.selftest import nested
from properties.subjects import TRACING, Subject, scripts, select
from properties.worker.call import INDUCTOR

COMPILED = Subject("cpu", "float32", "compiled")
BACKEND = """
import torch
from torch._dynamo import register_backend

def wrong_at_tanh(graph, examples):
    for node in graph.graph.nodes:
        if node.target in (torch.tanh, torch.nn.functional.tanh) or node.target == "tanh":
            node.op, node.target = "call_function", torch.sigmoid
    graph.recompile()
    return graph.forward

register_backend(compiler_fn=wrong_at_tanh, name="mine")
"""


BROKEN = """
from torch._dynamo import register_backend

def broken(graph, examples):
    raise IndexError("list index out of range")

register_backend(compiler_fn=broken, name="broken")
"""


def run(folder: Path, *arguments: str) -> nested.Ended:
    """``pytest properties`` with few cases, its evidence below a folder."""
    options = [f"--evidence={folder}/evidence", "--hypothesis-profile=tests", "-p", "no:cacheprovider"]
    return nested.run("properties/laws/test_agreement.py", *options, *arguments)


def test_a_backend_is_held(tmp_path: Path, script: scripts.Run) -> None:
    """One that a file registers passes where it is right, and is caught where it is not; a script shows it alone."""
    (tmp_path / "mine.py").write_text(BACKEND, encoding="utf-8")
    given = ["--compile-backend=mine", f"--import={tmp_path}/mine.py", "--subjects=compiled-cpu-float32"]
    finished = run(tmp_path, *given, "-k", "[sigmoid- or [tanh-", *nested.UNSHRUNK)
    assert finished.returncode == 1, finished.stdout
    (path,) = (tmp_path / "evidence").glob("properties-*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    seen = {line["operator"]: line for line in lines if line["kind"] == "result"}
    assert {name: line["status"] for name, line in seen.items()} == {"sigmoid": "passed", "tanh": "diverged"}
    assert {line["subject"] for line in seen.values()} == {"mine-compiled-cpu-float32"}
    assert "--compile-backend=mine" in finished.stdout
    shown = script(tmp_path / seen["tanh"]["repro"], 60.0)
    assert (shown.returncode, shown.stdout[:3]) == (1, "is\n"), shown.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["--compile-backend=inducter"],
            "--compile-backend=inducter: torch.compile has no such backend; there are aot",
        ),
        (["--compile-backend=mine", "--import=mine"], "--import=mine: no such module; give one, or a file that"),
        (["--compile-backend=mine", "--import=no.py"], "--import=no.py: no such file; give a Python file or the"),
        (
            ["--compile-backend=eager", "--kernels=examples/im2col.py"],
            "--compile-backend=eager: kernels are called as they are;",
        ),
    ],
)
def test_a_backend_that_is_not_there(arguments: list[str], message: str, tmp_path: Path) -> None:
    """One line names the option, the value and what would do, and nothing is written."""
    finished = run(tmp_path, *arguments)
    assert finished.returncode == 2, finished.stdout
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
    assert not (tmp_path / "evidence").exists()


def test_a_module_that_cannot_be_imported(tmp_path: Path) -> None:
    """What Python says of it is in the one line, too."""
    (tmp_path / "mine.py").write_text("import no_such_module", encoding="utf-8")
    finished = run(tmp_path, "--compile-backend=mine", f"--import={tmp_path}/mine.py")
    assert finished.returncode == 2, finished.stdout
    assert "mine.py: cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'; give" in finished.stderr


def test_a_backend_that_compiles_nothing(tmp_path: Path) -> None:
    """It ends the run before the first law, with what it raises, once."""
    (tmp_path / "broken.py").write_text(BROKEN, encoding="utf-8")
    finished = run(tmp_path, "--compile-backend=broken", f"--import={tmp_path}/broken.py")
    assert finished.returncode == 2, finished.stdout
    assert "--compile-backend=broken: compiles nothing that runs (sigmoid, matmul, conv2d: " in finished.stderr
    assert finished.stderr.count("IndexError: list index out of range") == 1
    assert "Traceback" not in finished.stderr + finished.stdout


def test_what_a_backend_is_selected_from() -> None:
    """It takes the place of inductor on the subjects that are compiled; no other is left."""
    chosen = select("cpu", backend="mine", imports=("brings_it",))
    assert [str(subject) for subject in chosen] == ["mine-compiled-cpu-float32", "mine-dynamic-cpu-float32"]
    assert {subject.imports for subject in chosen} == {("brings_it",)}
    assert str(replace(chosen[0], mode="eager")) == "cpu-float32"


@pytest.mark.parametrize("backend", [INDUCTOR, "aot_eager", "mine"])
def test_the_ledger_keeps_backends_apart(backend: str) -> None:
    """Inductor's defects are no other backend's; those of torch's kernels are of each that calls these."""
    subject, average = replace(COMPILED, backend=backend), operator("avg_pool2d")
    example = next(entry for entry in LEDGER if entry.id == "compiled-avg-pool-gradient-in-ceil-mode").example
    assert (known("gradients", average, subject, example) is None) == (backend != INDUCTOR)
    of_kernels = any(entry.shows(subject) for entry in LEDGER if "eager" in entry.modes)
    assert of_kernels == (backend in (INDUCTOR, *TRACING))
