"""The examples that hold other libraries, where these are installed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from examples import answers
from properties.cases.case import Case
from properties.engine.domain import drawn
from properties.engine.law import every
from properties.engine.trial import Engine, Engines, Trial
from properties.operators import features, operator
from properties.selftest import nested
from properties.subjects import Subject
from properties.subjects.workers import Workers
from properties.verdicts.verdict import Diverged

SMALL = 12
"""Elements of a window for which the interpreter does not take seconds."""


@pytest.mark.parametrize(
    "example, library, law", [("onnx_runtime", "onnxruntime", "agreement"), ("by_jax", "jax", "gradients")]
)
def test_another_library_is_held(example: str, library: str, law: str, tmp_path: Path) -> None:
    """Its convolution is right in float32, and what it does not take is declined."""
    if find_spec(library) is None:
        pytest.skip(f"not run ({library} is not installed)")
    given = [f"--kernels=examples/{example}.py", "--subjects=cpu-float32", f"--evidence={tmp_path}"]
    chosen = ["-k", f"test_{law}[conv2d-", "--hypothesis-profile=tests", "-p", "no:cacheprovider"]
    finished = nested.run(f"properties/laws/test_{law}.py", *given, *chosen)
    assert finished.returncode == 0, finished.stdout
    (path,) = tmp_path.glob("properties-*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    (held,) = (line for line in lines if line["kind"] == "result")
    assert (held["status"], held["subject"]) == ("passed", f"{example}-cpu-float32")
    assert held["cases"] > 0
    assert "input without a batch" in held["reason"]


def test_answers_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is wrong off the task's own shape, and one without ModelNew."""
    monkeypatch.setattr("subprocess.run", lambda command, **_: nested.run(*command[3:]))  # after python -m pytest
    task = (nested.ROOT / "examples" / "answer.py").read_text(encoding="utf-8")
    for folder, other in (("tasks", task), ("answers", "x = 1\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pool.py").write_text(task, encoding="utf-8")
        (tmp_path / folder / "nothing.py").write_text(other, encoding="utf-8")
    about = ["-k", "other_shapes", "--subjects=cpu-float32", *nested.UNSHRUNK]
    assert answers.main([str(tmp_path / "tasks"), str(tmp_path / "answers"), *about]) == 0
    nothing, pool, counts = capsys.readouterr().out.splitlines()
    assert nothing.startswith("nothing: not run; ")
    assert pool.startswith("pool: wrong; other shapes: output[")
    assert sorted(counts.split(", ")) == ["1 not run", "1 wrong"]


@pytest.fixture
def by_triton() -> Iterator[Callable[[str, str, Case], None]]:
    """Holds a law on max pooling by an example of Triton's, in a worker, where the interpreter runs it."""
    if find_spec("triton") is None:
        pytest.skip("not run (triton is not installed)")
    workers = Workers(timeout=60.0)

    def hold(law: str, example: str, case: Case) -> None:
        subject = Subject("cpu", "float32", kernels=str(nested.ROOT / f"examples/triton_{example}.py"))
        about = Trial.of(subject, Engines({"": Engine(workers.run, workers.renew)}))
        every()[law].body(features.without(operator("max_pool2d"), ["indices"]), about, case)

    yield hold
    workers.close()


@pytest.mark.parametrize("law", ["agreement", "gradients"])
def test_right_triton_kernels(law: str, by_triton: Callable[[str, str, Case], None]) -> None:
    """Masks, padding, dilation, ceil mode and several blocks are right."""
    cases = [case for case in drawn(operator("max_pool2d")) if math.prod(case.arguments["kernel_size"]) <= SMALL]
    for case in cases[:8]:
        by_triton(law, "max_pool", case)


def test_wrong_mask(by_triton: Callable[[str, str, Case], None]) -> None:
    """Without a mask in full blocks, what reaches past the edge is wrong there, and there only."""
    for columns, padding in ((5, 1), (7, 1), (4, 0)):
        by_triton("agreement", "wrong_mask", by_threes(columns, padding))
    with pytest.raises(Diverged, match=r"^output\["):
        by_triton("agreement", "wrong_mask", by_threes(4, 1))


def by_threes(columns: int, padding: int) -> Case:
    """Rows with windows of three, of which the last reaches past the edge if there is padding."""
    about = {"kernel_size": (1, 3), "stride": (1, 1), "padding": (0, padding), "dilation": (1, 1), "ceil_mode": False}
    return Case({"input": (1, 2, 3, columns)}, about, fill="normal")
