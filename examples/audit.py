"""Hold implementations of the package registry to the laws, each in a virtual environment of its own.

tox run -e audit                       # all of them, and a table on the page
tox run -e audit -- einconv jax        # some

An implementation is an adapter of this folder and what it requires. Its virtual environment lies over the one that runs
this file, so that torch, which is large, is there once. What an adapter declines is no part of the verdict; what it
refuses by another exception is named. One that cannot be installed, or not be loaded here, is "not run", with the
reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch

from properties.subjects.environment import environment as environment_here
from properties.verdicts.evidence import Writer, now

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = ROOT / ".tox" / "audit"
SUBJECTS = "cpu-float64,cpu-float32"
PAST_IMAGES = "not test_huge and not test_large"
"""The laws of sizes that no image has, for which most need more memory than a call may take."""


@dataclass(frozen=True)
class Implementation:
    """What is held: its name, what pip installs for it, and the options of pytest that hold it.

    ``alone``: without what its packages require in turn, such as a NumPy that the suite does not run with.
    """

    name: str
    requirements: tuple[str, ...]
    options: tuple[str, ...]
    alone: bool = False

    @classmethod
    def adapted(
        cls, name: str, file: str, operators: str, *requirements: str, options: Sequence[str] = (), alone: bool = False
    ) -> Implementation:
        """One that an adapter of this folder holds; operators: which it has, as pytest's -k names them."""
        own = ("--kernels", f"examples/{file}", "--subjects", SUBJECTS, "-k", f"({operators}) and {PAST_IMAGES}")
        return cls(name, requirements or (name,), (*own, *options), alone)

    @classmethod
    def compiler(cls, backend: str) -> Implementation:
        """A backend of torch.compile that torch has itself."""
        only = f"({PLANES} or [linear-) and (agreement or gradients) and {PAST_IMAGES}"
        return cls(f"torch.compile: {backend}", (), ("--compile-backend", backend, "-k", only))


NOT_INSTALLED = "not installed"
NAMED = 3
"""How many laws that do not hold a row names."""
LARGE, SLOW, FEW = ("--call-memory", "16"), ("--call-timeout", "100"), ("--hypothesis-profile", "quick")
"""Of what compiles each shape anew few cases are tried, of the main laws."""
CONVOLUTIONS, PLANES = "conv1d- or conv2d- or conv3d-", "conv2d- or [avg_pool2d or [max_pool2d"
IMPLEMENTATIONS = (
    Implementation.adapted("einconv", "by_einconv.py", f"{CONVOLUTIONS} or [unfold"),
    Implementation.adapted("unfoldNd", "by_unfoldnd.py", "[unfold or [fold"),
    Implementation.adapted("fft-conv-pytorch", "by_fft_conv.py", CONVOLUTIONS),
    Implementation.adapted("torch-fftconv", "by_torch_fftconv.py", f"{CONVOLUTIONS} or conv_transpose"),
    Implementation.adapted("onnxruntime", "onnx_runtime.py", PLANES, "onnx", "onnxruntime"),
    Implementation.adapted("openvino", "by_openvino.py", PLANES, options=LARGE),
    Implementation.adapted("jax", "by_jax.py", PLANES, options=(*LARGE, *FEW)),
    Implementation.adapted(
        "tinygrad",
        "by_tinygrad.py",
        f"({PLANES}) and (agreement or gradients)",
        "tinygrad<0.14",  # 0.14.0 cannot load what clang 14 and 19 compile: "unknown relocation type 10"
        options=("--subjects", "cpu-float32", *SLOW, *FEW),
    ),
    Implementation.adapted(
        "flag-gems",
        "by_flag_gems.py",
        CONVOLUTIONS,
        "PyYAML",
        "sqlalchemy",
        "triton",
        "flag-gems",
        options=(*SLOW, *FEW),
        alone=True,
    ),
    *map(Implementation.compiler, ("aot_eager", "aot_eager_decomp_partition", "inductor")),
)


def environment(implementation: Implementation, folder: Path) -> Path:
    """The interpreter of a virtual environment with what an implementation requires, made where it is not there.

    Raises CalledProcessError where pip fails.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        own = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        Path(own, "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    constraint = folder / "constraints.txt"
    kept = [f"{package.__name__}=={package.__version__}\n" for package in (torch, numpy)]
    constraint.write_text("".join(kept), encoding="utf-8")
    if implementation.requirements:
        pip = [python, "-m", "pip", "install", "--quiet", "--constraint", constraint]
        pip += ["--no-deps"] if implementation.alone else []
        subprocess.run([*pip, *implementation.requirements], check=True)
    return python


def version(implementation: Implementation, python: Path) -> str:
    """The version of the package that is held: the last that is required, or torch's."""
    package = (implementation.requirements or ("torch",))[-1].partition("<")[0]
    line = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", line], capture_output=True, text=True, check=True).stdout.strip()


def held(
    implementation: Implementation, python: Path, folder: Path, more: Sequence[str]
) -> tuple[list[dict[str, Any]], str]:
    """The results of the laws, as the evidence has them, and the last line of what was said beside them."""
    command = [python, "-m", "pytest", "properties", "--benchmark-disable", "-q"]
    before = set(folder.glob("properties-*.jsonl"))
    command += [f"--evidence={folder}", *implementation.options, *more]
    run = subprocess.run(command, cwd=ROOT, check=False, stderr=subprocess.PIPE, text=True)
    print(run.stderr, end="", file=sys.stderr)
    files = set(folder.glob("properties-*.jsonl")) - before
    lines = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    said = [line for line in run.stderr.splitlines() if line.strip()] or [f"exit code {run.returncode}"]
    last = said[-1].removeprefix("Exit: ").partition("; give ")[0]
    return [line for line in lines if line["kind"] == "result"], last


def not_run(implementation: Implementation, number: str, reason: str) -> dict[str, Any]:
    """The row of one of which no law was tried."""
    own = {"implementation": implementation.name, "version": number, "operator": "-", "verdict": "not run"}
    return {**own, "cases": 0, "seconds": 0.0, "where": "", "line": reason, "script": ""}


def rows(implementation: Implementation, number: str, results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each operator came to, in all dtypes together."""
    by_operator: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_operator.setdefault(result["operator"], []).append(result)
    own = {"implementation": implementation.name, "version": number}
    found = [{**own, "operator": operator, **verdict(some)} for operator, some in by_operator.items()]
    return [row for row in found if row["verdict"] != "absent"]


def verdict(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Right, wrong, declines, or absent; the cases and seconds that took, a line on what is wrong, and its script."""
    tried = [result for result in results if result["status"] != "not run"]
    failed = [result for result in tried if result["status"] not in ("passed", "known")]
    refusals = [result for result in failed if result["law"] == "domain"]
    wrong = [result for result in failed if result["law"] != "domain"]
    told = (wrong or refusals or results)[0]
    line = said(told["message"] or told["reason"] or "") if wrong or refusals or not tried else ""
    held = [result for result in tried if result["law"] != "domain"]
    came_to = "wrong" if wrong else "right" if held else "declines"
    if came_to == "declines" and " defines no " in line:
        came_to = "absent"
    return {
        "verdict": came_to,
        "cases": sum(result["cases"] for result in held),
        "seconds": round(sum(result["seconds"] for result in results), 1),
        "where": named([f"{result['law']} in {result['dtype']}" for result in wrong]),
        "line": line,
        "script": (wrong[0]["repro"] or "") if wrong else "",
    }


def named(laws: Sequence[str]) -> str:
    """The first of the laws that do not hold, of which the line tells, and two more.

    >>> named(["agreement", "layouts", "locality", "unit axes", "rerun"])
    'agreement, layouts, locality and 2 more'
    """
    more = f" and {len(laws) - NAMED} more" if len(laws) > NAMED else ""
    return ", ".join(laws[:NAMED]) + more


def said(message: str) -> str:
    """What differs first, and when it does, where a diagnosis was made."""
    first, *others = message.splitlines() or [""]
    return next((f"{first}: {line}" for line in others if line.startswith("Diagnosis: ")), first)


def table(found: Iterable[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    text = "| Implementation | Operator | Verdict | Cases | Seconds | What it says |\n|---|---|---|---|---|---|\n"
    for row in found:
        said = f"{row['where']}: {row['line']}" if row["where"] else row["line"]
        cells = f"{row['implementation']} {row['version']}", row["operator"], row["verdict"], row["cases"]
        text += "| " + " | ".join(map(str, (*cells, row["seconds"], said.replace("|", "\\|")[:400]))) + " |\n"
    return text


def audited(implementation: Implementation, folder: Path, more: Sequence[str]) -> list[dict[str, Any]]:
    """What one implementation came to."""
    short = implementation.name.rpartition(" ")[2]
    try:
        python = environment(implementation, folder / "environments" / short)
    except subprocess.CalledProcessError as error:
        return [not_run(implementation, NOT_INSTALLED, str(error))]
    number = version(implementation, python)
    results, last = held(implementation, python, folder / "evidence" / short, more)
    return rows(implementation, number, results) or [not_run(implementation, number, last)]


def main(arguments: list[str] | None = None) -> int:
    """Audit the implementations. Returns the exit code: 0 whatever is found, 1 where one could not be installed."""
    parser = argparse.ArgumentParser(prog="python -m examples.audit", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="IMPLEMENTATION", help="by default all")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="for virtual environments, evidence and the table")
    options, more = parser.parse_known_args(arguments)
    names = [implementation.name for implementation in IMPLEMENTATIONS]
    for name in options.names:
        if name not in names:
            parser.error(f"{name!r} is no implementation here; there are {', '.join(names)}")
    writer, found, failed = Writer(ROOT / "reports" / "generated" / "evidence", header()), list[dict[str, Any]](), False
    for implementation in IMPLEMENTATIONS:
        if options.names and implementation.name not in options.names:
            continue
        own = audited(implementation, options.folder, more)
        failed = failed or any(row["version"] == NOT_INSTALLED for row in own)
        for row in own:
            writer.write({"kind": "figure", "name": "audit", "subject": implementation.name, "data": row})
        found += own
        print(table(own), flush=True)
    writer.close(int(failed))
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "audit.md").write_text(table(found), encoding="utf-8")
    return int(failed)


def header() -> dict[str, Any]:
    """What the run's evidence begins with."""
    return {"started": now(), "arguments": sys.argv[1:], "subjects": [], "environment": environment_here()}


if __name__ == "__main__":
    sys.exit(main())
