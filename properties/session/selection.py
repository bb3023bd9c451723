"""Which tests a run has, and in which order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from properties.engine.law import REST
from properties.session import absent, law_tests, profiles, run_evidence, shards
from properties.session.options import OPTIONS
from properties.subjects import Subject

SELFTEST = Path(__file__).resolve().parent.parent / "selftest"
LAWS = SELFTEST.parent / "laws"
TASKS = LAWS / "test_tasks.py"
"""The laws that hold answers to tasks, and are held to nothing else."""
EACH = 3
"""Of so many tests the tests of the suite have one, where they leave most to the main job."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the suite's tests of itself to the profile "tests", and to who names them, and one file to tasks alone."""
    named = any(SELFTEST in (path := Path(argument).absolute(), *path.parents) for argument in config.args)
    options = config.stash[OPTIONS]
    wanted = named or options.profile == profiles.TESTS
    if collection_path.parent == LAWS and collection_path.name.startswith("test_"):
        return True if (collection_path == TASKS) != (law_tests.TASK in config.stash) else None
    return True if collection_path == SELFTEST and (not wanted or options.kernels or options.backend) else None


@pytest.hookimpl(trylast=True)  # of what -k and the like leave
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the laws. With kernels or a backend run what holds them to one; of a quick run, each operator's first."""
    options = config.stash[OPTIONS]
    _keep(config, items, lambda item: not law_tests.of_none(item))
    if options.kernels or options.backend:
        _keep(config, items, holds)
    if options.named:
        _keep(config, items, lambda item: "operator" in getattr(getattr(item, "callspec", None), "params", {}))
    if options.profile == profiles.QUICK:
        _keep(config, items, lambda item: holds(item) and law_tests.rank(item) < REST)
    if options.profile == profiles.TESTS and not options.backend:
        _keep(config, items, lambda item: not _compiled(item))
    if options.profile == profiles.TESTS and not _chosen(config):
        _keep(config, items, set(thinned(dealt(items))).__contains__)
    # What compiles first and together: it takes longest, and the compilers' memory is free for the rest of the run.
    items.sort(key=lambda item: (not _compiled(item), law_tests.rank(item)))
    config.stash[absent.ROWS] = absent.rows(items, options.subjects, law_tests.row)
    if options.shard:
        digest = shards.digest(items)
        items[:], others = shards.split(items, options.shard)
        config.hook.pytest_deselected(items=others)
        run_evidence.of_shard(config, digest, idle=bool(others) and not items)


def holds(item: pytest.Item) -> bool:
    """True if a test holds a subject to something."""
    return isinstance(_subject(item), Subject)


def _compiled(item: pytest.Item) -> bool:
    """True if a test holds compiled code to a law, which takes seconds: not for the tests of the suite."""
    subject = absent.subject(item)
    return subject is not None and subject.compiled


def dealt(items: Sequence[Any]) -> list[Any]:
    """Of tests of torch that differ in the subject alone one each, and all that are no such tests.

    The subjects take turns, such that each law meets all of its own: in the tests of the suite that is enough, since
    the main job holds each law on each operator on each subject.
    """
    laws: dict[str, dict[str, list[Any]]] = {}
    for item in items:
        alike = "".join(absent.around(item)) if LAWS in item.path.parents else item.nodeid
        laws.setdefault(item.nodeid.partition("[")[0], {}).setdefault(alike, []).append(item)
    return [
        alike[(number + turn) % len(alike)]
        for number, of_law in enumerate(laws.values())
        for turn, alike in enumerate(of_law.values())
    ]


def thinned(items: Sequence[Any]) -> list[Any]:
    """All tests but two of three of each law that others explain, and of the ledger's entries.

    Those that stay differ from law to law: there, too, the tests of the suite leave most to the main job.
    """
    laws: dict[str, list[Any]] = {}
    for item in items:
        if LAWS in item.path.parents and hasattr(item, "callspec") and law_tests.rank(item) == REST:
            laws.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = set(itertools.chain.from_iterable(laws.values()))
    for number, of_law in enumerate(laws.values()):
        left_out -= set(of_law[number % min(EACH, len(of_law)) :: EACH])
    return [item for item in items if item not in left_out]


def _chosen(config: pytest.Config) -> bool:
    """True if the user says which subjects are to be held."""
    given = ("--subjects", "--kernels", "--module", "--operator", "--compile-backend", "--device", "--subject-python")
    return any(map(config.getoption, given))


def _subject(item: pytest.Item) -> object:
    return getattr(getattr(item, "callspec", None), "params", {}).get("subject")


def _keep(config: pytest.Config, items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = filter(wanted, items)
