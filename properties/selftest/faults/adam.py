"""Wrong steps of Adam and AdamW."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from properties.selftest.faults.record import fault
from properties.worker.programs import adam as programs
from properties.worker.programs.adam import adam_steps, adamw_steps
from properties.worker.programs.optimizer import in_turn


@fault("agreement", "adam_steps")
def decay_beside_the_step(**given: Any) -> dict[str, Tensor]:
    """Adam that decays weights beside the step, as AdamW does."""
    return adamw_steps(**given)


@fault("agreement", "adamw_steps")
def decay_within_the_gradient(**given: Any) -> dict[str, Tensor]:
    """AdamW that adds the decay to the gradient, as Adam does."""
    return adam_steps(**given)


@fault("agreement", "adam_steps")
def swapped_betas(betas: tuple[float, float], **given: Any) -> dict[str, Tensor]:
    """Adam whose betas are swapped."""
    return adam_steps(betas=betas[::-1], **given)


@fault("agreement", "adam_steps")
def latest_square(amsgrad: bool = False, **given: Any) -> dict[str, Tensor]:
    """AMSGrad that divides by the latest average of squares, and keeps the largest all the same."""
    latest = adam_steps(**given)
    return adam_steps(amsgrad=True, **given) | latest if amsgrad else latest


class FromTheFirstStep(torch.optim.Adam):
    """An Adam whose averages are corrected as if each step were the first."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step whose number is 1."""
        for state in self.state.values():
            state["step"].zero_()
        super().step(closure)


@fault("agreement", "adam_steps")
def always_the_first_step(**given: Any) -> dict[str, Tensor]:
    """Adam that corrects its averages as if each step were the first."""
    counted = {name: n for name, n in adam_steps(**given).items() if name.startswith("step")}
    return in_turn(FromTheFirstStep, programs.moments(), **given) | counted


@fault("agreement", "adamw_steps")
def skipped_steps_counted(steps: tuple[str, ...], **given: Any) -> dict[str, Tensor]:
    """AdamW that counts the steps that are skipped."""
    results = adamw_steps(steps=steps, **given)
    skipped = sum(step == "overflowing" for step in steps)
    return {name: value + skipped if name.startswith("step") else value for name, value in results.items()}


class EpsBeforeTheCorrection(torch.optim.AdamW):
    """An AdamW that divides by what eps was added to, corrected."""

    taken = 0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step with the eps that comes to the same."""
        self.taken += 1
        (group,) = self.param_groups
        group["eps"] = self.defaults["eps"] / (1.0 - group["betas"][1] ** self.taken) ** 0.5
        super().step(closure)


@fault("agreement", "adamw_steps")
def eps_before_the_correction(**given: Any) -> dict[str, Tensor]:
    """AdamW that adds eps to the root before its average is corrected."""
    return in_turn(EpsBeforeTheCorrection, programs.moments(), **given)
