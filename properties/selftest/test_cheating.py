"""Kernels that cheat get a verdict that says how."""

from __future__ import annotations

from pathlib import Path

from properties.selftest import nested
from properties.selftest.test_kernels import hold, results

CHEATING = Path(__file__).parent / "cheating_kernels.py"
VERDICTS = {
    ("agreement", "conv1d"): "depends on earlier calls: ",
    ("call after call", "linear"): "depends on earlier calls: ",
    ("agreement", "sigmoid"): "changes torch's settings: torch.backends.mkldnn.enabled",
    ("agreement", "tanh"): "changes torch's settings: torch.manual_seed",
    ("agreement", "relu"): "changed its operands in place: input",
    ("agreement", "softmax"): "depends on earlier calls: ",
    ("call after call", "log_softmax"): "depends on earlier calls: ",
    ("own work", "conv1d"): "hands on to torch.convolution: ",
    ("own work", "avg_pool2d"): "hands on to torch.nn.functional.avg_pool2d: what the laws hold is torch's own",
}
"""What is said of each, by the law that says it."""


def test_cheating_is_said(tmp_path: Path) -> None:
    """Each trick is named by the law that sees it."""
    chosen = " or ".join(f"[{name}-" for _, name in VERDICTS)
    laws = "(test_agreement or test_own_work or test_call_after_call)"
    finished = hold(CHEATING, tmp_path, "--subjects=cpu-float64", "-k", f"{laws} and ({chosen})", *nested.UNSHRUNK)
    assert finished.returncode == 1, finished.stdout
    seen = {(line["law"], line["operator"]): line for line in results(tmp_path)}
    for about, said in VERDICTS.items():
        assert str(seen[about]["message"]).startswith(said), seen[about]
    blamed = {about for about, line in seen.items() if about[0] == "own work" and line["status"] == "diverged"}
    assert blamed == {about for about in VERDICTS if about[0] == "own work"}


def test_who_says_that_it_hands_on_is_not_blamed(tmp_path: Path) -> None:
    """A kernel that hands on to torch and says so is not run under the law that would tell."""
    chosen = "test_own_work and [avg_pool2d-"
    finished = hold(CHEATING, tmp_path, "--subjects=cpu-float64", "--without=own-work", "-k", chosen)
    assert finished.returncode == 0, finished.stdout
    (line,) = results(tmp_path)
    assert (line["status"], line["reason"]) == ("not run", "said to be torch's own")
