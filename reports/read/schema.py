"""The form of evidence is said once, in ``evidence.schema.json``; values are held to it by jsonschema.

A form is a definition of that file. NaN and infinity, which Python writes into JSON, are no numbers here.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from reports.read.untrusted import Record, Unusable, clean, described, text

FILE = Path(__file__).with_name("evidence.schema.json")
FORMS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))["$defs"]
NEWEST = 1
"""The newest ``schema_version`` that this program reads, of evidence and of results.json."""


def check(value: object, form: str, name: str = "") -> None:
    """Raise `Unusable` unless ``value`` has this form; the text says where it has not, and what should be there.

    >>> check({"part": 0, "of": 4}, "split", "split")
    Traceback (most recent call last):
        ...
    reports.read.untrusted.Unusable: split.part is 0, not a whole number from 1 to 1000
    """
    try:
        for error in _validator(form).iter_errors(value):
            raise Unusable(_told(error, name))
    except RecursionError:  # the library shows what it found in its own words, however deep that is
        raise Unusable(f"{name or 'a value'} is nested too deeply") from None


def check_version(value: Record) -> None:
    """Raise `Unusable` unless ``schema_version`` is one that this program reads."""
    check(value, "versioned")
    if value["schema_version"] > NEWEST:
        found = described(value["schema_version"])
        raise Unusable(f"schema_version {found} is newer than {NEWEST}, the newest that this program reads")


def taken(value: Any, form: str) -> Any:
    """What a form names of a value that has it, safe to store; what is not there has its default, or None if it may.

    >>> taken({"part": 1, "of": 4, "later": "x"}, "split")
    {'part': 1, 'of': 4, 'checks': None}
    """
    return _taken(value, FORMS[form])


def _taken(value: Any, rule: dict[str, Any]) -> Any:
    rule = _resolved(rule)
    if isinstance(value, dict) and "properties" in rule:
        return {
            key: _taken(value[key], own) if key in value else clean(own.get("default"))
            for key, own in rule["properties"].items()
            if key in value or "default" in own or _may_be_null(own)
        }
    if isinstance(value, list) and "items" in rule:
        return [_taken(item, rule["items"]) for item in value]
    return clean(value)


def _may_be_null(rule: dict[str, Any]) -> bool:
    while "$ref" in rule:
        rule = FORMS[named(rule)]
    return "anyOf" in rule or "null" in rule.get("type", ["null"])


def _resolved(rule: dict[str, Any]) -> dict[str, Any]:
    """What a reference, or "this, or null", stands for."""
    while "$ref" in rule or "anyOf" in rule:
        rule = FORMS[named(rule)] if "$ref" in rule else rule["anyOf"][0]
    return rule


def form_of(kind: str, within: str) -> str | None:
    """The form that ``within`` demands of values of this kind or name, None if it demands none.

    >>> form_of("training", "extra_info"), form_of("worker", "figure"), form_of("unknown", "figure")
    ('training', 'worker', None)
    """
    for rule in FORMS[within]["allOf"]:
        (condition,) = rule["if"]["properties"].values()
        if condition["const"] == kind:
            then = rule["then"] if "$ref" in rule["then"] else rule["then"]["properties"]["data"]
            return named(then)
    return None


def named(rule: dict[str, Any]) -> str:
    """The form to which a rule refers."""
    return str(rule["$ref"]).rpartition("/")[2]


@cache
def _validator(form: str) -> Any:
    return _Validator({"$ref": f"#/$defs/{form}", "$defs": FORMS})


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: object) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number}),
)


def _told(error: ValidationError, name: str) -> str:
    while error.context:  # of "this, or null" it is this that is missed
        error = error.context[0]
    where = [name, *map(str, error.absolute_path)] if name else list(map(str, error.absolute_path))
    found, rule = described(error.instance), error.schema
    if error.validator in ("minItems", "maxItems", "minProperties", "maxProperties"):
        found += f" of {len(error.instance):,}"
    if error.validator == "required":
        missed = next(key for key in error.validator_value if key not in error.instance)
        where, found, rule = [*where, missed], "missing", error.schema["properties"][missed]
    return f"{text('.'.join(where), 80) or 'the line'} is {found}, not {_title(rule)}"


def _title(rule: dict[str, Any]) -> str:
    """What a rule demands, in words."""
    return str(_resolved(rule).get("title", "what it should be"))
