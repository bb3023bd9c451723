"""The chapter's systems: their formulas are well formed, and their loops are where the page says."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from reports.draw.mathml import mathml
from reports.tell.chapter import SYSTEMS, System, lines

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.id)
def test_the_loop_is_where_the_page_says(system: System) -> None:
    """The named file defines the named functions (read as text: the report imports nothing of the suite)."""
    tree = ast.parse((ROOT / system.path).read_text(encoding="utf-8"))
    assert set(system.functions) <= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    source = (ROOT / system.path).read_text(encoding="utf-8").splitlines()
    for name in system.functions:
        assert source[lines(system.path)[name] - 1].startswith((f"def {name}(", "@"))


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.id)
def test_the_formula_is_well_formed(system: System) -> None:
    """The MathML parses, keeps every letter and digit of its line, and leaves no brace behind."""
    shown = "".join(ElementTree.fromstring(mathml(system.formula)).itertext())
    assert not set(shown) & set("{}_^")
    line = system.formula.replace("frac", "").replace("sqrt", "")
    assert sorted(filter(str.isalnum, shown)) == sorted(filter(str.isalnum, line))


@pytest.mark.parametrize("formula", ["a}", "{a", "frac{a}{b", "x_{i"])
def test_unbalanced_braces_are_refused(formula: str) -> None:
    """A formula written wrongly fails when it is set, not in the reader's browser."""
    with pytest.raises(ValueError, match="brace"):
        mathml(formula)


def test_text_of_a_formula_is_escaped() -> None:
    """A sign that HTML would take for a tag is written as an entity."""
    assert "<mo>&lt;</mo>" in mathml("a < b")
