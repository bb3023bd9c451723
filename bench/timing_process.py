"""Times calls that another process describes: ``python -m bench.timing_process``, under any interpreter with torch.

One object of JSON a line. ``{"prepare": …}`` is a :class:`bench.timed.Timed`, whose call is made and warmed up;
``{"times": n}`` asks for the seconds of that call, the mean of n. Answers have "seconds", or an "error"; the first line
of all has the "torch" that is imported.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import torch

from bench import timed


def serve() -> None:
    """Answer until the other process hangs up."""
    run: timed.Run | None = None
    _tell(torch=torch.__version__)
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        try:
            if "prepare" in asked:
                run = timed.prepared(timed.Timed(**asked["prepare"]))
                _tell(seconds=timed.sample(run, 1))
            elif run is not None:
                _tell(seconds=timed.sample(run, asked["times"]))
        except Exception as error:  # of the call that is timed: it is told, and the next one asked for
            _tell(error=f"{type(error).__name__}: {error}".partition("\n")[0][:300])


def _tell(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    serve()
