"""The two schemas as any reader of JSON Schema would use them."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from reports.read import schema

EVIDENCE = json.loads(schema.FILE.read_text(encoding="utf-8"))
RESULTS = json.loads((schema.FILE.parent.parent / "results.schema.json").read_text(encoding="utf-8"))
REGISTRY = Registry().with_resource("read/evidence.schema.json", DRAFT202012.create_resource(EVIDENCE))
LINE = Draft202012Validator(EVIDENCE)
REPORT = Draft202012Validator(RESULTS, registry=REGISTRY)
