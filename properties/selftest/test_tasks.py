"""Answers to tasks of KernelBench's form: what is right passes in all three parts, what is wrong fails in its own."""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, settings

from properties.cases.case import INTEGERS, Case
from properties.engine import tasks
from properties.engine.check import Check
from properties.engine.judgement import NotRun
from properties.engine.law import every
from properties.engine.tasks import Task
from properties.selftest import nested
from properties.subjects import Subject, scripts
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged
from properties.worker import programs
from properties.worker.call import Call
from properties.worker.execute import execute

HEAD = "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
CONVOLUTION = """
class Model(nn.Module):
    def __init__(self, channels, kernels, size, stride=1, padding=0, dilation=1, groups=1, bias=True):
        super().__init__()
        self.layer = nn.Conv2d(channels, kernels, size, stride, padding, dilation, groups, bias)
    def forward(self, x):
        return self.layer(x)

batch_size, channels, kernels, size, rows, columns = 4, 3, 16, 3, 24, 24
def get_inputs():
    return [torch.rand(batch_size, channels, rows, columns)]
def get_init_inputs():
    return [channels, kernels, size]
"""
LENET = """
class Model(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.dense, self.last = nn.Linear(400, 84), nn.Linear(84, classes)
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        x = F.max_pool2d(F.relu(self.second(x)), 2)
        x = F.relu(self.dense(x.flatten(1)))
        return self.last(x)

batch_size, classes = 32, 10
def get_inputs():
    return [torch.rand(batch_size, 1, 32, 32)]
def get_init_inputs():
    return [classes]
"""
CHAIN = CONVOLUTION.replace("self.layer(x)", "F.relu(self.layer(x), inplace=True).view(len(x), -1)")
POOLED = CONVOLUTION.replace("self.layer(x)", "F.max_pool2d(F.relu(self.layer(x)), 3, 1, 1)")
NO_CHAIN = CONVOLUTION.replace("self.layer(x)", "F.gelu(self.layer(x))")
LOSS = """
class Model(nn.Module):
    def forward(self, scores, classes):
        return F.cross_entropy(scores, classes)

rows, count = 64, 10
def get_inputs():
    return [torch.rand(rows, count), torch.randint(0, count, (rows,))]
def get_init_inputs():
    return []
"""
POOLING = """
class Model(nn.Module):
    def __init__(self, size, stride=None, padding=0):
        super().__init__()
        self.layer = nn.MaxPool2d(size, stride, padding)
    def forward(self, x):
        return self.layer(x)

size, stride, padding, batch, channels, side = 3, 2, 1, 2, 8, 32
def get_inputs():
    return [torch.rand(batch, channels, side, side)]
def get_init_inputs():
    return [size, stride, padding]
"""
TRIANGULAR = """
class Model(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)

n = 48
def get_inputs():
    return [torch.tril(torch.rand(n, n)), torch.tril(torch.rand(n, n))]
def get_init_inputs():
    return []
"""
TRANSPOSED = """
class Model(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a.T, b.T)

m, k, n = 24, 40, 17
def get_inputs():
    return [torch.rand(k, m), torch.rand(n, k)]
def get_init_inputs():
    return []
"""
REDUCED = """
class Model(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
    def forward(self, x):
        return torch.max(x, dim=self.dim)[0]

batch, rows, columns, dim = 4, 33, 17, 1
def get_inputs():
    return [torch.randn(batch, rows, columns)]
def get_init_inputs():
    return [dim]
"""
LARGEST = "torch.max(x, dim=self.dim)[0]"
FROM_THE_END = REDUCED.replace(LARGEST, "torch.cumsum(x.flip(self.dim), dim=self.dim).flip(self.dim)")
MEAN = REDUCED.replace(LARGEST, "x.mean(self.dim, keepdim=True)")
TIMES = """
class Model(nn.Module):
    def forward(self, a, s):
        return a * s

m, n = 24, 33
def get_inputs():
    return [torch.rand(m, n), 3.14]
def get_init_inputs():
    return []
"""
SWISH = REDUCED.replace(LARGEST, "x * torch.sigmoid(x)")
BY_NORM = REDUCED.replace(LARGEST, "x / torch.norm(x, p=2, dim=self.dim, keepdim=True)")
BEFORE = REDUCED.replace(
    LARGEST,
    "torch.cat((torch.zeros_like(x.select(self.dim, 0).unsqueeze(self.dim)), "
    "torch.cumsum(x.narrow(dim=self.dim, start=0, length=x.size(self.dim) - 1), dim=self.dim)), dim=self.dim)",
)
ATTENTION = """
class Model(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)

heads, length, size = 2, 17, 8
def get_inputs():
    return [torch.randn(heads, length, size) for _ in range(3)]
def get_init_inputs():
    return []
"""
BY_HAND = "F.scaled_dot_product_attention(q, k, v)", "torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v"
TRAINED = CONVOLUTION.replace("nn.Conv2d(channels, kernels, size, stride, padding, dilation, groups, bias)",
                              "nn.BatchNorm2d(channels)")  # fmt: skip
HINGE = TIMES.replace("a * s", "torch.mean(torch.clamp(1 - a * s, min=0))").replace("3.14", "torch.randn(n)")
DISTANCE = LOSS.replace("F.cross_entropy(", "F.smooth_l1_loss(").replace(
    "torch.randint(0, count, (rows,))", "torch.rand(rows, count)"
)


def answered(task: str, old: str = "", new: str = "") -> str:
    """A task with its own Model as the answer, but for one replacement."""
    model = task.partition("\n\n")[0]
    assert old in model
    return f"{HEAD}{task}\n{model.replace('class Model(', 'class ModelNew(').replace(old, new)}\n"


OWN_STRIDE = "self.layer(x)", "F.conv2d(x, self.layer.weight, self.layer.bias)"
EXAMPLE = (nested.ROOT / "examples" / "answer.py").read_text(encoding="utf-8")
LENETS = "conv2d relu max_pool2d conv2d relu max_pool2d flatten linear relu linear"
VERDICTS = {
    "the example": (EXAMPLE, "max_pool2d", *["diverged"] * 3),
    "conv2d": (answered(CONVOLUTION), "conv2d", "passed", "passed", "passed"),
    "max_pool2d": (answered(POOLING), "max_pool2d", "passed", "passed", "passed"),
    "cross_entropy": (answered(LOSS), "cross_entropy", "passed", "passed", "passed"),
    "LeNet-5": (answered(LENET), LENETS, "passed", "passed", "passed"),
    "structured": (
        answered(TRIANGULAR, "torch.matmul(a, b)", "torch.tril(torch.matmul(torch.tril(a), b))"),
        "matmul", "passed", "passed", "diverged",
    ),
    "own stride alone": (
        answered(CONVOLUTION, *OWN_STRIDE),
        "conv2d", "passed", "diverged", "diverged",
    ),
    "zeros": (answered(CONVOLUTION, "self.layer(x)", "0 * self.layer(x)"), "conv2d", *["diverged"] * 3),
    "own shape alone": (
        answered(CONVOLUTION, "return", "assert x.shape[1:] == (3, 24, 24)\n        return"),
        "conv2d", "passed", "not run", "not run",
    ),
    "no backward": (
        answered(POOLING, "self.layer(x)", "self.layer(x.detach())"), "max_pool2d", "passed", "passed", "not run",
    ),
    "padded with zeros": (
        answered(POOLING, "self.layer(x)", "F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)"),
        "max_pool2d", *["diverged"] * 3,
    ),
    "no second bias": (
        answered(LENET, "self.second(x)", "F.conv2d(x, self.second.weight)"),
        LENETS, *["diverged"] * 3,
    ),
    "a chain": (answered(CHAIN), "conv2d relu reshape", "passed", "passed", "passed"),
    "a leak below zero": (
        answered(CHAIN, "F.relu(self.layer(x), inplace=True)", "F.leaky_relu(self.layer(x), 1e-6)"),
        "conv2d relu reshape", *["diverged"] * 3,
    ),
    "transposed": (answered(TRANSPOSED), "T T broadcast_matmul", "passed", "passed", "passed"),
    "one transposed": (answered(TRANSPOSED, "b.T", "b.reshape(a.shape[0], -1)"),
                       "T T broadcast_matmul", *["diverged"] * 3),
    "maximum": (answered(REDUCED), "max", "passed", "passed", "passed"),
    "maximum of sizes": (answered(REDUCED, "torch.max(x", "torch.max(x.abs()"), "max", *["diverged"] * 3),
    "distance": (answered(DISTANCE), "smooth_l1_loss", "passed", "passed", "passed"),
    "times a number": (answered(TIMES), "mul", "passed", "passed", "passed"),
    "times another": (answered(TIMES, "a * s", "a * 3"), "mul", *["diverged"] * 3),
    "mean": (answered(MEAN), "mean", "passed", "passed", "passed"),
    "from the end": (answered(FROM_THE_END), "flip cumsum flip", "passed", "passed", "passed"),
    "from the front": (answered(FROM_THE_END, ".flip(self.dim), dim", ", dim"), "flip cumsum flip", *["diverged"] * 3),
    "written out": (answered(SWISH, "x * torch.sigmoid(x)", "F.silu(x)"), "silu", "passed", "passed", "passed"),
    "nearly written out": (answered(SWISH, "d(x)", "d(1.0001 * x)"), "silu", *["diverged"] * 3),
    "by a reciprocal": (answered(BY_NORM, "x / torch", "x * 1 / torch"), "normalize", "passed", "passed", "passed"),
    "before": (answered(BEFORE), "narrow cumsum cat", "passed", "passed", "passed"),
    "attention": (answered(ATTENTION, *BY_HAND),
                  "mul mul transpose broadcast_matmul softmax broadcast_matmul", "passed", "passed", "passed"),
    "attention of one size": (answered(ATTENTION, "n(q, k, v)", "n(q, k, v, scale=8 ** -0.5)"),
                              "mul mul transpose broadcast_matmul softmax broadcast_matmul",
                              "passed", "diverged", "diverged"),
    "batch's own statistics": (answered(TRAINED), "batch_norm", "passed", "passed", "passed"),
    "hinge": (answered(HINGE), "mul add clamp mean", "passed", "passed", "passed"),
    "hinge of no slope at zero": (
        answered(HINGE, "torch.clamp(1 - a * s, min=0)", "torch.relu(1 - a * s)"),
        "mul add clamp mean", "passed", "passed", "diverged",
    ),
    "no chain": (answered(NO_CHAIN), "", "passed", "passed", "passed"),
    "weights detached": (
        answered(LENET, "F.relu(self.first(x))", "F.relu(F.conv2d(x, self.first.weight.detach(), self.first.bias))"),
        LENETS, "passed", "passed", "diverged",
    ),
}  # fmt: skip


@functools.cache
def surveyed(source: str, path: Path) -> tuple[Task, Subject]:
    """The task of a file, and the answer."""
    path.write_text(source, encoding="utf-8")
    subject = Subject("cpu", "float32", kernels=str(path))
    task = tasks.survey(str(path), subject)
    assert task is not None
    return task, subject


def status(law: str, task: Task, subject: Subject) -> str:
    """What a law comes to."""
    result = evidence.Result(law, "", task.name, str(subject), "cpu", "float32", (), "")
    check = Check(every()[law], task, subject, result)
    with evidence.collecting(result):
        try:
            check.search(settings(settings.get_profile("tests"), max_examples=8, phases=[Phase.generate]), seed=1)
        except Diverged:
            return "diverged"
        except NotRun:
            return "not run"
    return "passed"


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict_in_three_parts(name: str, tmp_path: Path) -> None:
    """Each answer is right, wrong or refused on its own shape, off it and backward, as it was made to be."""
    source, operators, *should = VERDICTS[name]
    task, subject = surveyed(source, tmp_path / "answer.py")
    assert task.own
    assert " ".join(str(call.operator) for call in task.own.by_loops) == operators
    assert [status(law, task, subject) for law in ("own shape", "other shapes", "backward")] == should


def test_small_integers_stay_exact_through_a_chain(tmp_path: Path) -> None:
    """Through all layers of LeNet-5 and back, nothing but equality will do for integers."""
    task, subject = surveyed(answered(LENET), tmp_path / "answer.py")
    case = Case(task.others[0].shapes, {"task": task.file, "changed": task.others[0].changed}, INTEGERS, seed=1)
    operands, cotangent = tasks.operands_of(task, case, subject), task.cotangent(case, subject.format)
    outputs, gradients = tasks.expected(task, case, subject, operands, cotangent)
    assert gradients.keys() == case.shapes.keys()
    assert all(expected.bound is None for expected in (*outputs.values(), *gradients.values()))
    assert outputs["output"].values.any()


def test_torchs_own_chain_passes_in_sixteen_bits(tmp_path: Path) -> None:
    """Torch sums some gradients in 16 bits; an answer that hands on to it is no worse than Model."""
    task, subject = surveyed(answered(POOLED), tmp_path / "answer.py")
    assert status("backward", task, replace(subject, dtype="bfloat16")) == "passed"


IN_SIXTEEN_BITS = {
    "max_pool2d": (answered(POOLING), "passed"),
    "conv2d": (answered(CONVOLUTION), "passed"),
    "conv_transpose2d": (
        answered(CONVOLUTION.replace("Conv2d(", "ConvTranspose2d(").replace("dilation, groups", "0, groups")),
        "passed",
    ),
    "conv2d of another stride": (answered(CONVOLUTION, *OWN_STRIDE), "diverged"),
}


@pytest.mark.parametrize("name", IN_SIXTEEN_BITS)
def test_torchs_ledger_holds_for_an_answer_in_sixteen_bits(name: str, tmp_path: Path) -> None:
    """What torch sums in 16 bits it does in an answer that hands on to it, too; what is wrong stays so."""
    source, should = IN_SIXTEEN_BITS[name]
    task, subject = surveyed(source, tmp_path / "answer.py")
    found = {status(law, task, replace(subject, dtype="bfloat16")) for law in ("other shapes", "backward")}
    assert found == {should}


WRITTEN = "self.layer(x)", "F.unfold(x, 3).mT @ self.layer.weight.flatten(1).T"


def test_who_does_the_work(tmp_path: Path) -> None:
    """An answer that calls all that Model calls shows nothing of its own; one that replaces a call does."""
    sources = {"handed": answered(CONVOLUTION), "written": answered(CONVOLUTION, *WRITTEN), "chain": answered(LENET)}
    asked = {name: surveyed(source, tmp_path / f"{name}.py") for name, source in sources.items()}
    found = {name: status("own work of an answer", *about) for name, about in asked.items()}
    assert found == {"handed": "diverged", "written": "passed", "chain": "diverged"}


def test_example_passes_the_tasks_own_check(tmp_path: Path) -> None:
    """On the inputs that the task itself makes, the example's answer is right to the bit."""
    task, subject = surveyed(EXAMPLE, tmp_path / "answer.py")
    arguments = {"task": task.file, "changed": {}}
    inputs = subject.answer(Call(programs.tasks.own_inputs, {}, {**arguments, "seed": 1}, dtype="float32"))
    operands = {name: np.asarray(seen.values) for name, seen in inputs.outputs.items()}
    call = Call(programs.tasks.answer, operands, arguments, dtype="float32")
    outcomes = (execute(replace(call, kernels=kernels)) for kernels in (subject.kernels, None))
    ours, torchs = (outcome.outputs["output"].values for outcome in outcomes)
    assert np.array_equal(np.asarray(ours), np.asarray(torchs))


def test_shapes_are_drawn_around_the_task(tmp_path: Path) -> None:
    """Numbers of the file and defaults of the constructor change, all together where they must."""
    task, _ = surveyed(answered(CONVOLUTION), tmp_path / "answer.py")
    assert task.own
    assert task.own.shapes["input 0"] == (4, 3, 24, 24)
    changed = {name for shaped in task.others for name in shaped.changed}
    assert changed >= {"batch_size", "channels", "kernels", "size", "rows", "columns", "Model.stride", "Model.padding"}
    assert len(task.others) >= 16


def test_large_shapes_are_cut_down(tmp_path: Path) -> None:
    """What cannot be held here loses images first, and then the longest axes."""
    large = CONVOLUTION.replace("4, 3, 16, 3, 24, 24", "64, 3, 16, 3, 4096, 512")
    task, _ = surveyed(answered(large), tmp_path / "answer.py")
    assert task.held
    assert task.held.shapes["input 0"] == (1, 3, 2048, 512)


def hold(folder: Path, source: str, *arguments: str) -> nested.Ended:
    """``pytest properties/laws --kernels`` as a user's first answer is held."""
    path = folder / "answer.py"
    path.write_text(source, encoding="utf-8")
    options = [f"--evidence={folder}/evidence", "--hypothesis-profile=quick", "-p", "no:cacheprovider"]
    return nested.run("properties/laws", f"--kernels={path}", *options, *arguments)


def test_verdict_is_told(tmp_path: Path, script: scripts.Run) -> None:
    """The terminal says what the answer is held to, and in three parts what it is worth."""
    finished = hold(tmp_path, answered(CONVOLUTION, *OWN_STRIDE), *nested.UNSHRUNK, "--hypothesis-seed=1")
    assert finished.returncode == 1, finished.stdout
    told = finished.stdout
    assert "answer.py: Model(3, 16, 3) of 4 × 3 × 24 × 24; held to the loops of conv2d\n" in told
    assert "  on its own shape: right\n  off it: silently wrong: output" in told
    assert "  backward: wrong: output has shape" in told
    assert "  its own work: none: hands on to torch.nn.functional.conv2d: nothing of it is the answer's own" in told
    (written,) = (tmp_path / "repro").glob("other*.py")
    wrong = script(written, 60.0)
    (tmp_path / "answer.py").write_text(answered(CONVOLUTION), encoding="utf-8")
    right = script(written, 60.0)
    assert wrong.stdout
    assert right.stdout
    assert (wrong.returncode, right.returncode) == (1, 0)


BAD = {
    "no task": (HEAD + "class ModelNew(nn.Module): ...", "it has ModelNew, but no Model, get_inputs, get_init_inputs;"),
    "Model": (answered(CONVOLUTION.replace("super().__init__()", "1 / 0")), "its Model cannot be tried: ZeroDivision"),
    "ModelNew": (answered(CONVOLUTION, "super().__init__()", "1 / 0"), "its ModelNew cannot be built: ZeroDivision"),
    "weights": (answered(CONVOLUTION, "(channels, kernels, size", "(channels, kernels, 1"), "weights do not match: "),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_task(name: str, tmp_path: Path) -> None:
    """The error says of what cannot be held why, in one line."""
    source, why = BAD[name]
    with pytest.raises(ValueError, match=re.escape(why)):
        surveyed(source, tmp_path / "answer.py")


@pytest.mark.parametrize(
    "source, why, arguments",
    [
        (BAD["weights"][0], BAD["weights"][1], []),
        ("while True:\n    pass\n", "Hung: no answer", ["--call-timeout=0.1"]),
    ],
    ids=["weights", "hangs"],
)
def test_nothing_runs_on_a_bad_task(source: str, why: str, arguments: list[str], tmp_path: Path) -> None:
    """What cannot be held ends the run before it starts: one line that says why, and exit code 2."""
    finished = hold(tmp_path, source, *arguments)
    assert finished.returncode == 2, finished.stdout
    assert f"--kernels={tmp_path / 'answer.py'}: {why}" in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout
