"""The process from which scripts are forked: ``python -m properties.worker.scripts SOCKET``.

It has imported torch and NumPy, the seconds of which a script then does not take again, and starts no thread; those
that OpenBLAS starts when NumPy is imported it ends before a fork, and starts anew where it is used. What a script
finds is what it finds in a process of its own: ``__main__``, ``__file__``, ``sys.argv`` and the first folder of
``sys.path`` are its own, and an exception that it does not catch, or the end of its last line, ends the process as
usual, but that nothing is freed that was imported: to go through torch's modules takes a fifth of a second. Beside
torch, NumPy and what those import, modules of the standard library are there already, none of this suite.

A request names the script, the files for what it prints, and the modules that torch would import in it, which are the
launcher's from then on. Its process id and, later, its exit status are the answers.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import runpy
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import torch.fx.experimental.symbolic_shapes  # noqa: F401 (torch imports it in a first backward, and for "meta")

from properties.worker import wire
from properties.worker.process import die_with_parent


def serve(connection: socket.socket) -> str | None:
    """The script to run, in each process that is forked for one; None in this one, once the suite hangs up."""
    with contextlib.suppress(wire.Closed):
        while True:
            request, _ = wire.receive(connection)
            for name in request["imports"]:
                importlib.import_module(name)
            gc.freeze()  # else the end of each fork would copy and collect all that was imported
            child = os.fork()
            if not child:
                connection.close()
                die_with_parent()
                _become(request)
                return str(request["script"])
            wire.send(connection, {"pid": child}, {})
            wire.send(connection, {"status": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}, {})
    return None


def _become(request: dict[str, Any]) -> None:
    """Make this process what one that was started for the script would be."""
    for descriptor, path in ((1, request["stdout"]), (2, request["stderr"])):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    sys.argv[:] = [request["script"]]
    sys.path[0] = str(Path(request["script"]).parent)
    for name in [name for name in sys.modules if name.partition(".")[0] == "properties"]:
        del sys.modules[name]


def _run(script: str) -> int:
    """Run a script as the program of this process. Returns its exit status."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return int(ended.code or 0)
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _end(status: int) -> None:
    """End this process as the interpreter does, but that nothing is freed."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    die_with_parent()
    if script := serve(socket.socket(fileno=int(sys.argv[1]))):
        _end(_run(script))
