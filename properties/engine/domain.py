"""What a subject that stands for torch takes: some cases ask for each feature before any law does.

What is refused by whatever exception, and in all of these cases, is one finding. The laws then go on with cases that do
without it. What is refused in some cases and answered rightly in others is the laws' own to find.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
from hypothesis import Phase

from properties.cases.case import Case
from properties.cases.dealing import BACKEND
from properties.engine.trial import Engines, Trial
from properties.operators import CATALOGUE, Operator, features
from properties.operators.features import Feature, Part
from properties.subjects import Declined, Subject, Undefined
from properties.verdicts.tally import Tally, counting
from properties.verdicts.verdict import BUG, UNCLEAN, Diverged, verdict
from properties.worker.call import Call, Outcome
from properties.worker.execute import NO_TENSOR, named_functions

LAW = "domain"
"""The law that tells what is refused."""
OWN_WORK = "own work"
"""What the laws' names begin with that tell who hands on to torch."""
PROBES = 8
"""Cases that ask for a feature before it counts as refused."""
DRAWN = 64
"""Cases among which those are looked for."""
LARGEST = 20_000
"""Elements of the largest operand of a case that is asked."""
DRAWS = hypothesis.settings(
    phases=[Phase.generate], max_examples=DRAWN, database=None, deadline=None, backend=BACKEND,
    suppress_health_check=list(hypothesis.HealthCheck),
)  # fmt: skip
EVERYTHING = "everything"
DECLARED = "said not to be taken"
DECLINING = "NotImplementedError"
"""How a subject itself says that it does not take something: no finding."""
NO_REFUSAL = (*UNCLEAN, "SystemExit", "KeyboardInterrupt")
"""Ways in which a call can end without an answer that are no refusal."""
GRADIENTS = ("gradients", "second-gradients")


@dataclass(frozen=True)
class Domain:
    """What a subject takes of an operator.

    refused: features by their words, each with what the subject said. findings: of these, by their words, what a
    subject should take and does not. nothing: why it takes no case at all, None if it takes some.
    """

    operator: Operator
    refused: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, str] = field(default_factory=dict)
    nothing: str | None = None

    @property
    def narrowed(self) -> Operator:
        """The operator with cases, and results, that the subject takes."""
        return features.without(self.operator, self.refused) if self.refused else self.operator

    @property
    def answers(self) -> list[str]:
        """What the subject takes in place of what it refuses."""
        return [each.instead for each in features.of(self.operator) if each.word in self.refused]

    def declining(self, words: Collection[str]) -> str:
        """What the subject declines, in words."""
        return f"declines {', '.join(_what(self.operator, word) for word in sorted(words))}"

    @property
    def told(self) -> dict[str, Any]:
        """The domain as it is written down."""
        return {"operator": self.operator.name, "answers": self.answers, "refused": dict(self.refused)}

    def check(self, call: Call) -> None:
        """Raise Declined for a call that asks for what is refused."""
        if not self.refused or call.program not in (self.operator.program, features.VALUES.get(self.operator.program)):
            return
        if words := features.asked(self.operator, call) & self.refused.keys():
            raise Declined(self.declining(words))


@dataclass(eq=False)
class Domains:
    """The domains of a run's subjects, each asked for once.

    without: the words of what the subjects are said not to take. subjects: those of the run. What is refused in one
    dtype is no finding in the next, and what one operator's function refuses is none of another operator's, whose
    function it is, too.
    """

    engines: Engines
    without: Collection[str] = ()
    subjects: Sequence[Subject] = ()
    _found: dict[tuple[str, Subject], Domain | Undefined] = field(default_factory=dict)

    def of(self, operator: Operator, subject: Subject) -> Domain:
        """What a subject takes of an operator. Raises Undefined where it has no part in it."""
        found, told = self._asked(operator, subject), self._told(operator, subject)
        return replace(found, findings={word: said for word, said in found.findings.items() if word not in told})

    def _told(self, operator: Operator, subject: Subject) -> set[str]:
        """What is told of the same function, of the operator that it serves first, or in the run's first dtype."""
        first = next((s for s in self.subjects if replace(s, dtype=subject.dtype) == subject), subject)
        same, told = next(each for each in CATALOGUE if _serves(each, operator)), set[str]()
        for other in {(operator, first), (same, subject), (same, first)} - {(operator, subject)}:
            with contextlib.suppress(Undefined):
                told |= self._asked(*other).findings.keys()
        return told

    def _asked(self, operator: Operator, subject: Subject) -> Domain:
        key = operator.name, subject
        if key not in self._found:
            try:
                wide = replace(subject, dtype="float32")
                elsewhere = wide != subject and self._asked(operator, wide).nothing is None
                self._found[key] = _Asking(operator, subject, self.engines, self.without).domain(elsewhere)
            except Undefined as undefined:
                self._found[key] = undefined
        found = self._found[key]
        if isinstance(found, Undefined):
            raise found
        return found


@dataclass(frozen=True)
class _Asking:
    """A subject that is asked what it takes of an operator; declared: what it is said not to take."""

    operator: Operator
    subject: Subject
    engines: Engines
    declared: Collection[str]

    def domain(self, elsewhere: bool) -> Domain:
        """What the subject takes. elsewhere: whether it takes anything in another dtype."""
        dtype = self.subject.dtype
        refused = {word: DECLARED for word in (dtype, *self._words) if word in self.declared}
        plain, found = self._plain_form()
        if plain is None:
            refused.setdefault(dtype if elsewhere else EVERYTHING, found[EVERYTHING])
        else:
            refused = found | refused
            for each in features.of(self.operator):
                if each.word not in plain or refused.keys() & {each.word, *each.needs}:
                    continue
                if error := self._refusal(plain - {each.word, *each.needs}, each):
                    refused[each.word] = error
        findings = {word: said for word, error in refused.items() if (said := self._finding(word, error, plain))}
        return Domain(self.operator, refused, findings, _nothing(refused, dtype))

    @property
    def _words(self) -> set[str]:
        return {each.word for each in features.of(self.operator)}

    def _plain_form(self) -> tuple[set[str] | None, dict[str, str]]:
        """What cases must do without to be answered, and what is refused for that; None where nothing is answered.

        Most kernels take a batch, and no bias; some take an example alone, or need a bias, or return indices always.
        """
        usual = self._words - set(features.COMPLEMENTS.values())
        first = self._refusal(usual, least=DRAWN)
        if first is None:
            return usual, {}
        choices = [word for word in (*features.COMPLEMENTS, "indices") if word in usual]
        for number in range(1, len(choices) + 1):
            for taken in itertools.combinations(choices, number):
                others = {features.COMPLEMENTS[word] for word in taken if word in features.COMPLEMENTS}
                if self._refusal(plain := usual - set(taken) | others) is None:
                    return plain, dict.fromkeys(others, first)
        return None, {EVERYTHING: first}

    def _refusal(self, words: set[str], each: Feature | Part | None = None, least: int = PROBES) -> str | None:
        """How cases are refused, if so many are; None where one is answered, or none asks for that.

        Some that ask for a feature may be answered, if all of these are wrong: what reads an image without a batch as
        several without channels answers where the sizes happen to fit.
        """
        errors, mistakes = [], []
        for case, outcome in itertools.islice(self._outcomes(words, each), least):
            kind = (outcome.error or "").partition(":")[0]
            if kind in NO_REFUSAL or any(sign in (outcome.error or "") for sign in (BUG, NO_TENSOR)):
                return None
            if outcome.error:
                errors.append(outcome.error.partition("\n")[0])
            elif each and each.word not in GRADIENTS and (mistake := self._mistake(words, case, outcome)):
                mistakes.append(mistake)
            else:
                return None
        return ", or else answers wrongly: ".join((errors[0], *mistakes[:1])) if errors else None

    def _finding(self, word: str, error: str, plain: set[str] | None) -> str | None:
        """What is wrong with a refusal; nothing, if the subject itself says that it does not implement this."""
        what = _what(self.operator, word)
        if error == DECLARED:
            wrong = self._wrong(word, plain or self._words - set(features.COMPLEMENTS.values()))
            return f"answers {what}, though it is said not to take it, and wrongly: {wrong}" if wrong else None
        return None if error.startswith(DECLINING) else f"refuses {what} ({error}), which torch takes"

    def _wrong(self, word: str, plain: set[str]) -> str | None:
        """What is wrong with an answer to what the subject is said not to take; None if it refuses, or is right."""
        each = next((each for each in features.of(self.operator) if each.word == word), None)
        words = plain - {word, *(each.needs if each else ())} - _against(word)
        answers = itertools.islice(self._outcomes(words, each), PROBES)
        mistakes = (self._mistake(words, case, outcome) for case, outcome in answers if not outcome.error)
        return next(filter(None, mistakes), None)

    def _mistake(self, words: set[str], case: Case, outcome: Outcome) -> str | None:
        """What is wrong with an answer; None if it is right."""
        format, about = self.subject.format, features.without(self.operator, words)
        expected = about.expected(self.operator.operands(case, format), case.arguments, format)
        try:
            with counting(Tally()):
                verdict(outcome, expected, self.subject)
        except Diverged as failure:
            return str(failure)
        return None

    def _outcomes(self, words: set[str], each: Feature | Part | None) -> Iterator[tuple[Case, Outcome]]:
        """What comes of cases that ask for a feature and do without others."""
        trial, about = Trial.of(self.subject, self.engines), features.without(self.operator, words)
        for case in drawn(self.operator):
            if isinstance(each, Feature) and each.given:
                case = each.given(self.operator, case)
            case = features.case_without(self.operator, case, words)
            if isinstance(each, Feature) and not each.asked(self.operator, case):
                continue
            format, word = self.subject.format, each.word if each else None
            operands = self.operator.operands(case, format)
            cotangent = self.operator.cotangent(case, format) if word in GRADIENTS else None
            directions = self.operator.directions(case, format) if word == GRADIENTS[1] else None
            about_case = (operands, case.arguments, cotangent, directions)
            try:
                yield case, trial.run(about.program, *about_case, setting=case.setting)
            except Undefined:
                raise
            except Declined as reason:
                yield case, Outcome(error=f"{DECLINING}: {reason}")


def _serves(one: Operator, other: Operator) -> bool:
    """True if an operator's function is another's, too, as the convolution of a padded one is."""
    names = named_functions(one.program)
    return one.name == other.name or (bool(names) and names <= named_functions(other.program))


@functools.cache
def drawn(operator: Operator) -> tuple[Case, ...]:
    """Cases of an operator, none of them large; the same in any process."""
    found: list[Case] = []

    @hypothesis.seed(0)
    @DRAWS
    @hypothesis.given(case=operator.cases)
    def each(case: Case) -> None:
        if max(map(math.prod, case.shapes.values()), default=0) <= LARGEST:
            found.append(case)

    each()
    return tuple(found)


def _what(operator: Operator, word: str) -> str:
    """What a word means of an operator."""
    return next((each.what for each in features.of(operator) if each.word == word), word)


def _against(word: str) -> set[str]:
    """The complement of a feature: no case can do without both."""
    pairs = features.COMPLEMENTS.items()
    return {other for pair in pairs if word in pair for other in pair}


def _nothing(refused: Mapping[str, str], dtype: str) -> str | None:
    """Why no case is left, None if some are."""
    word = next((word for word in (dtype, EVERYTHING) if word in refused), None)
    if word is None:
        return None
    error = refused[word]
    return error.removeprefix(f"{DECLINING}: ") if error.startswith(DECLINING) else f"refuses {word} ({error})"
