"""What the padding layers forbid."""

from __future__ import annotations

from hypothesis import strategies as st

from properties.cases.case import Case
from properties.operators import constraints as must

PAD = "torch.nn.functional.pad: "
LAYERS = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}


def padding(mode: str) -> tuple[must.Constraint, ...]:
    """The rules of padding in a mode."""
    layer = f"torch.nn.{LAYERS[mode]}Pad2d"
    even = PAD + "an 'm-elements tuple, where m/2 <= input dimensions and m is even'"
    left = f"{layer}: 'the output dimensions must remain positive'" if mode == "replicate" else f"{layer}, Shape"
    least = 0 if mode == "replicate" else -1  # elsewhere the documents say no more than the formula
    dimension = "the corresponding input dimension'"
    own = {
        "reflect": must.Constraint(
            "reflection is of less than the input", f"{layer}: 'padding size should be less than {dimension}", _much(0)
        ),
        "circular": must.Constraint(
            "a circle is of at most the input", f"{layer}: 'padding size should be less than or equal to {dimension}",
            _much(1),
        ),
    }  # fmt: skip
    of_the_rest = must.Constraint(
        "a circle is of at most what is left",
        f"{layer}: the values at one end pad the other, and 'if negative padding is applied then the ends get removed'",
        _more_than_the_rest,
    )
    return (
        must.Constraint("there is an even number of amounts", even, _one_amount_less),
        must.Constraint("there are amounts for axes alone", even, _too_many_amounts),
        must.Constraint("something is left", left, _cropped_to(least)),
        *([own[mode]] if mode in own else []),
        *([of_the_rest] if mode == "circular" else []),
    )


def _in_some_batch(draw: st.DrawFn, case: Case) -> Case:
    """The same case in a batch of none, one or three, or without an axis."""
    shape, axes = case.shapes["input"], len(case.arguments["padding"]) // 2
    return case.with_shape("input", (*draw(st.sampled_from([(1,), (), (0,), (3,)])), *shape[-axes - 1 :]))


def _one_amount_less(draw: st.DrawFn, case: Case) -> Case:
    case = _in_some_batch(draw, case)
    return case.with_arguments(padding=case.arguments["padding"][:-1])


def _too_many_amounts(draw: st.DrawFn, case: Case) -> Case:
    """Amounts for one axis more than there are."""
    axes = len(case.arguments["padding"]) // 2
    case = case.with_shape("input", case.shapes["input"][-axes:])
    return case.with_arguments(padding=(*case.arguments["padding"], *draw(st.sampled_from([(0, 0), (1, 1)]))))


def _cropped_to(size: int) -> must.Violate:
    """Amounts that leave ``size`` elements, or fewer, along one axis."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        case = _in_some_batch(draw, case)
        axis, left = draw(st.integers(0, len(case.arguments["padding"]) // 2 - 1)), size - draw(st.integers(0, 2))
        whole = case.shapes["input"][-1 - axis]
        before = draw(st.integers(0, whole))
        return _on_axis(case, axis, -before, left - whole + before)

    return violate


def _much(least: int) -> must.Violate:
    """An amount on one side of one axis, at least the input's size plus ``least``."""

    def violate(draw: st.DrawFn, case: Case) -> Case:
        case = _in_some_batch(draw, case)
        axis = draw(st.integers(0, len(case.arguments["padding"]) // 2 - 1))
        amounts = [case.shapes["input"][-1 - axis] + least + draw(st.integers(0, 2)), 0]
        return _on_axis(case, axis, *(reversed(amounts) if draw(st.booleans()) else amounts))

    return violate


def _more_than_the_rest(draw: st.DrawFn, case: Case) -> Case:
    """On one axis, one side loses some elements, perhaps all, and the other takes more than are left, at most all."""
    case = _in_some_batch(draw, case)
    axis = draw(st.integers(0, len(case.arguments["padding"]) // 2 - 1))
    whole = case.shapes["input"][-1 - axis]
    removed = draw(st.integers(1, whole))
    amounts = [-removed, draw(st.integers(whole - removed + 1, whole))]
    return _on_axis(case, axis, *(reversed(amounts) if draw(st.booleans()) else amounts))


def _on_axis(case: Case, axis: int, before: int, after: int) -> Case:
    """The same case with other amounts on one axis, counted from the last."""
    amounts = case.arguments["padding"]
    return case.with_arguments(padding=(*amounts[: 2 * axis], before, after, *amounts[2 * axis + 2 :]))
