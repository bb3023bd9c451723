"""The two JSON Schemas: of evidence, by which it is read, and of results.json, which is built on the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reports.draw.report import dumps
from reports.read import records, schema
from reports.read.load import load
from reports.read.untrusted import Unusable
from reports.tell.report import assemble
from reports.tests import fake_run, validators

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.0, 0.5, 10**12, 10**12 + 1, 10**400, 1e12, 1.1e12, 1e308, float("nan"), float("inf"),
    "", "x", "passed", [], ["x"], [""], [None], {}, {"a": 1},
)  # fmt: skip


@pytest.mark.parametrize("whole", [validators.EVIDENCE, validators.RESULTS], ids=["evidence", "results"])
def test_a_schema_is_one(whole: dict[str, Any]) -> None:
    """JSON Schema's own schema takes it, and what it defines is named by it or by the code that reads."""
    Draft202012Validator.check_schema(whole)
    text = json.dumps([validators.EVIDENCE, validators.RESULTS])
    read = {"benchmark", "benchmarks", "idle_benchmark", "placed", "report", "versioned"}
    assert [name for name in whole["$defs"] if f'#/$defs/{name}"' not in text and name not in read] == []


def test_fake_evidence_has_its_form() -> None:
    """The lines and the benchmarks of these tests, by the whole schema."""
    lines = [fake_run.header(), *fake_run.all_results(), *fake_run.figures(), *fake_run.accumulators()]
    for line in [*lines, fake_run.diagnosis(), fake_run.worker(), *fake_run.faults(), fake_run.END]:
        validators.LINE.validate(line)
    for entry in fake_run.all_benchmarks():
        schema.check(entry, "benchmark")


@pytest.mark.parametrize("field", records.Result._fields)
def test_what_is_plainly_right_is_right(field: str) -> None:
    """A row is taken without asking jsonschema only where jsonschema would take it."""
    for odd in ODD:
        row = {**fake_run.result(), field: odd}
        try:
            taken, _ = records.Result.read(row)
        except Unusable:
            continue
        if field != "worst_share" or taken.worst_share is not None:
            schema.check(row, "result")


def test_defaults_have_their_form() -> None:
    """What is put in place of a key that is not there is what might have been there."""
    for form, rule in schema.FORMS.items():
        for key, own in rule.get("properties", {}).items():
            if "default" in own:
                schema.check(own["default"], schema.named(own), f"{form}.{key}")


def test_results_json_has_its_form(tmp_path: Path) -> None:
    """Of a run with every status, figures, faults and benchmarks; and it is not the form of just anything."""
    fake_run.write_wide(tmp_path)
    whole = assemble(load([tmp_path]))
    validators.REPORT.validate(json.loads(dumps(whole)))
    forms = {"results": "result", "faults": "fault", "figures": "figure", "benchmarks": "benchmark",
             "references": "reference", "environments": "environment", "systems": "system"}  # fmt: skip
    for key, form in forms.items():
        validator = validators.REPORT.evolve(schema={"$ref": f"#/$defs/{form}", "$defs": validators.RESULTS["$defs"]})
        row = json.loads(json.dumps(whole[key][0]))
        assert validator.is_valid(row)
        assert [name for name in row if validator.is_valid({k: v for k, v in row.items() if k != name})] == []
        assert not validator.is_valid({**row, "unknown": 1}), key


def test_a_message_says_where_and_what() -> None:
    """Deep inside, of a key that is not there, and of "this, or null"."""
    training = fake_run.training()
    for path, value, told in (
        (("extra_info", "over_book", "low"), "x", "extra_info.over_book.low is 'x', not a finite number from 10"),
        (("extra_info", "conditions"), [1], "extra_info.conditions is a list, not an object"),
        (("stats", "data"), [], "stats.data is a list of 0, not a list of 1 to 100,000 times above 0"),
    ):
        entry = json.loads(json.dumps(training))
        inner = entry
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        with pytest.raises(Unusable) as refused:
            schema.check(entry, "benchmark")
        assert str(refused.value).startswith(told)
    with pytest.raises(Unusable, match=r"^extra_info is missing, not an object$"):
        schema.check({"name": "x", "stats": {"data": [1]}}, "benchmark")


def test_deep_values_are_refused_and_not_followed() -> None:
    """Nested as deep as a reader of JSON goes, where a text should be."""
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    with pytest.raises(Unusable, match=r"is a list, not text|nested too deeply"):
        schema.check({**fake_run.result(), "law": deep}, "result")
