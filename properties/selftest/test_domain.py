"""What kernels do not take: found out, told once, and not asked for again."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from properties.cases.case import Case
from properties.engine.check import Check
from properties.engine.domain import Domain, Domains, drawn
from properties.engine.judgement import NotRun
from properties.engine.law import Law, every
from properties.engine.trial import HERE, Engines
from properties.ledger.known import known
from properties.operators import Operator, features, operator
from properties.selftest.test_kernels import IM2COL, hold, results
from properties.subjects import Subject
from properties.subjects.launchers import ROOT
from properties.verdicts.evidence import Result
from properties.verdicts.verdict import Diverged, verdict

REFUSING = Path(__file__).parent / "refusing_kernels.py"
REFUSED = {
    "conv1d": ["dilation", "groups", "unbatched"],
    "conv2d": [],
    "conv3d": ["batched", "no-bias"],
    "conv_transpose2d": ["stride"],
    "max_pool2d": ["ceil-mode", "indices"],
    "avg_pool2d": ["non-contiguous"],
    "avg_pool1d": ["unbatched"],
    "sigmoid": ["gradients"],
    "tanh": [],
    "relu": ["everything"],
    "adaptive_avg_pool2d": ["unbatched"],
    "linear": [],
    "cross_entropy": ["class-weights", "ignore-index", "label-smoothing", "reduction"],
}
"""What each function of the file refuses always."""
WINDOWS = ("conv1d", "conv2d_padded", "conv_transpose2d", "max_pool2d", "avg_pool1d", "lp_pool2d", "unfold")
FORMS = (*WINDOWS, "linear", "cross_entropy", "adaptive_max_pool1d", "max_unpool2d")


ONE_CASE = hypothesis.settings(
    max_examples=1, derandomize=True, database=None, deadline=None, phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)  # fmt: skip


def without_gradients() -> Iterator[tuple[Law, Operator]]:
    """The laws that speak of operators without gradients, each with the first of these."""
    of_kernels = Subject("cpu", "float64", kernels=str(REFUSING))
    for law in every().values():
        layers = (features.without(layer, ["gradients"]) for layer in law.operators if layer.differentiable)
        if {"operator", "case"} <= {*law.parameters} and law.covers and law.on(of_kernels):
            yield from ((law, layer) for layer in itertools.islice(filter(law.covers, layers), 1))


WITHOUT_GRADIENTS = [*without_gradients()]


def domain(name: str, dtype: str = "float32", without: tuple[str, ...] = (), kernels: Path = REFUSING) -> Domain:
    """What a function takes, asked in this process."""
    subjects = [Subject("cpu", each, kernels=str(kernels)) for each in ("float32", "float64")]
    asked = next(subject for subject in subjects if subject.dtype == dtype)
    return Domains(HERE, without, subjects).of(operator(name), asked)


def right(layer: Operator, case: Case) -> None:
    """Hold torch to a case, unless it is known to be wrong there."""
    subject = Subject("cpu", "float64")
    if known("layouts", layer, subject, case):
        return
    operands = layer.operands(case, subject.format)
    outcome = subject.run(layer.program, operands, case.arguments, setting=case.setting)
    verdict(outcome, layer.expected(operands, case.arguments, subject.format), subject)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("name", FORMS)
def test_cases_without_features_are_valid(name: str) -> None:
    """A case of which a feature is taken, or to which it is given, is valid: torch is right there."""
    layer = operator(name)
    own = [each for each in features.FEATURES if each.of(layer)]
    for case, each in zip(drawn(layer)[:32], itertools.cycle(own), strict=False):
        if each.asked(layer, case):
            right(layer, other := each.without(layer, case))
            assert not each.asked(layer, other)
        elif each.given:
            right(layer, each.given(layer, case))


@pytest.mark.parametrize("name", FORMS)
def test_plain_cases_ask_for_nothing(name: str) -> None:
    """A case that does without all features asks for none of them, and is valid."""
    layer, words = operator(name), set(features.WORDS) - {"batched", "no-bias"}
    own = [each for each in features.FEATURES if each.of(layer) and each.word in words]
    for case in drawn(layer)[:16]:
        right(layer, plain := features.case_without(layer, case, words))
        assert not [each.word for each in own if each.asked(layer, plain)]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_always_is_found(name: str) -> None:
    """Each feature that a function refuses, by whatever exception, is found, and no other."""
    assert sorted(domain(name).refused) == REFUSED[name]


def test_right_kernels_take_all_but_what_they_decline() -> None:
    """Of torch's own functions nothing is refused; what a file says that it does not implement is no finding."""
    assert domain("conv2d", kernels=IM2COL).refused == {}
    padded = domain("conv2d_padded", kernels=IM2COL)
    assert set(padded.refused) <= {"padding-words"}
    assert padded.findings == {}


def test_a_finding_is_told_once() -> None:
    """What is refused in one dtype is no other finding in the next; a dtype is a finding of its own."""
    assert domain("conv1d").findings["unbatched"] == (
        "refuses input without a batch (ValueError: expected (N, C, L)), which torch takes"
    )
    assert set(domain("conv1d", "float64").refused) == set(domain("conv1d").refused)
    assert domain("conv1d", "float64").findings == {}
    assert list(domain("tanh", "float64").findings) == ["float64"]
    assert domain("adaptive_avg_pool2d").findings == {}


def test_what_is_answered_wrongly_is_not_taken() -> None:
    """What is refused in some cases, and answered wrongly in all others, is one finding."""
    said = domain("avg_pool1d").findings["unbatched"]
    assert said.startswith("refuses input without a batch (IndexError: rows, or else answers wrongly: output has shape")


@pytest.mark.parametrize(("law", "layer"), WITHOUT_GRADIENTS, ids=[f"{law.name}-{o}" for law, o in WITHOUT_GRADIENTS])
def test_laws_of_what_has_no_gradients(law: Law, layer: Operator, engines: Engines) -> None:
    """A law that speaks of a kernel without gradients asks for none."""
    subject = Subject("cpu", "float64")
    result = Result(law.name, "", layer.name, str(subject), "cpu", "float64", (), "")
    with contextlib.suppress(Diverged, NotRun):
        Check(law, layer, subject, result, engines).search(ONE_CASE)


def test_words_are_documented() -> None:
    """The document of the options explains every word that there is."""
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert not [word for word in features.WORDS if f"`{word}`" not in text]


def test_what_is_said_is_no_finding() -> None:
    """What is said not to be taken is no finding, unless it is answered, and wrongly."""
    assert domain("conv1d", without=("unbatched", "groups", "dilation")).findings == {}
    assert domain("avg_pool2d", without=("unbatched",)).findings.keys() == {"non-contiguous"}
    (told,) = domain("linear", without=("unbatched",)).findings.values()
    assert told.startswith("answers input without a batch, though it is said not to take it, and wrongly: output[")


SOME_LAWS = "conv1d- and (test_domain or test_agreement or test_batch_is_a_loop)"


def test_a_run_tells_where_kernels_answer(tmp_path: Path) -> None:
    """What is refused is one finding; the laws hold the rest, or say that nothing is left, and the end names it."""
    finished = hold(REFUSING, tmp_path, "--subjects=cpu-float32", "-k", SOME_LAWS)
    assert finished.returncode == 1, finished.stdout
    seen = {line["law"]: line for line in results(tmp_path) if line["operator"] == "conv1d"}
    assert {law: line["status"] for law, line in seen.items()} == {
        "domain": "diverged", "agreement": "passed", "batch = loop": "not run",
    }  # fmt: skip
    assert seen["domain"]["message"].startswith("refuses input without a batch (ValueError: expected (N, C, L)), which")
    assert seen["agreement"]["reason"] == "declines dilation > 1, groups > 1, input without a batch"
    assert seen["batch = loop"]["reason"] == "declines input without a batch"
    assert "conv1d: right where it answers: batched, groups 1, dilation 1, float32" in finished.stdout


def test_a_file_says_what_it_does_not_take(tmp_path: Path) -> None:
    """What a file is said not to take, by itself or by an option, is declined, and no finding."""
    path = tmp_path / "mine.py"
    path.write_text(REFUSING.read_text(encoding="utf-8") + "\n\nWITHOUT = 'unbatched, groups'\n", encoding="utf-8")
    finished = hold(path, tmp_path, "--subjects=cpu-float32", "--without=dilation", "-k", SOME_LAWS)
    assert finished.returncode == 0, finished.stdout
    assert "conv1d: right where it answers: batched, groups 1, dilation 1, float32" in finished.stdout


@pytest.mark.parametrize(
    "source, option, why",
    [
        ("", ["--without=unbatchd"], "--without=unbatchd: 'unbatchd' is no feature; there are unbatched, batched, "),
        ("WITHOUT = ['groops']", [], "mine.py: WITHOUT: 'groops' is no feature; there are unbatched, batched, "),
        ("WITHOUT = 3", [], "mine.py: says WITHOUT = 3, which is no words; give "),
    ],
)
def test_unknown_features_end_the_run(source: str, option: list[str], why: str, tmp_path: Path) -> None:
    """A word that is no feature's is one line with what there is, and exit code 2."""
    path = tmp_path / "mine.py"
    path.write_text(f"{source}\nfrom torch import sigmoid\n", encoding="utf-8")
    finished = hold(path, tmp_path, "--subjects=cpu", *option)
    assert finished.returncode == 2, finished.stdout
    assert why in finished.stderr
    assert "Traceback" not in finished.stderr + finished.stdout


def test_who_declines_most_is_not_run() -> None:
    """A kernel that declines most cases is no pass: it was not run, and on how many cases is said."""
    subject = Subject("cpu", "float64", kernels=str(REFUSING))
    result = Result("agreement", "", "log_softmax", str(subject), "cpu", "float64", (), "")
    check = Check(every()["agreement"], operator("log_softmax"), subject, result)
    with pytest.raises(NotRun, match=r"\d+ of \d+ cases declined: several rows"):
        check.search(hypothesis.settings(max_examples=100, database=None), 1)
