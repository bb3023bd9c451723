"""Scripts: what runs in a fork runs as it would in a process of its own, and one that hangs is told from a late one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from properties.laws import test_ledger
from properties.subjects import scripts
from properties.subjects.workers import Late
from properties.verdicts.verdict import Diverged

LOOKS = """
import json, os, sys, threading
import torch
where = [__name__, __file__, sys.argv, sys.path[0], sys.modules["__main__"].__file__]
names = sorted(name for name in globals() if not name.startswith("__"))
suite = [name for name in sys.modules if name.split(".")[0] in ("properties", "refimpl", "hypothesis", "pytest")]
threads = threading.active_count(), torch.get_num_threads()
print(json.dumps([where, suite, names, threads, sys.stdin.read(), os.environ["MALLOC_PERTURB_"]]))
"""


@pytest.fixture(params=["forked", "in a new process"])
def run(request: pytest.FixtureRequest, script: scripts.Run) -> scripts.Run:
    """Both ways to run a script."""
    return script if request.param == "forked" else scripts.run_in_new_process


def written(folder: Path, text: str) -> Path:
    """A script with a text."""
    path = folder / "script.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_fork_is_like_a_new_process(script: scripts.Run, tmp_path: Path) -> None:
    """Names, arguments, modules, threads, standard input and environment are the same."""
    path = written(tmp_path, LOOKS)
    seen, own = (json.loads(run(path, 60.0).stdout) for run in (script, scripts.run_in_new_process))
    assert seen == own
    assert seen[0][:4] == ["__main__", str(path), [str(path)], str(tmp_path)]
    assert seen[1] == []


@pytest.mark.parametrize(
    "text, status, out, err",
    [
        ("print('right')", 0, "right\n", ""),
        ("import sys; print('wrong'); sys.exit(True)", 1, "wrong\n", ""),
        ("import sys; sys.exit('why')", 1, "", "why\n"),
        ("raise ValueError('why')", 1, "", "ValueError: why\n"),
        ("import ctypes; ctypes.string_at(0)", -11, "", ""),
        ("import os; os.abort()", -6, "", ""),
        ("import atexit; atexit.register(print, 'end')", 0, "end\n", ""),
    ],
)
def test_how_it_ends(run: scripts.Run, tmp_path: Path, text: str, status: int, out: str, err: str) -> None:
    """The exit status or the signal, and what was printed, come back."""
    ended = run(written(tmp_path, text), 60.0)
    assert (ended.returncode, ended.stdout) == (status, out)
    assert ended.stderr.endswith(err)


def test_one_script_leaves_nothing_to_the_next(script: scripts.Run, tmp_path: Path) -> None:
    """What a script sets in torch is gone after it."""
    script(written(tmp_path, "import torch; torch.set_default_dtype(torch.float64); torch.manual_seed(1)"), 60.0)
    text = "import torch; print(torch.get_default_dtype(), torch.initial_seed() == 1)"
    assert script(written(tmp_path, text), 60.0).stdout == "torch.float32 False\n"


def test_a_script_that_computes_for_ever(run: scripts.Run, tmp_path: Path) -> None:
    """A script that computes for longer than it may is ended."""
    with pytest.raises(Late):
        run(written(tmp_path, "while True: pass"), 1.0)


def test_a_script_that_waits(run: scripts.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that computes nothing is ended once it waited for long; until then it is only late."""
    monkeypatch.setattr(scripts, "IDLE", 2.0)
    with pytest.raises(Late):
        run(written(tmp_path, "import time; time.sleep(1000)"), 60.0)
    assert run(written(tmp_path, "import time; time.sleep(1)"), 60.0).returncode == 0


def test_a_script_after_one_that_was_ended(script: scripts.Run, tmp_path: Path) -> None:
    """The launcher goes on."""
    with pytest.raises(Late):
        script(written(tmp_path, "while True: pass"), 0.1)
    assert script(written(tmp_path, "print(1)"), 60.0).stdout == "1\n"


def test_a_hang_is_confirmed(script: scripts.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script of a call that hangs must hang, too."""
    monkeypatch.setattr(test_ledger, "HUNG", 1.0)
    seen = Diverged("raised Hung: no answer within 10 s, but these arguments are valid")
    test_ledger.confirm(written(tmp_path, "while True: pass"), seen, False, script)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_ledger.confirm(written(tmp_path, "pass"), seen, False, script)
