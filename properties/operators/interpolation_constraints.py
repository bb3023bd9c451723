"""What torch.nn.functional.interpolate forbids."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from properties.cases.case import Case
from properties.operators import constraints as must

LAYER = "torch.nn.functional.interpolate: "


def interpolation(modes: Collection[tuple[int, str]], flags: Collection[str]) -> tuple[must.Constraint, ...]:
    """The rules of some modes, which take some flags."""
    own = {
        "align_corners": must.argument_is(
            "antialias is for two axes", "antialias", (True,), LAYER + "'Supported modes: bilinear, bicubic, lanczos'"
        ),
        "antialias": must.Constraint(
            "antialias is for sums", LAYER + "'Supported modes: bilinear, bicubic, lanczos'", _mode("nearest", "area")
        ),
        "": must.argument_is(
            "align_corners is for sums", "align_corners", (False, True),
            LAYER + "'align_corners option can only be set with the interpolating modes'",
        ),
    }  # fmt: skip
    two_axes = any(axes == 2 and mode in ("bilinear", "bicubic") for axes, mode in modes)
    flag = next(iter(flags), "")
    return (
        must.Constraint("there is a size or a factor", LAYER + "'given size or the given scale_factor'", _both),
        must.Constraint(
            "there is one for each axis",
            LAYER + "'its length has to match the number of spatial dimensions'",
            _too_many,
        ),
        must.Constraint("there is something to give", LAYER + "size is the 'output spatial size'", _nothing),
        must.Constraint("recompute_scale_factor has a factor", LAYER + "'then scale_factor must be passed in'", _anew),
        must.Constraint("there are images and channels", LAYER + "'mini-batch x channels x ...'", _unbatched),
        *(() if flag == "align_corners" and two_axes else (own[flag],)),
    )


def _told(case: Case, **told: Any) -> Case:
    """The same case with another size or factor."""
    kept = {n: v for n, v in case.arguments.items() if n not in ("size", "scale_factor", "recompute_scale_factor")}
    return replace(case, arguments={**kept, **told})


def _both(draw: st.DrawFn, case: Case) -> Case:
    axes = len(case.shapes["input"]) - 2
    both = {"size": (2,) * axes, "scale_factor": (2.0,) * axes}
    return _told(case, **draw(st.sampled_from([both, {}])))


def _too_many(draw: st.DrawFn, case: Case) -> Case:
    axes = len(case.shapes["input"]) - 1
    told: list[dict[str, Any]] = [{"size": (2,) * axes}, {"scale_factor": (2.0,) * axes}]
    return _told(case, **draw(st.sampled_from(told)))


def _nothing(draw: st.DrawFn, case: Case) -> Case:
    axes = len(case.shapes["input"]) - 2
    at, least = draw(st.integers(0, axes - 1)), draw(st.sampled_from([0, -1]))
    return _told(case, size=tuple(least if axis == at else 2 for axis in range(axes)))


def _anew(draw: st.DrawFn, case: Case) -> Case:
    return _told(case, size=(2,) * (len(case.shapes["input"]) - 2), recompute_scale_factor=True)


def _mode(*modes: str) -> must.Violate:
    """A mode that there is not, or not here."""
    return lambda draw, case: case.with_arguments(mode=draw(st.sampled_from(modes)))


def _unbatched(draw: st.DrawFn, case: Case) -> Case:
    """Without images: as many sizes as there are axes, one of which would have to be that of the channels."""
    return case.with_shape("input", case.shapes["input"][1:])
