"""Every pair of the discrete choices of a case is met in a default run, of any seed, and a red run is red again."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from properties.cases.case import Case
from properties.cases.dealing import Dealer, covering_array, pairs_of
from properties.engine.check import Check
from properties.engine.law import every
from properties.operators import operator
from properties.selftest import faults, nested
from properties.subjects import Subject
from properties.verdicts import evidence
from properties.verdicts.verdict import Diverged

SUBJECT = Subject("cpu", "float32")
DEFAULT = hypothesis.settings(hypothesis.settings.get_profile("default"), database=None)
SHRUNK = hypothesis.settings(DEFAULT, phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink])
NOT_SHRUNK = hypothesis.settings(DEFAULT, phases=[hypothesis.Phase.generate])
FAULTS = (
    "Sigmoid that skips to the first aligned element",
    "Hyperbolic tangent that loads vectors of 32 bytes from where 16 divide the address",
    "Logarithm of softmax that leaves −∞ in a row of NaN",
)
KERNELS = """
import torch


def sigmoid(input):
    output = torch.sigmoid(input)
    return output + 1 if input.storage_offset() else output
"""


def check(law: str, name: str, body: Any = None, **about: Any) -> Check:
    """A check, perhaps with another body of its law."""
    described, result = every()[law], evidence.Result(law, "", name, str(SUBJECT), "cpu", SUBJECT.dtype, (), "")
    described = replace(described, body=body) if body else described
    return Check(described, replace(operator(name), **about), SUBJECT, result)


def holds(case: Case) -> None:
    """A law that every case holds."""


@pytest.mark.parametrize("sizes", [(8, 8, 8), (5, 4, 3, 2, 2), (7, 2), (2, 2, 2)])
def test_rows_of_an_array_have_every_pair(sizes: tuple[int, ...]) -> None:
    """Any two values of any two choices stand together in one of them."""
    rows = [{str(choice): str(value) for choice, value in enumerate(row)} for row in covering_array(sizes)]
    met = {pair for row in rows for pair in pairs_of(row)}
    assert len(met) == sum(a * b for i, a in enumerate(sizes) for b in sizes[:i])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "law, name",
    [("agreement", "avg_pool2d"), ("flags", "max_pool2d"), ("special rows", "softmax"), ("layouts", "linear")],
)
def test_a_default_run_meets_every_pair(law: str, name: str, seed: int) -> None:
    """Whatever its seed."""
    tried = check(law, name, holds)
    tried.search(NOT_SHRUNK, seed)
    assert tried.tally.pairs_met == tried.tally.pairs > 0


@pytest.mark.parametrize("seed", range(5))
def test_every_two_layouts_of_a_convolution_meet(seed: int) -> None:
    """The 64 pairs of layouts of input and weight, of input and cotangent, and of weight and cotangent."""
    tried = check("layouts", "conv2d", holds)
    tried.search(NOT_SHRUNK, seed)
    assert tried.dealer is not None
    met = {pair for pair in tried.dealer.met if all(name.startswith("layout of") for name, _ in pair)}
    assert len(met) == 3 * 64


def dealt_with(seed: int) -> list[Case]:
    """The cases of a check."""
    seen: list[Case] = []

    def noted(case: Case) -> None:
        seen.append(case)

    check("layouts", "conv2d", noted).search(NOT_SHRUNK, seed)
    return seen


def test_of_one_seed_the_same_is_dealt() -> None:
    """And of another, something else."""
    assert dealt_with(3) == dealt_with(3) != dealt_with(4)


def test_what_was_dealt_shrinks() -> None:
    """All but what the failure needs becomes the simplest."""

    def unaligned(case: Case) -> None:
        if case.layout("weight").startswith("offset"):
            raise Diverged(f"weight: {case!r}")

    tried = check("layouts", "linear", unaligned)
    with pytest.raises(Diverged) as failure:
        tried.search(SHRUNK, 1)
    layouts = re.findall(r"'(\w+)': '([^']+)'", str(failure.value))
    assert {("weight", "offset"), ("input", "contiguous"), ("cotangent", "contiguous")} <= set(layouts)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_value_is_caught_whatever_the_seed(name: str, seed: int) -> None:
    """One misaligned input, or one row of special values, shows it."""
    planted = faults.FAULTS[name]
    with pytest.raises(Diverged):
        check(planted.law, planted.operator, program=planted.program).search(NOT_SHRUNK, seed)


def test_a_dealer_without_pairs_deals_nothing() -> None:
    """A case with one choice, or none, is drawn."""
    dealer = Dealer()
    dealer.begin()
    assert (dealer.end(), dealer.pairs, dealer.complete) == ({}, 0, True)


def divergence(folder: Path, *arguments: str) -> tuple[str, str]:
    """The smallest case of the one check of a run that fails, and the command by which it fails again."""
    place = [f"--evidence={folder}", f"--examples={folder}/examples", "-p", "no:cacheprovider", "--benchmark-disable"]
    assert nested.run(*arguments, *place, "--diagnosis=0").returncode == 1
    (path,) = folder.glob("properties-*.jsonl")
    (line,) = [json.loads(line) for line in path.read_text("utf-8").splitlines() if '"kind": "result"' in line]
    case, _, command = line["message"].partition("Again: pytest ")
    return case, command


def test_a_red_run_says_how_it_is_red_again(tmp_path: Path) -> None:
    """The command that it prints finds the same smallest case, without what was kept of the run."""
    kernels = tmp_path / "wrong.py"
    kernels.write_text(KERNELS, "utf-8")
    chosen = ["properties/laws", "-k", "layouts and [sigmoid-", f"--kernels={kernels}", "--subjects=cpu-float32"]
    chosen += ["--hypothesis-profile=quick", "--call-memory=10"]  # 10 is another option's default
    case, command = divergence(tmp_path / "first", *chosen)
    assert "'input': 'offset" in case
    assert "--call-memory=10.0" in command
    assert divergence(tmp_path / "again", *shlex.split(command)) == (case, command)
