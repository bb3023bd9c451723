"""What a user of ``python -m reports build`` meets: the files, the exit codes, the messages, and nothing lost."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.__main__ import main
from reports.draw.report import dumps
from reports.tests import fake_run, validators
from reports.write import write

FILES = ("index.html", "summary.md", "results.json", "samples.csv")
ROOT = Path(__file__).resolve().parent.parent.parent


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    command = [sys.executable, "-m", "reports", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)


def build(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, which need not load pandas and matplotlib anew."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["build", *map(str, arguments)])
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside ``value``, itself included."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(item)


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A folder that holds a whole run."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    fake_run.write_all(folder)
    return folder


def test_build_writes_the_four_files(evidence: Path, tmp_path: Path) -> None:
    """A whole run: exit code 0, four files in a folder that was not there, and nothing else left behind.

    Another process, in which sets have another order, writes the same bytes.
    """
    done = run("build", "--evidence", evidence, "--output", tmp_path / "new" / "report")
    assert (done.returncode, done.stderr) == (0, "")
    written = {path.name: path.read_bytes() for path in (tmp_path / "new" / "report").iterdir()}
    assert sorted(written) == sorted(FILES)
    assert build("--evidence", evidence, "--output", tmp_path / "here").returncode == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()} == written


def test_samples_have_one_line_each(evidence: Path, tmp_path: Path) -> None:
    """`samples.csv` holds every raw sample of every benchmark once, in seconds."""
    assert main(["build", "--evidence", str(evidence), "--output", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "samples.csv")
    entries = fake_run.all_benchmarks()
    assert len(table) == sum(len(entry["stats"]["data"]) for entry in entries)
    book = table[table["benchmark"] == "test_training[book-cpu]"]
    assert book["seconds"].tolist() == entries[0]["stats"]["data"]
    assert book["examples_per_second"].tolist() == entries[0]["extra_info"]["examples_per_second"]


def test_results_json_is_sorted_and_strict(evidence: Path, tmp_path: Path) -> None:
    """Keys are sorted at every level, no NaN is written, the schema holds; every row, sample and system is there."""
    assert main(["build", "--evidence", str(evidence), "--output", str(tmp_path)]) == 0
    text = (tmp_path / "results.json").read_text(encoding="utf-8")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    whole = json.loads(text, parse_constant=refuse)
    assert text == dumps(whole)
    assert [list(part) == sorted(part) for part in parts(whole)].count(False) == 0
    validators.REPORT.validate(whole)
    assert [place["environment"] for place in whole["environments"]] == [fake_run.ENVIRONMENT]
    assert len(whole["results"]) == len(fake_run.all_results())
    assert [system["id"] for system in whole["systems"]] == [f"S{number}" for number in range(1, 25)]
    assert {entry["name"] for entry in whole["benchmarks"]} == {entry["name"] for entry in fake_run.all_benchmarks()}
    assert whole["references"][0]["ratio"] == pytest.approx(500)


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda folder: folder.rmdir(), "does not exist; run `tox` first"),
        (lambda folder: None, "holds neither properties-*.jsonl nor benchmark-*.json"),
        (lambda folder: fake_run.write_run(folder, ["not JSON"]), "holds no usable file"),
        (lambda folder: (folder / "benchmark-1.json").write_text("{"), "holds no usable file"),
    ],
    ids=["missing", "empty", "not JSON", "truncated"],
)
def test_nothing_usable_is_one_line_and_exit_2(tmp_path: Path, prepare: object, expected: str) -> None:
    """No evidence: one line that names the option, the folder and a remedy; the last report stays as it is."""
    folder, output = tmp_path / "evidence", tmp_path / "output"
    folder.mkdir()
    prepare(folder)  # type: ignore[operator]
    write(output, dict.fromkeys(FILES, "the last report"))
    done = build("--evidence", folder, "--output", output)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"reports: --evidence: {folder}")
    assert expected in done.stderr
    assert {path.read_text() for path in output.iterdir()} == {"the last report"}


@pytest.mark.parametrize("name", ["properties-1.jsonl", "benchmark-1.json", "picture.png"])
def test_a_named_file_that_is_not_json_is_refused(tmp_path: Path, name: str) -> None:
    """A file given by name is not skipped silently: exit 2, with its name and what would do."""
    path = tmp_path / name
    path.write_bytes(b"\x89PNG\xff")
    done = build("--evidence", path, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{path}: not UTF-8 text (byte 0); give a file that pytest wrote" in done.stderr
    assert not (tmp_path / "out").exists()


def test_named_files_are_used(evidence: Path, tmp_path: Path) -> None:
    """``--evidence`` takes single files, several times."""
    paths = [str(path) for path in sorted(evidence.iterdir())]
    arguments = [part for path in paths for part in ("--evidence", path)]
    assert main(["build", *arguments, "--output", str(tmp_path)]) == 0
    place = json.loads((tmp_path / "results.json").read_text())["environments"][0]
    used = [*place["runs"][0]["files"], *(source["file"] for source in place["benchmarks"])]
    assert sorted(used) == sorted(Path(path).name for path in paths)


def test_output_that_cannot_be_written_is_exit_2(evidence: Path, tmp_path: Path) -> None:
    """``--output`` names a file: one line, exit 2, and the file is untouched."""
    file = tmp_path / "file"
    file.write_text("mine")
    done = build("--evidence", evidence, "--output", file)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"--output {file}: cannot write" in done.stderr
    assert file.read_text() == "mine"


def test_unknown_command_and_option_are_exit_2() -> None:
    """Usage errors end with argparse's own message and exit code 2."""
    for arguments in (["unknown"], ["build", "--colour"], []):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2


def test_an_interrupted_write_leaves_the_last_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half-way (a full disk) changes no file and leaves no draft behind."""
    write(tmp_path, {"a": "old", "b": "old"})
    whole = Path.write_text

    def fail_on_b(path: Path, *arguments: str, **options: str) -> int:
        if path.name == "b":
            whole(path, "half")
            raise OSError(28, "No space left on device")
        return whole(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", fail_on_b)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, {"a": "new", "b": "new"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old", "b": "old"}


def test_two_reports_at_once_do_not_mix(tmp_path: Path) -> None:
    """Many writers at once: in the end all files are of one of them."""
    names = [str(name) for name in range(40)]

    def fill(text: str) -> None:
        write(tmp_path, {name: text for name in names})  # noqa: C420 - keeps the type of the values

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fill, "abcdefgh" * 4))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert len({path.read_text() for path in tmp_path.iterdir()}) == 1


def test_a_report_replaces_the_last_one_with_usual_permissions(tmp_path: Path) -> None:
    """A second report replaces the first, and others may read it as far as the umask lets them."""
    write(tmp_path, {"a": "old"})
    write(tmp_path, {"a": "new"})
    other = tmp_path / "other"
    other.write_text("")
    assert (tmp_path / "a").read_text() == "new"
    assert (tmp_path / "a").stat().st_mode == other.stat().st_mode


def test_reports_imports_nothing_of_the_suite() -> None:
    """The arrows: a build works without torch and without refimpl, properties and bench."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'refimpl', 'properties', 'bench', 'numba']));"
        "import reports.draw.report, reports.read.load, reports.write"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=120)
