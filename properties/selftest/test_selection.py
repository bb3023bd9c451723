"""Which tests a run of the suite's own tests has."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from properties.engine.law import REST
from properties.operators import CATALOGUE
from properties.selftest import nested
from properties.session import selection
from properties.subjects import FLOATS, Subject


@dataclass(eq=False)
class Item:
    """A test, as far as it is looked at."""

    nodeid: str
    path: Path
    callspec: SimpleNamespace
    function: SimpleNamespace = field(default_factory=SimpleNamespace)


def collected(law: str, operator: Any, dtype: str, folder: Path = selection.LAWS) -> Any:
    """A test of a law on an operator, as far as it is looked at."""
    subject, path = Subject("cpu", dtype), folder / f"test_{law}.py"
    parameters = SimpleNamespace(params={"operator": operator, "subject": subject})
    return Item(nodeid=f"{path}::test_{law}[{operator}-{subject}]", path=path, callspec=parameters)


def test_subjects_take_turns() -> None:
    """Each law is held once on each operator, and on each of its subjects."""
    items = [collected(law, o, dtype) for law in ("a", "b") for o in "klmnop" for dtype in FLOATS]
    items += [collected("c", o, dtype) for o in "kl" for dtype in FLOATS[2:]]
    of = [(item.path.stem, *item.callspec.params.values()) for item in items]
    kept = [of[items.index(item)] for item in selection.dealt(items)]
    assert sorted(about[:2] for about in kept) == sorted({about[:2] for about in of})
    assert {(law, subject) for law, _, subject in kept} == {(law, subject) for law, _, subject in of}


def test_operators_take_turns() -> None:
    """A law that others explain is held on a third of the operators, another third in each law."""
    items = [collected(law, o, "float32") for law in ("a", "b", "c") for o in CATALOGUE[:12]]
    kept = [str(item.callspec.params["operator"]) for item in selection.thinned(items)]
    assert sorted(kept) == sorted(map(str, CATALOGUE[:12]))


def test_no_law_is_left_out() -> None:
    """A law on a single operator is held on that one."""
    items = [collected(law, "k", "float32") for law in "abcde"]
    assert selection.thinned(items) == items


def test_laws_that_explain_others_are_held_on_all_operators() -> None:
    """Geometry, agreement, gradients and layouts are the first laws, of which no test is left out."""
    items = [collected("agreement", o, "float32") for o in CATALOGUE[:12]]
    for item in items:
        item.function = SimpleNamespace(law=SimpleNamespace(rank=REST - 1))
    assert selection.thinned(items) == items


def test_others_are_kept() -> None:
    """Tests of the suite itself run on each subject that they ask for."""
    items = [collected("a", "k", dtype, selection.SELFTEST) for dtype in FLOATS]
    assert selection.dealt(items) == items


def test_who_names_subjects_gets_them() -> None:
    """With --subjects every one of them is held to each law, in the tests' profile, too."""
    listing = ["properties/laws/test_flip.py", "--collect-only", "-q", "--hypothesis-profile=tests"]
    chosen: list[list[str]] = [[], ["--subjects=cpu-float64,cpu-float32"]]
    assert [nested.run(*listing, *named).stdout.count("::test_commutes") for named in chosen] == [1, 2]


def test_what_compiles_comes_first() -> None:
    """Whatever its law: so the compilers' memory is free for the rest of the run."""
    listing = ["properties/laws/test_agreement.py", "properties/laws/test_gradients.py", "--collect-only", "-q"]
    listed = nested.run(*listing, "--subjects=cpu-float64,compiled-cpu-float32", "--operators=conv2d,linear").stdout
    compiled = ["compiled" in line for line in listed.splitlines() if "[" in line]
    assert compiled == sorted(compiled, reverse=True)
    assert {True, False} == set(compiled)
