"""Which tests a run of the suite's own tests has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from properties.operators import CATALOGUE, CHAPTER, operator
from properties.selftest import nested
from properties.session import selection
from properties.subjects import FLOATS, Subject


def collected(law: str, operator: Any, dtype: str, folder: Path = selection.LAWS) -> Any:
    """A test of a law on an operator, as far as it is looked at."""
    subject, path = Subject("cpu", dtype), folder / f"test_{law}.py"
    parameters = SimpleNamespace(params={"operator": operator, "subject": subject})
    return SimpleNamespace(nodeid=f"{path}::test_{law}[{operator}-{subject}]", path=path, callspec=parameters)


def test_subjects_take_turns() -> None:
    """Each law is held once on each operator, and on each of its subjects."""
    items = [collected(law, o, dtype) for law in ("a", "b") for o in "klmnop" for dtype in FLOATS]
    items += [collected("c", o, dtype) for o in "kl" for dtype in FLOATS[2:]]
    of = [(item.path.stem, *item.callspec.params.values()) for item in items]
    kept = [of[items.index(item)] for item in selection.dealt(items)]
    assert sorted(about[:2] for about in kept) == sorted({about[:2] for about in of})
    assert {(law, subject) for law, _, subject in kept} == {(law, subject) for law, _, subject in of}


def test_operators_beyond_the_chapter_take_turns() -> None:
    """A law that others explain is held on a third of them, another in each law; the chapter's have all laws."""
    further = [operator for operator in CATALOGUE if operator.family not in CHAPTER][:12]
    items = [collected(law, o, "float32") for law in ("a", "b", "c") for o in (operator("conv2d"), *further)]
    kept = [str(item.callspec.params["operator"]) for item in selection.thinned(items)]
    assert sorted(kept) == sorted(["conv2d"] * 3 + [str(operator) for operator in further])


def test_others_are_kept() -> None:
    """Tests of the suite itself run on each subject that they ask for."""
    items = [collected("a", "k", dtype, selection.SELFTEST) for dtype in FLOATS]
    assert selection.dealt(items) == items


def test_who_names_subjects_gets_them() -> None:
    """With --subjects every one of them is held to each law, in the tests' profile, too."""
    listing = ["properties/laws/test_flip.py", "--collect-only", "-q", "--hypothesis-profile=tests"]
    chosen: list[list[str]] = [[], ["--subjects=cpu-float64,cpu-float32"]]
    assert [nested.run(*listing, *named).stdout.count("::test_commutes") for named in chosen] == [1, 2]
