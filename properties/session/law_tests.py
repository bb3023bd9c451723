"""Laws as tests: one for each operator × subject that a law covers, and what each test does."""

from __future__ import annotations

import secrets
import shlex
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest

from properties.engine.algorithms import Algorithms
from properties.engine.check import Check
from properties.engine.domain import Domains
from properties.engine.judgement import HELD
from properties.engine.law import REST, Hold, Law
from properties.engine.sandbox import Sandbox
from properties.engine.tasks import Task
from properties.engine.trial import Engines, Trial
from properties.operators import CHAPTER, Operator
from properties.session import absent, profiles, recording
from properties.session.options import MEMORY, OPTIONS, TIMEOUT, Options
from properties.subjects import Subject
from properties.verdicts.evidence import Result
from properties.worker.process import give_memory_back

SANDBOX = pytest.StashKey[Sandbox]()
ENGINES = pytest.StashKey[Engines]()
"""Where this run's calls are made."""
DOMAINS = pytest.StashKey[Domains]()
ALGORITHMS = pytest.StashKey[Algorithms]()
"""What this run's kernels take, where there are any."""
TASK = pytest.StashKey[Task]()
"""What the kernels answer, if they answer a task."""
DIAGNOSED = pytest.StashKey[Counter[str]]()
"""How many checks of each operator were diagnosed in this process."""
DIAGNOSES = 3
"""The most of an operator: what is wrong with it breaks many laws, the first of which explain the others."""
SEED = pytest.StashKey[int]()
"""The seed of a run that was told none."""
OF_ANOTHER_RUN = "takes long: each run of all checks tries some of these by its seed, any that is named, nightly all"


FEWER = 0.2
"""The share of a check's cases that an operator beyond the chapter's is dealt in a usual run."""


def deals_fewer(operator: Operator | None, options: Options) -> bool:
    """True if a run deals an operator fewer cases: not one of the chapter's, not named, and torch's own.

    A nightly run and a search deal all alike.
    """
    whole = (
        options.named or options.kernels or options.backend or options.profile in (profiles.NIGHTLY, profiles.SEARCH)
    )
    return operator is not None and operator.family not in CHAPTER and not whole


def speaks_of(law: Law, operator: Operator | None, subject: Subject, options: Options) -> bool:
    """True if a run holds a subject to a law on an operator.

    Where fewer cases are dealt nothing is compiled but in turn, and laws that others explain are held in float32 alone.
    """
    if not deals_fewer(operator, options):
        return law.includes(operator, subject)
    usual = not subject.compiled and (law.rank < REST or subject.dtype == "float32")
    return usual and law.includes(operator, subject)


def rank(item: Any) -> int:
    """A test's place in the order of laws; one that is no law's has the last."""
    described: Law | None = getattr(getattr(item, "function", None), "law", None)
    return described.rank if described else REST


def of_none(item: Any) -> bool:
    """True if a law's test stands for no operator and subject, since the law covers none of this run."""
    return (
        hasattr(getattr(item, "function", None), "law") and hasattr(item, "callspec") and item.callspec.id == "NOTSET"
    )


@pytest.fixture
def hold(request: pytest.FixtureRequest) -> Hold:
    """Tries a law on an operator and a subject, and writes down what came of it.

    Where there is a sandbox, what holds there holds. The rest is searched again with every call in a worker.
    """
    item = request.node
    sandbox = item.config.stash.get(SANDBOX, None)

    def run(law: Law, operator: Operator | None, subject: Subject | None) -> None:
        check, seed, first = planned(law, operator, subject, item), run_seed(item.config), None
        if subject and leaves_to_another(item, law.one_run_in(subject)):
            settle_unheld(check.result, item)
            return
        if sandbox and sandbox.suits(subject) and not (subject and subject.absence):
            first = sandbox.judge(check, seed)
        if first and first.status in HELD:
            recording.settle(first, item)
            return
        doubt = first.message if first else None
        again = command(item, seed) if "case" in law.parameters else None
        try:
            recording.record(check.result, subject, item, lambda: check.search_enough(seed), doubt, again)
        finally:
            give_memory_back()
            if check.diagnosis:
                item.config.stash.setdefault(DIAGNOSED, Counter())[check.result.operator] += 1

    return run


def leaves_to_another(item: pytest.Item, one_run_in: int) -> bool:
    """True if a run of all checks leaves a test that takes long to another run, by its seed."""
    turn = zlib.crc32(f"{run_seed(item.config)}\n{item.name}".encode()) % one_run_in
    return item.config.stash[OPTIONS].all_checks and turn != 0


def settle_unheld(result: Result, item: pytest.Item) -> None:
    """Write down that a test is another run's to hold, and end it."""
    result.status, result.reason = "not run", OF_ANOTHER_RUN
    recording.settle(result, item)


def planned(law: Law, operator: Operator | None, subject: Subject | None, item: pytest.Item) -> Check:
    """The check of a test, of which nothing was tried yet."""
    blank, stash = _blank(law, operator, subject, item), item.config.stash
    told = stash.setdefault(DIAGNOSED, Counter())[blank.operator]
    cases = item.config.getoption("--diagnosis") if told < DIAGNOSES else 0
    check = Check(law, operator, subject, blank, stash[ENGINES], stash.get(DOMAINS, None), diagnosing=cases)
    check.algorithms = stash.get(ALGORITHMS, None)
    check.share = FEWER if deals_fewer(operator, stash[OPTIONS]) else 1.0
    return check


def trial(subject: Subject, result: Result, item: pytest.Item) -> Trial:
    """A subject as a test that draws no cases uses it."""
    return Trial.of(subject, item.config.stash[ENGINES], result.tally)


def _blank(law: Law, operator: Operator | None, subject: Subject | None, item: pytest.Item) -> Result:
    systems = law.systems if law.systems is not None else operator.systems if operator else ()
    return recording.describe(law.name, law.title, operator, subject, systems, item)


def run_seed(config: pytest.Config) -> str | None:
    """The seed of this run, of which each check has its own; None where it is the same in every run."""
    told = config.getoption("--hypothesis-seed", None)
    if told is None and hypothesis.settings().derandomize:
        return None
    return str(config.stash.setdefault(SEED, secrets.randbits(32)) if told is None else told)


AGAIN: dict[str, object] = {
    "--hypothesis-profile": None, "--kernels": None, "--without": None, "--task": None, "--module": None,
    "--compile-backend": None, "--import": None, "--operator": None, "--like": None,
    "--device": None, "--device-import": None, "--subject-python": None, "--subjects": None, "--operators": None,
    "--bound": "any",
    "--call-timeout": TIMEOUT, "--call-memory": MEMORY,
}  # fmt: skip
"""The options on which it depends what a check tries, and what comes of it, each with its default."""


def command(item: pytest.Item, seed: str | None) -> str:
    """The command that tries the same cases again, on any machine."""
    options = {name: item.config.getoption(name, None) for name in AGAIN}
    told = [f"{name}={value}" for name, value in options.items() if value not in (None, "", AGAIN[name])]
    seeds = [] if seed is None else [f"--hypothesis-seed={seed}"]
    return shlex.join(["pytest", item.nodeid, *seeds, *told])


def described_by(describe: Callable[..., Result]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Let a test of plain subjects that is no law's have rows on absent ones, too."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        def blank(item: pytest.Item, subject: Subject, **about: Any) -> Result | None:
            return describe(item, subject, **about) if subject.plain else None

        test.blank = blank  # type: ignore[attr-defined]
        return test

    return decorate


def row(item: pytest.Item, **about: Any) -> Result | None:
    """The row that a test would have on a subject, None if it would have none."""
    function: Any = getattr(item, "function", None)
    described: Law | None = getattr(function, "law", None)
    if described is None:
        return function.blank(item, **about) if hasattr(function, "blank") else None
    operator, subject = about.get("operator"), about["subject"]
    spoken = speaks_of(described, operator, subject, item.config.stash[OPTIONS])
    return _blank(described, operator, subject, item) if spoken else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each operator × present subject that a law covers, or for each plain subject of any other test."""
    described: Law | None = getattr(metafunc.function, "law", None)
    options = metafunc.config.stash[OPTIONS]
    subjects = options.subjects
    if described is None and "subject" in metafunc.fixturenames:
        metafunc.parametrize("subject", absent.standing(s for s in subjects if s.plain), ids=str)
    if described is None:
        return
    names = [name for name in ("operator", "subject") if name in metafunc.fixturenames]
    task = metafunc.config.stash.get(TASK, None)
    wanted = [operator for operator in described.operators if operator in options.operators]
    known = wanted if task is None else [task] if described.covers and described.covers(task) else []
    operators = known if "operator" in names else [None]
    pairs: list[tuple[Operator | None, Subject | None]] = [(o, None) for o in operators]
    if "subject" in names:
        pairs = [
            (o, s)
            for o in operators
            for s in absent.standing(s for s in subjects if speaks_of(described, o, s, options))
        ]
    chosen = [tuple(thing for thing in pair if thing is not None) for pair in pairs]
    if names:
        metafunc.parametrize(names, chosen, ids=["-".join(map(str, pair)) for pair in chosen])
