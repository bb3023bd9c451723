"""An entry of the ledger stands on its predicate, and names nothing that there is not."""

from __future__ import annotations

from typing import Any

import pytest

from properties.cases.case import Case
from properties.engine.law import every
from properties.ledger import known, record
from properties.ledger.record import Predicate
from properties.ledger.rules import accepted
from properties.subjects import FLOATS, Subject
from properties.worker.call import Setting

EXAMPLE = Case({"input": (1, 1), "weight": (1, 1)}, {})


def holds(case: Case, subject: Subject) -> bool:
    """A linear layer of one row
    is wrong."""
    return case.shapes["input"][0] == 1


def register(predicate: Predicate = holds, **given: Any) -> record.Divergence:
    """Register an entry, and return it."""
    usual = {"id": "linear-of-one-row", "operators": ("linear", "matmul"), "severity": "crash", "why": "the formula"}
    record.known(**usual | {"example": EXAMPLE} | given)(predicate)
    return list(record.ENTRIES.values())[-1]


@pytest.fixture(autouse=True)
def entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger without entries."""
    monkeypatch.setattr(record, "ENTRIES", {})


def test_an_entry_says_what_is_not_usual() -> None:
    """The rest is as in most entries; what happens is the function's docstring."""
    entry = register()
    assert (entry.what, entry.operator, entry.law) == ("a linear layer of one row is wrong", "linear", "agreement")
    assert (entry.devices, entry.dtypes, entry.modes, entry.laws) == (("cpu",), FLOATS, record.MODES, ())
    assert (entry.holds, entry.component) == (holds, "test_known")


def test_entries_may_share_a_predicate() -> None:
    """Each then says what happens, and of which operator its example is."""
    entry = register(id="another", operator="matmul", what="a product of one row is wrong")
    assert (entry.what, entry.operator) == ("a product of one row is wrong", "matmul")


@pytest.mark.parametrize(
    "given, message",
    [
        ({"severity": "crashes"}, "no severity is called 'crashes'; the nearest: crash"),
        ({"operators": ("linear", "matmull")}, "no operator is called 'matmull'; the nearest: matmul"),
        ({"operator": "conv4d"}, "no operator is called 'conv4d'; the nearest: conv"),
        ({"devices": ("cpu", "gpu")}, "no device is called 'gpu'"),
        ({"dtypes": ("bfloat",)}, "no dtype is called 'bfloat'; the nearest: bfloat16"),
        ({"modes": ("compile",)}, "no mode is called 'compile'; the nearest: compiled"),
        ({"having": "avx512"}, "no instruction set is called 'avx512'; the nearest: avx512_f"),
        ({"lacking": "amx"}, "no instruction set is called 'amx'; the nearest: .*amx_bf16"),
        ({"served_with": "avx"}, "no instruction set is called 'avx'; the nearest: avx2"),
        ({"also": ("layouts",)}, "no law of cases that are not all valid is called 'layouts'"),
    ],
)  # fmt: skip
def test_a_misspelt_name(given: dict[str, Any], message: str) -> None:
    """One line names the entry, the name and those that it may have meant; nothing is registered."""
    with pytest.raises(ValueError, match=f"entry 'linear-of-one-row' of the ledger: {message}"):
        register(**given)
    assert not record.ENTRIES


@pytest.mark.parametrize("here, off, shows", [(False, False, True), (True, False, False), (True, True, True)])
def test_loops_compute_where_onednn_is_off(here: bool, off: bool, shows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in torch's own loops shows on any processor once a case turns oneDNN off."""
    monkeypatch.setattr("properties.subjects.devices.instructions", lambda: ("avx512_f",) if here else ())
    entry = register(served_with="avx512_f")
    case = Case({"input": (1, 1), "weight": (1, 1)}, {}, setting=Setting(onednn=not off))
    assert entry.holds(case, Subject("cpu", "bfloat16")) is shows


def test_an_example_without_onednn_breaks_flags() -> None:
    """That law alone turns oneDNN off."""
    case = Case({"input": (1, 1), "weight": (1, 1)}, {}, setting=Setting(onednn=False))
    assert register(example=case).law == "flags"


def test_ids_are_unique() -> None:
    """Two entries of one id would be told as one."""
    register()
    with pytest.raises(ValueError, match="two entries of the ledger are called 'linear-of-one-row'"):
        register()


def test_an_entry_says_what_happens() -> None:
    """The report shows it."""
    with pytest.raises(ValueError, match="has no docstring that says what happens"):
        register(lambda case, subject: True)


def test_a_misspelt_rule() -> None:
    """No case is made to break a rule that there is not."""
    rule = "bias has one value an output"
    with pytest.raises(ValueError, match=f"no rule of linear is called '{rule}'; the nearest: bias has one value per"):
        accepted("bias-of-two", ("linear",), rule, why="", example=({"input": (1, 1)}, {}))


def test_a_misspelt_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger does not know the laws; where both are known, its entries name some that there are."""
    known.check_laws(every())
    monkeypatch.setattr(known, "LEDGER", (register(laws=("layout",)),))
    with pytest.raises(
        ValueError, match="'linear-of-one-row' of the ledger: no law is called 'layout'; the nearest: la"
    ):
        known.check_laws(every())


def test_the_worst_comes_first() -> None:
    """A case that runs into several entries is put down to one that overwrites memory, else to the worst that is not
    tried."""
    ranks = [(not entry.overwrites, entry.tried, record.SEVERITIES.index(entry.severity)) for entry in known.LEDGER]
    assert ranks == sorted(ranks)
    assert len({entry.id for entry in known.LEDGER}) == len(known.LEDGER)


def test_what_overwrites_memory_is_known_to_every_law() -> None:
    """An entry on gradients that overwrite other memory names the laws of repeated calls, too: any may crash."""
    overwriting = [entry for entry in known.LEDGER if entry.overwrites and "gradients" in entry.laws]
    assert not [entry.id for entry in overwriting if not {"rerun", "call after call"} <= {*entry.laws}]
