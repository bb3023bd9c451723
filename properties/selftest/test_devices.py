"""Devices outside torch's tree, rehearsed with one that is written in Python; and what is asked of torch.cuda."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from properties.selftest import nested
from properties.subjects import Subject, devices, select
from properties.subjects.launchers import ROOT
from properties.subjects.workers import Workers
from properties.worker import execute, programs
from properties.worker.call import Call

MODULE = "properties.selftest.python_device"
GIVEN = ("--device=notebook", f"--device-import={MODULE}")
SIGMOID = Call(programs.activation.sigmoid, {"input": np.ones((2, 2))}, device="notebook", imports=(MODULE,))


def run(folder: Path, *arguments: str) -> nested.Ended:
    """``pytest properties`` with few cases, its evidence below a folder."""
    options = [f"--evidence={folder}/evidence", "--hypothesis-profile=tests", "-p", "no:cacheprovider"]
    return nested.run("properties/laws/test_gradients.py", *options, *arguments)


def test_a_device_is_held(tmp_path: Path) -> None:
    """What it computes right passes, what it does not is caught; rows, header and script name the device. What it
    refuses always is one finding, and no other law asks for it."""
    chosen = [
        "--subjects=notebook-float32",
        "-k",
        "test_domain[conv2d- or test_gradients[conv2d- or test_gradients[tanh-",
        "properties/laws/test_domain.py",
    ]
    finished = run(tmp_path, *GIVEN, *chosen, *nested.UNSHRUNK)
    assert finished.returncode == 1, finished.stdout
    (path,) = (tmp_path / "evidence").glob("properties-*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    seen = {line["operator"]: line for line in lines if line.get("law") == "gradients"}
    assert {name: line["status"] for name, line in seen.items()} == {"conv2d": "passed", "tanh": "diverged"}
    assert "refuses dilation > 1 (RuntimeError: no dilation here), which torch takes" in finished.stdout
    assert "conv2d: right where it answers: dilation 1, float32" in finished.stdout
    assert {(line["subject"], line["device"]) for line in seen.values()} == {("notebook-float32", "notebook")}
    there = {device["name"]: device["description"] for device in lines[0]["environment"]["devices"]}
    assert there["notebook"] == f"notebook of {MODULE}"
    script = [sys.executable, tmp_path / seen["tanh"]["repro"]]
    shown = subprocess.run(
        script, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (shown.returncode, shown.stdout[:3]) == (1, "is\n"), shown.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--device=paper", GIVEN[1]], "--device=paper: RuntimeError: Expected one of cpu, cuda"),
        (["--device=notebook"], "--device=notebook: name the module that makes it known to torch with --device-import"),
        (["--device=cuda", GIVEN[1]], "--device=cuda: torch has this one itself; choose it with --subjects"),
        (["--device=notebook", "--device-import=no.such"], "--device-import=no.such: no such module; give one, or a"),
        ([*GIVEN, "--subjects=cpu"], "--subjects=cpu: 'cpu' is no subject; known here: notebook, notebook-float64"),
    ],
)
def test_a_device_that_is_not_there(arguments: list[str], message: str, tmp_path: Path) -> None:
    """One line names the option, the value and what would do, and nothing is written."""
    finished = run(tmp_path, *arguments)
    assert finished.returncode == 2, finished.stdout
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
    assert not (tmp_path / "evidence").exists()


def test_only_workers_touch_a_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its module is imported anew in each worker, never in the process that they are forked from: drivers do not
    survive a fork."""
    monkeypatch.setenv("CONVPROOF_PYTHON_DEVICE", str(tmp_path / "imported"))
    workers, forked = Workers(), []
    for _ in range(2):
        outcome = workers.run(SIGMOID)
        assert outcome.error is None
        assert outcome.outputs["output"].device == "notebook"
        assert workers._worker
        forked.append(workers._worker[0])
        os.kill(forked[-1], signal.SIGKILL)
        assert workers.run(SIGMOID).error == "NativeCrash: SIGKILL"
    workers.close()
    assert [int(line) for line in (tmp_path / "imported").read_text(encoding="utf-8").split()] == forked


def test_the_subjects_of_a_device() -> None:
    """Floating dtypes in eager mode; with a backend, what is compiled; with kernels, their name comes first."""
    assert [str(s) for s in select(None, device="paper")] == [
        f"paper-{d}" for d in ("float64", "float32", "bfloat16", "float16")
    ]
    compiled = select(None, device="paper", backend="mine")
    assert [str(s) for s in compiled] == ["mine-compiled-paper-float32", "mine-dynamic-paper-float32"]
    assert str(select("paper-float32", kernels="a.py", device="paper")[0]) == "a-paper-float32"
    assert compiled[0].torchs == Subject("cpu", "float32")


def test_a_device_is_asked_by_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name and whether it is done are its module's to say; the CPU's module is asked neither."""
    asked: list[str] = []
    module = SimpleNamespace(synchronize=lambda: asked.append("synchronize"), get_device_name=lambda: "A notebook")
    monkeypatch.setattr(torch, "get_device_module", {"notebook": module, "plain": SimpleNamespace()}.__getitem__)
    for name in ("cpu", "notebook"):
        devices.synchronize(name)
    assert asked == ["synchronize"]
    assert [devices.describe(name) for name in ("notebook", "plain")] == ["A notebook", "plain"]


@pytest.mark.parametrize("dtype", ["float32", "tf32"])
@pytest.mark.parametrize("before", [False, True])
def test_tf32_is_a_dtype_of_its_own(dtype: str, before: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of torch.cuda's switches are as the dtype says during a call, whatever they were, and then as before."""
    switches = SimpleNamespace(allow_tf32=before), SimpleNamespace(allow_tf32=before)
    monkeypatch.setattr(torch.backends.cuda, "matmul", switches[0])
    monkeypatch.setattr(torch.backends, "cudnn", switches[1])
    with execute._set(Call(programs.dense.linear, {}, device="cuda", dtype=dtype)):
        assert {switch.allow_tf32 for switch in switches} == {dtype == "tf32"}
    assert {switch.allow_tf32 for switch in switches} == {before}


def test_what_is_inferred_is_no_run_on_cuda(tmp_path: Path) -> None:
    """Shapes are inferred as CUDA's dispatch gives them; rows and names say so, and cuda itself stays absent."""
    place = Subject("cuda", "float32", "fake")
    assert (str(place), place.place, place.absence) == ("fake-cuda-float32", "fake-cuda", None)
    assert [str(subject) for subject in select("fake-cuda")] == ["fake-cuda-float32"]
    operands = {"input": np.ones((2, 3, 5, 5)), "weight": np.ones((4, 3, 2, 2))}
    outcome = place.run(programs.convolution.conv2d, operands, {"stride": (2, 1)})
    seen = outcome.outputs["output"]
    assert (seen.values, seen.shape, seen.dtype, seen.device) == (None, (2, 4, 2, 4), "float32", "cuda")
    assert seen.strides == (32, 8, 4, 1)
    finished = run(tmp_path, "properties/laws/test_agreement.py", "--subjects=fake-cuda", "-k", "[conv2d-")
    assert finished.returncode == 0, finished.stdout
    (path,) = (tmp_path / "evidence").glob("properties-*.jsonl")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = {line["operator"]: (line["status"], line["device"]) for line in lines if line["kind"] == "result"}
    assert rows == {"conv2d": ("passed", "fake-cuda")}
