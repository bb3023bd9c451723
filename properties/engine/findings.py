"""What is kept of a divergence: a script that shows it, and the text of a ledger entry for a person to complete."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import pprint
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from properties.engine import repro
from properties.engine.diagnosis import Diagnosis
from properties.engine.rules import Rule
from properties.operators import CATALOGUE, Operator
from properties.subjects import Subject
from properties.subjects.environment import environment
from properties.verdicts import evidence
from properties.verdicts.verdict import Vacuous
from refimpl.rounding import FORMATS

STUB = '''"""Found by the search: {title}.

{seen}

Find out which is wrong: the law, the loop or torch. If it is torch, complete what is "..." below, check the severity,
which is a guess, and move the entry to the module of properties/ledger/ that is called after what is wrong. {dtypes}

{script}
"""

{imports}


@known(
    {id!r},
    ({operator!r},),
    severity={severity!r},
    laws=({law!r},),
    devices=({device!r},),
    dtypes={affected!r},
    modes=({mode!r},),
    backends=({backend!r},),
    seen={version!r},
    upstream=...,  # the address of the issue, or None
    why=...,  # with the document that says so
    example={example},
)
def holds(case: Case, subject: Subject) -> bool:  # to be called after the condition
    """{what}."""
{condition}
'''

UNKNOWN = "    return ...  # the smallest condition that explains it"
DRAFT = """\
    # A draft: {diagnosis}.
    # Say it as the condition that explains it.
    facts = facts_of(operator({operator!r}), case, subject.format)
    return {condition}"""
"""Of a predicate, by the diagnosis."""

MOST = 2**23
"""Elements of operands that a script holds."""
SEVERITIES = {
    r"raised (NativeCrash|Hung|OutOfMemory|Exited)": "crash",
    r"raised ": "valid arguments rejected",
    r".* has shape ": "wrong shape",
    r"gradient ": "wrong gradient",
}
"""What a message begins with, and the class of defect that it speaks of; any other is a silent wrong value."""


def script(result: evidence.Result, failure: AssertionError, folder: Path) -> None:
    """Write a script of the call that diverged below a folder, and note it in the result.

    Where a law does not say what the call should have given, the operator's loops do. Where the script cannot be
    written, the failure and the result say so.
    """
    call, expected = getattr(failure, "call", None), getattr(failure, "expected", None)
    group, name = getattr(failure, "group", "outputs"), getattr(failure, "name", "output")
    described = next((o for o in CATALOGUE if o.name == result.operator), None)
    call = call or result.tally.call
    if call is None or isinstance(failure, Vacuous):
        return
    if (elements := sum(math.prod(np.shape(values)) for values in call.operands.values())) > MOST:
        result.message = f"{result.message}\nno script: it would hold {elements:,} elements"
        return
    if expected is None and described and call.program is described.program:
        # The loops refuse arguments that are not valid, and no memory may hold what others ask for.
        with contextlib.suppress(ValueError, MemoryError):
            expected = described.expected(call.operands, call.arguments, FORMATS[call.dtype])["output"]
        group, name = "outputs", "output"
    source = f"{described.layer}; {result.title}" if described else result.title
    title = f"{result.law} {result.operator} {result.subject}"
    try:
        path = repro.write(folder / "repro", title, call, str(result.message), source, expected, group, name)
    except OSError as error:  # what diverged counts for more than its script
        said = f"no script: {evidence.unwritten(error, folder / 'repro')}"
        result.message = f"{result.message}\n{said}"
        failure.add_note(said)
    else:
        result.repro = f"repro/{path.name}"


def stub(
    result: evidence.Result,
    operator: Operator,
    subject: Subject,
    case: object,
    dtypes: Iterable[str],
    folder: Path,
    diagnosis: Diagnosis | None = None,
) -> Path:
    """Write the text of a ledger entry below a folder; ``dtypes`` are those in which the case diverges.

    The diagnosis is the first draft of its predicate.
    """
    rule = diagnosis.rule if diagnosis and diagnosis.rule.conditions else None
    title = f"{result.law} {operator} {subject}"
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", title).strip("-")
    message = str(result.message).partition("\n")[0]
    affected = tuple(dtypes)
    text = STUB.format(
        title=title, seen=_quoted(str(result.message)), imports=_imports(case, bool(rule)), id=slug,
        severity=severity(message),
        operator=operator.name, law=result.law, device=subject.device, affected=affected, what=_quoted(message),
        version=subject.torch.removeprefix("torch-") or environment()["torch"].partition("+")[0],
        example=_indented(pprint.pformat(case, width=100, sort_dicts=False)), mode=subject.mode,
        backend=subject.backend,
        dtypes=f"Of the dtypes that were tried, the example diverges in {', '.join(affected)}.",
        script=f"Its script: {result.repro}." if result.repro else "It has no script.",
        condition=_draft(diagnosis, rule, operator) if diagnosis and rule else UNKNOWN,
    )  # fmt: skip
    path = folder / "stubs" / f"{slug}.py"
    evidence.write_whole(path, text)
    return path


def _draft(diagnosis: Diagnosis, rule: Rule, operator: Operator) -> str:
    return DRAFT.format(diagnosis=diagnosis.when, operator=operator.name, condition=rule.code)


def severity(message: str) -> str:
    """The class of defect that a message speaks of.

    >>> severity("raised NativeCrash: SIGSEGV, but these arguments are valid")
    'crash'
    """
    return next((kind for start, kind in SEVERITIES.items() if re.match(start, message)), "silent wrong value")


def _quoted(message: str) -> str:
    return message.strip().replace("\\", "\\\\").replace('"""', "'''")


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _imports(case: object, drafted: bool) -> str:
    needed = {
        ("properties.cases.case", "Case"), ("properties.ledger.record", "known"), ("properties.subjects", "Subject"),
        *_kinds(case),
    }  # fmt: skip
    if drafted:
        needed |= {("properties.operators", "operator"), ("properties.operators.facts", "facts_of")}
    lines = [f"from {module} import {name}" for module, name in sorted(needed)]
    constants = [f"from numpy import {name}" for name in ("inf", "nan") if re.search(rf"\b{name}\b", repr(case))]
    return "\n".join(["from __future__ import annotations\n", *([*constants, ""] if constants else []), *lines])


def _kinds(thing: Any) -> Iterator[tuple[str, str]]:
    """The classes that the text of a case names."""
    if dataclasses.is_dataclass(thing):
        yield type(thing).__module__, type(thing).__qualname__
        thing = [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    if isinstance(thing, Mapping):
        thing = list(thing.values())
    if isinstance(thing, list | tuple):
        for part in thing:
            yield from _kinds(part)
