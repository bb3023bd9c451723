"""A check, and the search for a case on which it fails: Hypothesis draws, the ledger is asked, both tiers are tried."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
import secrets
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
from hypothesis import Phase
from hypothesis import strategies as st

from properties.cases.case import Case
from properties.cases.dealing import BACKEND, Dealer, Hand, dealt_by
from properties.engine import bundles, families
from properties.engine.algorithms import Algorithms
from properties.engine.bundles import Bundle
from properties.engine.diagnosis import Diagnosis, diagnose
from properties.engine.domain import LAW as DOMAIN
from properties.engine.domain import OWN_WORK, Domain, Domains
from properties.engine.frames import with_room_for_frames
from properties.engine.judgement import Enough, NotRun
from properties.engine.law import Law
from properties.engine.trial import HERE, Engines, Listed, Steered, Trial
from properties.ledger.known import known
from properties.ledger.record import Divergence
from properties.operators import CATALOGUE, Operator, features
from properties.subjects import Declined, Subject, Undefined
from properties.verdicts.evidence import Result
from properties.verdicts.expected import Expected
from properties.verdicts.tally import Tally, counting
from properties.verdicts.verdict import Diverged, verdict
from properties.worker.call import FAKE, Call
from refimpl.rounding import ELEMENTWISE, IN_NORM

TURNS = 64
"""Cases of a bundle of strategies that have turns."""
MORE = 2.5
"""How many times as many cases a law may take until every pair was met."""
SETTLED = {"eager": 100, FAKE: 100, "compiled": 40, "dynamic": 10 * families.MEMBERS}
"""Cases after which what proves nothing never will, by the mode: those of a family are alike."""

REMEMBERED = 400
"""Cases of which a diagnosis knows."""
RESULTS = ("output", "indices", "gradient", "held")
"""What a message begins with that is about a result."""
DEPENDENT = "depends on earlier calls"
"""What is said of a kernel that gives something else in a process in which no other call was made."""


@dataclass(eq=False)
class Check:
    """One law on one operator and one subject, and what came of it so far.

    engines: where calls are made. domains: what subjects take that stand for torch; None where nothing is asked of it.
    algorithms: by what they convolve and average; None where each is held to the bound of sums and quotients.
    share: of the cases that settings and law say, how many are tried.
    """

    law: Law
    operator: Operator | None
    subject: Subject | None
    result: Result
    engines: Engines = HERE
    domains: Domains | None = None
    domain: Domain | None = None
    dealer: Dealer | None = None
    failing: Any = None
    """The case that failed last: once a search has ended, the one that is shown."""
    broken_by: Diverged | None = None
    """How it failed."""
    diagnosing: int = 0
    """How many cases may be tried to tell when it fails; 0 where that is not asked."""
    diagnosis: Diagnosis | None = None
    """What was told then."""
    outcomes: deque[tuple[Case, Diverged | None]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """The cases tried last, and how they failed: what a diagnosis knows before it tries more."""
    algorithms: Algorithms | None = None
    algorithm: str = ELEMENTWISE
    """That whose bound convolutions and averages are held to."""
    share: float = 1.0

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        return self.result.tally

    @property
    def settled(self) -> bool:
        """True if so many cases were tried that what proves nothing never will."""
        share = self.share * (self.law.share(self.subject) if self.subject else 1.0)
        return self.tally.cases >= share * SETTLED[self.subject.mode if self.subject else "eager"]

    def search_enough(self, seed: int | str | None = None) -> None:
        """Search, and again while the cases so far prove nothing and are too few to say that none will.

        Of compiled code few are tried, all of which the ledger may know.
        """
        self.search(seed=seed)
        while "case" in self.law.parameters and self._nothing_yet and not self.settled:
            self.search(seed=seed)

    @property
    def _refused(self) -> int:
        """How many cases ended with an error of which the ledger tells: those that the compiler refuses."""
        return self.tally.known - self.tally.steered

    @property
    def _nothing_yet(self) -> bool:
        """True if the cases so far, of which there may be none, say nothing about the subject."""
        known = self.tally.known if self.subject and self.subject.compiled else 0
        return self.tally.proves_nothing or self.tally.cases == known

    @with_room_for_frames
    def search(self, settings: hypothesis.settings | None = None, seed: int | str | None = None) -> None:
        """Look for a counterexample: once where the law draws no case, else as often as the settings say.

        seed: that of the run, of which each check has a seed of its own: the cases are then the same ones in any
        process, and on any machine.
        """
        self._stay_in_domain()
        self._show_algorithm()
        if "case" not in self.law.parameters:
            self.tally.begin_case()
            self.hold(self.trial())
            self.tally.end_case(None)
            self._tell_declined()
            return
        settings = settings or hypothesis.settings()
        if seed is None and not settings.derandomize and not self.engines.comparing:
            seed = secrets.randbits(64)
        own = self._own_seed(seed)
        self.dealer = self.dealer or Dealer(own)
        try:
            with dealt_by(self.dealer):
                self._search_for_pairs(settings, own)
        except Enough:  # of the law's body, whose time is up
            pass
        except Diverged as failure:
            self._explain(failure)
            self.diagnose(failure)
            raise
        except hypothesis.errors.Flaky:
            if self.broken_by is None or not (self.subject and self.subject.kernels):
                raise
            self.broken_by.args = (f"{DEPENDENT}: {self.broken_by}",)
            raise self.broken_by from None
        self._count_pairs()
        self._tell_declined()

    def _stay_in_domain(self) -> None:
        """Keep to cases that the subject takes. Raises NotRun where the law has none."""
        if self.domain or not (self.domains and self.operator and self.subject and self.subject.asked):
            return
        if self.law.name.startswith(OWN_WORK) and features.OWN_WORK in self.domains.without:
            raise NotRun("said to be torch's own")
        if self.operator not in CATALOGUE:  # what a task's Model computes
            return
        self.domain = self.domains.of(self.operator, self.subject)
        if self.law.name == DOMAIN and self.domain.findings:
            return
        if self.domain.nothing:
            raise NotRun(self.domain.nothing)
        narrowed = self.domain.narrowed
        if self.law.covers and not self.law.covers(narrowed):
            raise NotRun(self.domain.declining(self.domain.refused.keys() & {part.word for part in features.PARTS}))
        self.operator = narrowed

    def _show_algorithm(self) -> None:
        """Let the subject show by what it convolves. Raises NotRun for a law that holds of sums alone."""
        if self.algorithms and self.operator and self.subject:
            self.algorithm = self.algorithms.held_to(self.operator, self.subject)
        if self.law.elementwise and self.algorithm in IN_NORM:
            raise NotRun(f"computed by {self.algorithm}, in which numbers reach other outputs than their own")

    def _tell_declined(self) -> None:
        """Say what was not tried. Raises NotRun where that is all of it, or, of what stands for torch, most."""
        tally = self.tally
        if tally.declined and (tally.declined + tally.known == tally.cases or tally.proves_nothing):
            raise NotRun(str(tally.declining))
        if 2 * tally.declined > tally.cases and self.subject and self.subject.foreign:
            raise NotRun(f"{tally.declined} of {tally.cases} cases declined: {tally.declining}")
        if tally.declined:
            self.result.reason = f"{tally.declined} of {tally.cases} cases not run ({tally.declining})"
        elif self.domain and self.domain.refused:
            self.result.reason = self.domain.declining(self.domain.refused.keys())

    def _search_for_pairs(self, settings: hypothesis.settings, seed: int) -> None:
        """Search, and then a quarter as long again and again until every pair was met, where the law goes on so long.

        An exception that ended a search early would be kept in the database of examples, and its case repeated.
        """
        before, every_pair = self.tally.cases, bool(self.subject and self.law.every_pair(self.subject))
        self._searched(settings, seed + before)()  # another in each search of this check
        most = MORE * (self.tally.cases - before)
        while every_pair and self.dealer and not self.dealer.complete and self.tally.cases - before < most:
            self._searched(settings, seed + self.tally.cases, again=True)()

    def trial(self, case: object = None, served: list[Call] | None = None) -> Trial | None:
        """The subject as the law's body gets it."""
        if self.subject is None:
            return None
        about: dict[str, Any] = {"case": case if isinstance(case, Case) else None, "served": served}
        about |= {"domain": self.domain, "algorithm": self.algorithm}
        return Trial.of(self.subject, self.engines, self.tally, law=self.law.name, **about)

    def tried(self, case: Any, served: list[Call] | None = None, hand: Hand | None = None) -> None:
        """Hold the law on a case, in both tiers, and count what comes of it. Raises Diverged.

        hand: the values of the case's choices.
        """
        tally, trial = self.tally, self.trial(case, served)
        tally.begin_case()
        compared, vacuous = tally.comparisons, tally.vacuous
        try:
            if trial and self.subject and trial.case is not None:
                trial.ask(self.operator, trial.case, self.subject)
            roundings = [entry for variant in self.tiers(case) for entry in self._hold_rounded(trial, variant)]
        except Listed as listed:
            tally.explain(listed.entry, tried=not isinstance(listed, Steered))
        except Declined as reason:
            tally.declined, tally.declining = tally.declined + 1, tally.declining or str(reason)
            if isinstance(reason, Undefined) and tally.declined == tally.cases:
                raise NotRun(str(reason)) from reason
        except Diverged as failure:
            entries = [entry for entry in trial.entries if not entry.tried] if trial else []
            if not entries:
                self.failing, self.broken_by = case, failure
                raise
            tally.explain(entries[0])
        else:
            if self.dealer and not _empty(case):
                self.dealer.meet(hand or {})
            if roundings:
                tally.explain(roundings[0])
            else:
                tally.end_case(case)
                if tally.vacuous - vacuous < tally.comparisons - compared:
                    self._remember(case)
        finally:
            if trial and any(entry.overwrites for entry in trial.entries):
                trial.renew()

    def _remember(self, case: Any) -> None:
        """Keep a case on which the law holds, if its failure were to be diagnosed."""
        if self.diagnosing and isinstance(case, Case):
            self.outcomes.extend((variant, None) for variant in self.tiers(case))

    def tried_in_turn(self, family: Bundle) -> None:
        """Hold the law on the cases of a family, all of which one compiled function serves."""
        if len(family.cases) == 1:  # Hypothesis begins with it; to serve one case is what "compiled" does
            return
        first, served = family.cases[0], list[Call]()
        compiled, refused = self.tally.compilations, self._refused
        for member in family:
            many = self.tally.compilations - compiled + self._refused - refused >= families.COMPILATIONS
            self.tried(replace(member, shapes=first.shapes) if many else member, served)
            if member is first and self._refused > refused:  # there is no function to serve the others
                return

    def tried_each(self, bundle: Bundle) -> None:
        """Hold the law on the cases of a bundle, or of its bundles: those that share compiled code are drawn as one."""
        for drawn, hand in itertools.zip_longest(bundle.cases, bundle.hands):
            for case in drawn if isinstance(drawn, Bundle) else (drawn,):
                self.tried(case, hand=hand)

    def _explain(self, failure: Diverged) -> None:
        """Say of a kernel that is wrong whether it is so after other calls alone, or where torch is wrong, too."""
        if self._right_alone(failure):
            failure.args = (f"{DEPENDENT}: {failure}",)
        elif found := self._in_torch(failure):
            failure.add_note(found)

    def diagnose(self, failure: Diverged, entry: Divergence | None = None, cases: int | None = None) -> None:
        """Say when it fails, and when not; of an entry of the ledger, when its example does."""
        case = entry.example if entry else self.failing
        try:
            self.diagnosis = diagnose(self, case, failure, self.diagnosing if cases is None else cases, entry)
        except Exception as trouble:  # what diverged counts for more than when
            failure.add_note(f"No diagnosis: {type(trouble).__name__}: {trouble}")
        if self.diagnosis:
            self.result.diagnosis = str(self.diagnosis)
            about = {"law": self.result.law, "operator": self.result.operator, "entry": entry.id if entry else None}
            self.tally.figures["diagnosis"] = about | self.diagnosis.told
            failure.add_note(f"Diagnosis: {self.diagnosis}.")

    def _right_alone(self, failure: Diverged) -> bool:
        """True if a kernel's call is right in a process in which none was made, or was one of several in a process."""
        call, expected = failure.call, failure.expected
        if call is None or not (self.subject and self.subject.kernels and isinstance(expected, Expected)):
            return False
        if not str(failure).startswith(RESULTS):  # what else it does, it does in any call
            return False
        if call.before is not None:
            return True
        engine = self.engines.by_torch[self.subject.torch]
        engine.renew()
        with counting(Tally()), contextlib.suppress(Diverged):
            verdict(engine.answer(call), {failure.name: expected}, self.subject, failure.group)
            return True
        return False

    def _in_torch(self, failure: Diverged) -> str | None:
        """What torch's own function does on the case on which something else failed, if that is wrong, too."""
        own = self.subject.torchs if self.subject and self.subject.foreign else None
        if own is None or not self.law.on(own):
            return None
        torchs = replace(self, subject=own, algorithm=ELEMENTWISE).divergence(self.failing)
        if torchs is None:
            return None
        entry = known(self.law.name, self.operator, own, self.failing)
        listed = f" (in the ledger: {entry.id})" if entry else ""
        if _first_line(torchs) == _first_line(failure):
            return f"torch's own function does this too{listed}"
        return f"torch's own function is wrong here, too{listed}: {_first_line(torchs)}"

    def divergence(self, case: Any) -> Diverged | None:
        """How the law fails on a case, whatever the ledger knows of it; None where it holds, or nothing is promised."""
        assert self.subject is not None
        try:
            for variant in self.tiers(case):
                trial = Trial.of(self.subject, self.engines, law=self.law.name, algorithm=self.algorithm)
                self.hold(trial, case=variant)
        except Declined:
            return None
        except Diverged as failure:
            return failure
        return None

    def _hold_rounded(self, trial: Trial | None, case: Any) -> tuple[Divergence, ...]:
        """Hold the law; where it fails under entries on rounding, by the bound of sums in the storage.

        Returns those that it needed. Raises Diverged where they do not explain it.
        """
        needed: tuple[Divergence, ...] = ()
        before = copy(self.tally)
        while True:
            try:
                self.hold(replace(trial, roundings=needed) if trial and needed else trial, case=case)
                return needed
            except Diverged:  # perhaps at a call before which another entry was not asked about
                found = tuple(entry for entry in trial.entries if entry.rounds) if trial else ()
                if len(found) == len(needed):
                    raise
                needed = found
                self.tally.take_back(before)

    def hold(self, trial: Trial | None, **about: Any) -> None:
        """Call the law's body with what it asks for."""
        about = {"operator": self.operator, "subject": trial, **about}
        self.law.body(**{name: about[name] for name in self.law.parameters})

    def tiers(self, case: Any) -> Iterator[Any]:
        """Both tiers of a case: its integers, where the operator can be exact, and its real values, where there are."""
        inexact = self.operator and self.operator.inexact
        integral = bool(self.subject and self.subject.integral)
        exact = (self.law.exact or integral) and hasattr(case, "with_integers") and not inexact
        integers = case.with_integers() if exact else None
        if exact:
            yield integers
        if not integral and integers != case:
            yield case

    def _searched(self, settings: hypothesis.settings, seed: int, again: bool = False) -> Callable[[], None]:
        """A search that tries as many cases as the settings say on a subject of the whole budget; again, a quarter.

        The first bundle is empty, since Hypothesis begins with the simplest. Where strategies have turns, a bundle has
        a case of each. Where a case is compiled, it takes so long that a larger bundle saves nothing.
        """
        if self.engines.comparing:
            settings = _of_twins(settings)
        if self.operator and self.subject and self.subject.mode == "dynamic":
            examples = max(2, round(settings.max_examples / families.MEMBERS))
            members = round(families.MEMBERS * self.law.share(self.subject))
            drawn = families.families(self.law, self.operator, members)
            return self._searching(drawn, self.tried_in_turn, settings, examples, seed)
        cases, compiled = self.law.strategy(self.operator), bool(self.subject and self.subject.compiled)
        share = self.share * self.law.budget(self.subject)
        wanted = max(1 if compiled else self.law.least, round(settings.max_examples * share))
        number = wanted if compiled else math.ceil(wanted / bundles.LARGEST)
        drawn = bundles.bundles(cases, math.ceil(wanted / number))
        if not compiled and (turns := self.law.in_turn(self.operator)):
            number = math.ceil(wanted / TURNS)
            drawn = bundles.in_turn([turns[k % len(turns)] for k in range(math.ceil(wanted / number))])
        return self._searching(drawn, self.tried_each, settings, 1 + math.ceil(number / 4 if again else number), seed)

    def _searching(
        self,
        strategy: st.SearchStrategy[Bundle],
        try_all: Callable[[Bundle], None],
        settings: hypothesis.settings,
        examples: int,
        seed: int,
    ) -> Callable[[], None]:
        """The law as Hypothesis's test, which draws the cases in bundles."""

        def tried(case: Bundle) -> None:
            try_all(case)

        name = f"law {self.law.name} {self.result.operator} {self.result.subject}"
        tried.__name__ = tried.__qualname__ = re.sub(r"\W+", "_", name)
        # Hypothesis keys its examples by the source, which is the same for all; so does its plugin add pytest's
        # parameters.
        tried._hypothesis_internal_add_digest = tried.__name__.encode()  # type: ignore[attr-defined]
        test = hypothesis.seed(seed)(hypothesis.given(case=strategy)(tried))
        test = hypothesis.settings(settings, max_examples=examples, backend=BACKEND)(test)
        for example in self.law.examples:
            test = hypothesis.example(case=Bundle((example,)))(test)
        return test

    def _own_seed(self, seed: int | str | None) -> int:
        """The check's own seed: of one seed of a run the same in any process, and on two torches."""
        subject = str(replace(self.subject, torch="")) if self.subject else ""
        return zlib.crc32("\n".join((str(seed), self.law.name, self.result.operator, subject)).encode())

    def _count_pairs(self) -> None:
        """Count the pairs of dealt values, where a subject has the whole budget and takes all of them."""
        narrow = self.domain and self.domain.refused
        if self.dealer and self.share * self.law.budget(self.subject) == 1.0 and not narrow:
            self.tally.pairs, self.tally.pairs_met = self.dealer.pairs, len(self.dealer.met)


def _empty(case: Any) -> bool:
    """True if a case has an operand without elements, on which most kernels do nothing."""
    return isinstance(case, Case) and any(0 in shape for shape in case.shapes.values())


def _first_line(failure: Diverged) -> str:
    return str(failure).partition("\n")[0]


def _of_twins(settings: hypothesis.settings) -> hypothesis.settings:
    """Settings under which two torches are tried on the same cases: none from before."""
    phases = [phase for phase in settings.phases if phase is not Phase.reuse]
    return hypothesis.settings(settings, database=None, phases=phases)
