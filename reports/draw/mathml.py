"""Formulas as MathML, which browsers set without a script, from one readable line of Unicode.

The line is TeX's idea with Unicode's signs: ``x_{i,j}``, ``e^{−x}``, ``frac{a}{b}``, ``sqrt{a}``; a subscript of
∑, ∏ or max goes below it. A semicolon sets two formulas apart; spaces only separate.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_TOKEN = re.compile(r"\s*([^\W\d_]+|\d+(?:[.,]\d+)*|[^\s])")
_BELOW = {"∑", "∏", "max", "∫"}
_WORD_OPERATORS = {"max", "min", "log"}


def mathml(formula: str) -> Markup:
    """The formula as a ``<math>`` element, with the line itself as its text for a reader of the page aloud.

    >>> print(mathml("y_i = 2"))
    <math display="block" aria-label="y_i = 2"><msub><mi>y</mi><mi>i</mi></msub><mo>=</mo><mn>2</mn></math>
    """
    tokens = _TOKEN.findall(formula)
    content = _row(tokens)
    if tokens:
        raise ValueError(f"unbalanced braces in the formula {formula!r}")
    return Markup('<math display="block" aria-label="{}">{}</math>').format(formula, Markup("").join(content))


def _row(tokens: list[str]) -> list[Markup]:
    """Consume ``tokens`` up to a closing brace, which is left."""
    row: list[Markup] = []
    while tokens and tokens[0] != "}":
        row.append(_scripted(tokens))
    return row


def _group(tokens: list[str]) -> Markup:
    """One argument: a braced row or a single atom."""
    if tokens[0] != "{":
        return _atom(tokens)
    tokens.pop(0)
    row = _row(tokens)
    if not tokens:
        raise ValueError("a brace is opened and not closed")
    tokens.pop(0)
    return row[0] if len(row) == 1 else Markup("<mrow>{}</mrow>").format(Markup("").join(row))


def _scripted(tokens: list[str]) -> Markup:
    below = tokens[0] in _BELOW
    base = _group(tokens)
    scripts: dict[str, Markup] = {}
    while tokens and tokens[0] in ("_", "^"):
        sign = tokens.pop(0)
        scripts[sign] = _group(tokens)
    tags = {"_": "munder", "^": "mover", "_^": "munderover"} if below else {"_": "msub", "^": "msup", "_^": "msubsup"}
    if not scripts:
        return base
    tag = Markup(tags["".join(sorted(scripts, reverse=True))])
    arguments = Markup("").join(scripts[sign] for sign in sorted(scripts, reverse=True))
    return Markup("<{tag}>{base}{arguments}</{tag}>").format(tag=tag, base=base, arguments=arguments)


def _atom(tokens: list[str]) -> Markup:
    token = tokens.pop(0)
    if token == "frac":
        return Markup("<mfrac>{}{}</mfrac>").format(_group(tokens), _group(tokens))
    if token == "sqrt":
        return Markup("<msqrt>{}</msqrt>").format(_group(tokens))
    if token == ";":
        return Markup('<mspace width="1.4em"/>')
    if token[0].isdigit():
        return Markup("<mn>{}</mn>").format(token)
    if token[0].isalpha() and token not in _WORD_OPERATORS and token not in _BELOW:
        return Markup("<mi>{}</mi>").format(token)
    return Markup("<mo>{}</mo>").format(escape(token))
