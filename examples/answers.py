"""Hold a folder of answers to tasks of KernelBench's form, and count what they came to.

python -m examples.answers TASKS ANSWERS                                    # files of one name in two folders
TRITON_INTERPRET=1 python -m examples.answers TASKS ANSWERS -k other_shapes   # Triton's, without a GPU

What stands after the folders goes to pytest. An answer that holds on what it takes is right. What cannot be loaded, or
answers nothing, is not run, with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def held(task: Path, answer: Path, more: Sequence[str]) -> tuple[str, str]:
    """What an answer came to (right, wrong or not run), and a line on why."""
    with tempfile.TemporaryDirectory() as folder:
        verdict = Path(folder, "verdict.json")
        command = [sys.executable, "-m", "pytest", "properties", "--benchmark-disable", "-q"]
        command += ["--hypothesis-profile=quick", f"--kernels={answer}", f"--task={task}"]
        command += [f"--json={verdict}", f"--evidence={folder}", *more]
        run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        if not verdict.exists():
            said = [line for line in (run.stdout + run.stderr).splitlines() if line.strip()]
            return "not run", said[-1] if said else f"exit code {run.returncode}"
        found = json.loads(verdict.read_text(encoding="utf-8"))
    if found["findings"]:
        first = found["findings"][0]
        return "wrong", f"{first['law']}: {(first['message'] or '').partition(chr(10))[0]}"
    reasons = "; ".join(each["reason"] for each in found["not_run"])
    return ("right", reasons) if found["verdict"] in ("passed", "known") else ("not run", reasons)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each answer, and the counts; returns 0 whatever they came to."""
    parser = argparse.ArgumentParser(prog="python -m examples.answers", description=__doc__)
    parser.add_argument("tasks", type=Path)
    parser.add_argument("answers", type=Path)
    options, more = parser.parse_known_args(arguments)
    counts: Counter[str] = Counter()
    for answer in sorted(options.answers.glob("*.py")):
        verdict, why = held((options.tasks / answer.name).resolve(), answer.resolve(), more)
        counts[verdict] += 1
        print(f"{answer.stem}: {verdict}; {why[:300]}", flush=True)
    print(", ".join(f"{number} {verdict}" for verdict, number in counts.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
