"""Your own kernels: what is right passes, what is wrong is caught and shown, and nothing takes the run down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest

from properties.cases.case import Case
from properties.engine.check import Check
from properties.engine.law import Law, every
from properties.ledger.examples import convolution
from properties.ledger.known import known
from properties.operators import operator
from properties.selftest import hostile, nested
from properties.subjects import Subject, scripts
from properties.subjects.launchers import ROOT, Launcher
from properties.subjects.workers import Workers
from properties.verdicts import evidence
from properties.verdicts.expected import exactly
from properties.verdicts.verdict import Diverged, verdict
from properties.worker import programs
from properties.worker.call import Call

IM2COL, WRONG = ROOT / "examples" / "im2col.py", ROOT / "examples" / "subtly_wrong.py"
HOSTILE = ROOT / "properties" / "selftest" / "hostile_kernels.py"


def hold(kernels: Path | str, folder: Path, *arguments: str, laws: str = "") -> nested.Ended:
    """``pytest properties/laws --kernels``, or a file of it, with few cases, its evidence below a folder."""
    options = [f"--evidence={folder}/evidence", "--hypothesis-profile=tests", "-p", "no:cacheprovider"]
    return nested.run(f"properties/laws/{laws}", f"--kernels={kernels}", *options, *arguments)


def results(folder: Path) -> list[dict[str, Any]]:
    """The results that a run wrote down."""
    (path,) = (folder / "evidence").glob("properties-*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["kind"] == "end", "the run did not come to its end"
    return [line for line in lines if line["kind"] == "result"]


def test_right_kernel_passes(tmp_path: Path) -> None:
    """The right convolution holds every law; what it does not define is not held, and that is said."""
    chosen = "([conv2d- or [linear- or [flatten- or LeNet) and (float32 or agreement or test_gradients[)"
    finished = hold(IM2COL, tmp_path, "--subjects=cpu-float32,cpu-float16", "-k", chosen)
    assert finished.returncode == 0, finished.stdout
    seen = results(tmp_path)
    assert all(line["subject"].startswith("im2col-cpu-") for line in seen)
    held = [line for line in seen if line["operator"] == "conv2d" and line["status"] != "passed"]
    idle = ("transpose = input gradient", "huge arguments")  # for many of which there is not the memory
    assert {(line["law"], line["status"]) for line in held} <= {(law, "not run") for law in idle}
    laws = {line["law"] for line in seen if line["operator"] == "conv2d"}
    assert {"agreement", "gradients", "gradients of gradients", "layouts", "1×1 = matmul"} <= laws
    others = {(line["operator"], line["status"]) for line in seen if line["operator"] != "conv2d"}
    assert {operator for operator, _ in others}.isdisjoint({"linear", "flatten"})
    assert {status for _, status in others} <= {"not run"}
    assert "im2col has a part in conv2d, conv2d_padded" in finished.stdout


@pytest.mark.parametrize("name", ["conv2d", "conv2d_padded"])
@pytest.mark.parametrize("law", ["agreement", "gradients", "layouts"])
def test_right_kernel_passes_whatever_the_seed(law: str, name: str) -> None:
    """A right kernel is green under several seeds, in bfloat16, where what is around it is rounded."""
    subject = Subject("cpu", "bfloat16", kernels=str(IM2COL))
    described = replace(every()[law], every_pair=Law.every_pair)  # to meet every pair takes as long again
    for seed in range(4):
        result = evidence.Result(law, "", name, str(subject), "cpu", "bfloat16", (), "")
        check = Check(described, operator(name), subject, result)
        with evidence.collecting(result):
            check.search(hypothesis.settings(max_examples=25, database=None), seed)
        assert check.tally.bounded > 0


def test_wrong_kernel_is_caught(tmp_path: Path, script: scripts.Run) -> None:
    """The subtly wrong convolution is caught, shrunk to two images, and a script shows it on its own."""
    chosen = ["--subjects=cpu-float32", "-k", "[conv2d-", "--diagnosis=0"]
    finished = hold(WRONG, tmp_path, *chosen, laws="test_agreement.py")
    assert finished.returncode == 1, finished.stdout
    (line,) = results(tmp_path)
    assert line["status"] == "diverged"
    assert "but should be" in line["message"]
    assert "'input': (2, " in line["message"]
    assert line["message"].splitlines()[0] in finished.stdout
    shown = script(tmp_path / line["repro"], 60.0)
    assert shown.returncode == 1
    assert shown.stdout.startswith("is\n")


VERDICTS = {
    "conv1d": ("diverged", "raised Exited: the process ended itself with status 3"),
    "conv2d": ("diverged", "raised SystemExit: 3"),
    "conv3d": ("diverged", "raised NativeCrash: SIGSEGV"),
    "linear": ("passed", None),
    "sigmoid": ("diverged", "changed its operands in place: input"),
    "softmax": ("diverged", "its output shares memory with: input"),
    "log_softmax": ("diverged", "output has dtype float64, but should have float32"),
    "cross_entropy": ("diverged", "raised TypeError: output is no tensor, but of type NoneType"),
    "avg_pool1d": ("diverged", "raised KeyboardInterrupt"),
    "avg_pool2d": ("not run", "no avg_pool2d yet"),
    "avg_pool3d": ("diverged", "raised TypeError: output is no tensor, but of type str"),
    "max_pool1d": ("diverged", "raised OutOfMemory"),
    "max_pool2d": ("diverged", "indices is missing; there are: output"),
}


def test_hostile_kernels(tmp_path: Path) -> None:
    """Kernels that exit, crash, print, overwrite or return nonsense each get their verdict, and the run ends."""
    chosen = " or ".join(f"[{name}-" for name in VERDICTS)
    about = ["--subjects=cpu-float32", "-k", chosen, *nested.UNSHRUNK]
    finished = hold(HOSTILE, tmp_path, *about, laws="test_agreement.py")
    assert finished.returncode == 1, finished.stdout
    seen = {line["operator"]: line for line in results(tmp_path)}
    for name, (status, why) in VERDICTS.items():
        assert seen[name]["status"] == status, seen[name]
        assert why is None or (seen[name]["message"] or seen[name]["reason"]).startswith(why), seen[name]
    assert "x" * 100 not in finished.stdout


UNLOADABLE = {
    "raises": ("1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
    "syntax": ("def conv2d(:", "cannot be loaded: SyntaxError: invalid syntax (syntax.py, line 1)"),
    "asks": ("import sys; sys.exit(3)", "cannot be loaded: SystemExit: 3"),
    "needs": ("import no_such_module", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
    "empty": ("import torch", "defines no function of torch.nn.functional's, no layer of torch.nn's and no ModelNew"),
}


@pytest.fixture(scope="module")
def workers(launcher: Launcher) -> Iterator[Workers]:
    """Workers for all tests here."""
    pool = Workers(launcher)
    yield pool
    pool.renew()


@pytest.mark.parametrize("name", UNLOADABLE)
def test_what_cannot_be_loaded_is_named(name: str, workers: Workers, tmp_path: Path) -> None:
    """The error names the file, and what Python said."""
    source, why = UNLOADABLE[name]
    path = tmp_path / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    outcome = workers.run(Call(programs.activation.sigmoid, {"input": np.ones(2)}, kernels=str(path)))
    assert outcome.error == f"ImportError: {path} {why}"


def test_module_that_uses_its_own_name(workers: Workers, tmp_path: Path) -> None:
    """A file may define dataclasses, which look their module up, and may be called like a module that exists."""
    path = tmp_path / "json.py"
    path.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nimport json\nimport torch\n"
        "@dataclass\nclass Grid:\n    size: int\n"
        "def sigmoid(input):\n    assert json.dumps([Grid(2).size]) == '[2]'\n    return torch.sigmoid(input)\n",
        encoding="utf-8",
    )
    assert workers.run(Call(programs.activation.sigmoid, {"input": np.ones(2)}, kernels=str(path))).error is None


def outcome_of(source: str, call: Call, workers: Workers, folder: Path) -> str | None:
    """The error of a call on kernels of that source."""
    path = folder / "mine.py"
    path.write_text(source, encoding="utf-8")
    return workers.run(replace(call, kernels=str(path))).error


SIGMOID = Call(programs.activation.sigmoid, {"input": np.ones(2)})


@pytest.fixture
def impatient(launcher: Launcher) -> Iterator[Workers]:
    """Workers in which a call may compute for half a second."""
    pool = Workers(launcher, timeout=0.5)
    yield pool
    pool.renew()


def test_first_call_of_a_kernel_gets_no_allowance(impatient: Workers, tmp_path: Path) -> None:
    """A kernel that hangs in a worker's first call is given up after the time of a call, not of a start."""
    error = outcome_of("def sigmoid(input):\n    while True:\n        pass\n", SIGMOID, impatient, tmp_path)
    assert error == "Hung: no answer after 0.5 s of computing"


def test_loading_gets_an_allowance(impatient: Workers, tmp_path: Path) -> None:
    """A file that takes longer to load than a call may take, as one that compiles does, is no kernel that hangs."""
    source = (
        "import time, torch\nbegan = time.process_time()\nwhile time.process_time() < began + 1.5: pass\n"
        "def sigmoid(input):\n    return torch.sigmoid(input)\n"
    )
    assert outcome_of(source, SIGMOID, impatient, tmp_path) is None


def test_what_no_call_could_use_is_undefined(workers: Workers, tmp_path: Path) -> None:
    """A file that defines nothing of a program is undefined for every call; else the calls that need more decline."""
    source = "def tanh(input):\n    return input.tanh()\n"
    assert outcome_of(source, SIGMOID, workers, tmp_path) == "Undefined: mine defines no sigmoid"
    either = Call(hostile.sigmoid_of_vectors, {"input": np.ones(2)})
    assert outcome_of(source, either, workers, tmp_path) == "NotImplementedError: mine defines no sigmoid"
    assert outcome_of(source, replace(either, operands={"input": np.ones((1, 2))}), workers, tmp_path) is None


def test_what_is_imported_from_torch_is_undefined(workers: Workers, tmp_path: Path) -> None:
    """A function of torch's own that a file imports is held as torch's, with what the ledger knows of it."""
    source = "from torch.nn.functional import sigmoid\n"
    assert outcome_of(source, SIGMOID, workers, tmp_path) == "Undefined: mine defines no sigmoid"


def test_named_operators_that_a_file_does_not_serve(tmp_path: Path) -> None:
    """Nothing could be held: one line, exit code 2."""
    finished = hold(IM2COL, tmp_path, "--operators=linear,flatten", laws="test_agreement.py")
    assert finished.returncode == 2, finished.stdout
    assert f"--operators=linear,flatten: --kernels={IM2COL} has a part in none of them; name others" in finished.stderr


def test_a_kernel_that_hands_on_to_torch(tmp_path: Path) -> None:
    """What torch's own function gets wrong too is said to be torch's, with the ledger's entry."""
    path = tmp_path / "mine.py"
    handing_on = (
        "import torch\n\ndef avg_pool2d(input, **given):\n    return torch.nn.functional.avg_pool2d(input, **given)\n"
    )
    path.write_text(handing_on, encoding="utf-8")
    finished = hold(
        path, tmp_path, "--subjects=cpu-bfloat16", "-k", "test_gradients and [avg_pool2d-", *nested.UNSHRUNK,
        "--hypothesis-profile=default", "--hypothesis-seed=1", laws="test_gradients.py",
    )  # fmt: skip
    assert finished.returncode == 1, finished.stdout
    (line,) = [line for line in results(tmp_path) if line["law"] == "gradients"]
    assert "torch's own function does this too (in the ledger: avg-pool" in line["message"]


def test_padding_around_a_kernel_is_torchs(tmp_path: Path) -> None:
    """The gradient of torch's own padding is summed in 16 bits, which the ledger knows, whoever convolves after it."""
    chosen = ["--subjects=cpu-bfloat16", "-k", "test_gradients and [conv2d_padded-"]
    finished = hold(IM2COL, tmp_path, *chosen, laws="test_gradients.py")
    assert finished.returncode == 0, finished.stdout
    (line,) = [line for line in results(tmp_path) if line["law"] == "gradients"]
    assert line["status"] in ("passed", "known")
    layer = convolution((3, 1, 7, 3), (2, 1, 1, 1), stride=(2, 2), padding=(1, 1), padding_mode="reflect")
    case = Case(*layer, "wide", seed=51)
    entry = known("gradients", operator("conv2d_padded"), Subject("cpu", "bfloat16", kernels=str(IM2COL)), case)
    assert entry is not None
    assert entry.id == "padded-convolution-gradient-summed-in-storage"


def test_wrong_device(workers: Workers, tmp_path: Path) -> None:
    """A result on another device, even one without values, is a divergence."""
    path = tmp_path / "mine.py"
    path.write_text("def sigmoid(input):\n    return input.sigmoid().to('meta')\n", encoding="utf-8")
    outcome = workers.run(replace(SIGMOID, kernels=str(path), dtype="float32"))
    with pytest.raises(Diverged, match="output has device meta, but should have cpu"):
        verdict(outcome, exactly(np.full(2, 0.5)), Subject("cpu", "float32"))


@pytest.mark.parametrize(
    "source, why",
    [
        (UNLOADABLE["syntax"][0], "cannot be loaded: SyntaxError: invalid syntax (kernels.py, line 1)"),
        ("import os; os._exit(3)", "Exited: the process ended itself with status 3"),
        (None, "no such file"),
    ],
)
def test_nothing_runs_without_kernels(source: str | None, why: str, tmp_path: Path) -> None:
    """What cannot be loaded ends the run before it starts: one line, exit code 2, nothing written."""
    path = tmp_path / "kernels.py"
    if source:
        path.write_text(source, encoding="utf-8")
    finished = hold(path, tmp_path, "--subjects=cpu")
    assert finished.returncode == 2, finished.stdout
    assert f"--kernels={path}: {why}; give " in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
    assert not (tmp_path / "evidence").exists()
