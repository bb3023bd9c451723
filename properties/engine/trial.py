"""Trials: what a law's body receives as its subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from properties.cases.case import Case
from properties.ledger.known import computed_by, every_known
from properties.ledger.record import Divergence
from properties.operators import Operator
from properties.subjects import Subject
from properties.verdicts.tally import Tally
from properties.worker.call import Call, Outcome
from properties.worker.execute import execute
from refimpl.rounding import ELEMENTWISE, Format

if TYPE_CHECKING:
    from properties.engine.domain import Domain


def _nothing() -> None:
    """An engine that keeps nothing has nothing to renew."""


@dataclass(frozen=True)
class Engine:
    """A maker of calls: this process, a sandbox or workers.

    ``renew`` makes the next call in a process that made none: a call may have overwritten memory that is not its own.
    """

    answer: Callable[[Call], Outcome] = execute
    renew: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Engines:
    """The engines of a run, each by the torch with which it makes calls; "" is the suite's own."""

    by_torch: Mapping[str, Engine] = field(default_factory=lambda: {"": Engine()})

    @property
    def comparing(self) -> bool:
        """True if another torch is held to the same cases."""
        return len(self.by_torch) > 1


HERE = Engines()
"""Calls made in this process."""


class Listed(Exception):
    """Raised where a case or a call runs into an entry of the ledger."""

    def __init__(self, entry: Divergence) -> None:
        super().__init__(entry.id)
        self.entry = entry


class Steered(Listed):
    """Raised before it is tried."""


@dataclass(frozen=True, eq=False)
class Trial(Subject):
    """A subject while a law is held to it on a case: it asks the ledger, has its calls made, and counts.

    law, case: what the ledger is asked about; without a case it is not asked. entries: those under which this case, or
    a call, falls and which is tried all the same. roundings: those of them to whose bound it is held. served: the calls
    that one compiled function has served before; None where each call has a function of its own. domain: what the
    subject takes of the operator, as far as it was asked. algorithm: that whose bound results are held to.
    """

    engines: Engines = HERE
    tally: Tally = field(default_factory=Tally)
    law: str = ""
    case: Case | None = None
    entries: list[Divergence] = field(default_factory=list)
    roundings: tuple[Divergence, ...] = ()
    served: list[Call] | None = None
    domain: Domain | None = None
    algorithm: str = ELEMENTWISE

    @classmethod
    def of(cls, subject: Subject, engines: Engines = HERE, tally: Tally | None = None, **about: Any) -> Trial:
        """A trial of a subject."""
        own = {own.name: getattr(subject, own.name) for own in fields(Subject)}
        return cls(**own, engines=engines, tally=tally or Tally(), **about)

    @property
    def format(self) -> Format:
        """The subject's; where it is held to entries on rounding, sums are formed in the storage."""
        own, forward = super().format, not all(entry.of_gradients for entry in self.roundings)
        own = own if self.algorithm == ELEMENTWISE else replace(own, algorithm=self.algorithm)
        return own.summing_in_storage(forward) if self.roundings else own

    def ask(self, operator: Operator | None, case: Case, subject: Subject) -> None:
        """Ask the ledger about a case of an operator on a subject.

        Raises Steered where it has an entry: nothing is learnt from trying, since the entry's example is tried in any
        run. Under one on rounding, or one that tells what an error says, much is: whether that explains all. Beside
        another torch any is tried, on the same cases: only counts from the same cases tell what one does and the other
        does not.
        """
        for entry in every_known(self.law, operator, subject, case):
            if not (entry.tried or self.engines.comparing):
                raise Steered(entry)
            if entry not in self.entries:
                self.entries.append(entry)

    def allow_torchs(self, law: str, operator: Operator, case: Case) -> None:
        """Have what torch's own function is known to get wrong count as known, where the subject does, too.

        An answer may leave any part of its work to torch. So the case is tried all the same, whatever the entry.
        """
        for entry in every_known(law, operator, Subject(self.device, self.dtype).torchs, case):
            if entry not in self.entries:
                self.entries.append(entry)

    def answer(self, call: Call) -> Outcome:
        """Have a call made, after the ledger was asked about it: it may be another than the case describes.

        Raises Declined for one that asks for what the subject is known to refuse.
        """
        if self.domain:
            self.domain.check(call)
        if self.mode == "dynamic" and self.served is not None:
            call = _in_turn(call, self.served)
        self.tally.call = call
        if self.case is not None:
            made = Case(_shapes(call), call.arguments, self.case.fill, self.case.seed, self.case.setting)
            subject = Subject(call.device, call.dtype, call.mode, call.kernels, self.torch, call.backend)
            self.ask(computed_by(call.program), made, subject)
        outcome = self.engines.by_torch[self.torch].answer(call)
        self.tally.compilations += outcome.compilations
        self._explained(outcome.error or "")
        return replace(outcome, call=call)

    def _explained(self, error: str) -> None:
        """Raise Listed for an error of which an entry tells."""
        for entry in self.entries:
            if entry.says and entry.says in error and not self.engines.comparing:
                raise Listed(entry)

    def renew(self) -> None:
        """Make the next call in a process in which none was made."""
        self.engines.by_torch[self.torch].renew()


def _shapes(call: Call) -> dict[str, Any]:
    return {name: values if isinstance(values, tuple) else values.shape for name, values in call.operands.items()}


def _in_turn(call: Call, served: list[Call]) -> Call:
    """The call with those that its compiled function has served before."""
    if served and served[-1].program is not call.program:
        served.clear()
    earlier = tuple(served)
    served.append(call)
    return replace(call, fresh=not earlier, earlier=earlier)
