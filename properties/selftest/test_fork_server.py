"""The processes in which pytest-xdist runs tests are forked, and are like Pythons of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from properties.subjects.launchers import ROOT
from properties.worker import process

pytestmark = pytest.mark.skipif(not process.FORKS, reason="not run (no os.fork on this platform)")

SERVED = """
import json, os, shlex, subprocess, sys, types
from properties.session.fork_server import ForkServer
{first}
server = ForkServer(["colorsys"])
spec, told, remote = (types.SimpleNamespace(popen=popen, python=told) for popen, told in
                      ((True, None), (True, "python3"), (None, None)))
server.pytest_xdist_setupnodes([spec, told, remote])
asked = json.loads(sys.argv[1])
python = spec.python and [*shlex.split(spec.python), "-u", "-c"]
ended = [subprocess.run([*python, program], input="a word", capture_output=True, text=True)
         for program in asked if python]
server.pytest_unconfigure()
print(json.dumps(dict(
    here=os.getpid(), folder=server.folder.exists(), others=[told.python, remote.python],
    runs=[(run.stdout, run.stderr) for run in ended])))
"""
TELLING = """
import json, os, sys
print(json.dumps([sys.stdin.read(), __name__, "colorsys" in sys.modules, os.getppid()]))
print("an error", file=sys.stderr)
"""
BRIEF = """
import threading
class Brief(ForkServer):
    def pytest_xdist_setupnodes(self, specs):
        super().pytest_xdist_setupnodes(specs)
        threading.Timer(2, self._control.close).start()
ForkServer = Brief
"""


def served(*programs: str, first: str = "") -> Any:
    """What comes of programs that a server's forks run, and of the server."""
    command = [sys.executable, "-c", SERVED.format(first=first), json.dumps(programs)]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)


def test_a_fork_is_the_python_that_was_to_be() -> None:
    """It has the input, the outputs, and what was imported for it; the server is no process of the user's."""
    told = served(TELLING)
    [(out, err)] = told["runs"]
    *seen, parent = json.loads(out)
    assert (seen, err) == (["a word", "__main__", True], "an error\n")
    assert parent != told["here"]
    assert told["others"] == ["python3", None], "other Pythons are left as they are"
    assert not told["folder"]


@pytest.mark.parametrize(
    "program, err", [("import os; os.abort()", ""), ("raise SystemExit(3)", ""), ("1 / 0", "ZeroDivisionError")]
)
def test_a_fork_that_ends_early(program: str, err: str) -> None:
    """Whoever waits for it sees it end, and the next is forked as ever."""
    first, (out, _) = served(program, TELLING)["runs"]
    assert (first[0], err in first[1]) == ("", True)
    assert json.loads(out)[0] == "a word"


def test_loggers_speak_where_a_fork_speaks() -> None:
    """A logger made before the fork writes to the fork's own errors, also where pytest captured those of its origin."""
    captured = "import io, logging; sys.stderr = io.StringIO(); logging.basicConfig(); sys.stderr = sys.__stderr__"
    [(_, err)] = served("import logging; logging.warning('heard')", first=captured)["runs"]
    assert "heard" in err


def test_without_a_server() -> None:
    """Where the server dies, pytest-xdist starts Pythons as it always did."""
    dies = "fork = os.fork\nos.fork = lambda: fork() or os.abort()"
    assert served(TELLING, first=dies)["runs"] == []


def test_it_ends_with_the_run() -> None:
    """Where the run ends, so does a fork that would go on."""
    assert served("import time; time.sleep(60)", first=BRIEF)["runs"] == [["", ""]]
