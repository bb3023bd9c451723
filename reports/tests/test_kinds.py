"""What a run tells besides its checks: planted faults, accumulators, workers, two torches, scripts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from reports.draw import scripts
from reports.draw.histogram import histogram
from reports.draw.matrix import matrices
from reports.draw.report import render
from reports.read.load import Evidence, load
from reports.tell import domains, kill_matrix, precision, real_layers, two_torches, versions
from reports.tell.report import assemble
from reports.tell.summarise import faults, frame
from reports.tests import fake_bench, fake_run


def evidence(folder: Path, lines: Iterable[Any], **changes: Any) -> Evidence:
    """A complete run of these lines."""
    fake_run.write_run(folder, [fake_run.header(**changes), *lines, fake_run.END])
    return load([folder])


def test_every_fault_is_counted(tmp_path: Path) -> None:
    """A fault missed on one subject is not caught; a correct kernel must raise no alarm; both are said."""
    lines = [
        fake_run.result(),
        *fake_run.faults(),
        fake_run.fault("late", "cpu-float64"),
        fake_run.fault("late", "cpu-float32", caught=False, cases=100),
        fake_run.fault("blocked sums", correct=True, caught=True),
    ]
    found = evidence(tmp_path, lines)
    matrix = kill_matrix.kill_matrix(found)
    assert (matrix["caught"], len(matrix["faults"])) == (3, 4)
    assert (matrix["passed"], len(matrix["kernels"])) == (2, 3)
    assert (matrix["median_cases"], matrix["most_cases"]) == (4, 17)
    texts = render(found)
    assert "missed 1 of 4 planted faults. It raised 1 false alarm on 3 correct kernels." in texts["summary.md"]
    assert "<b>Not caught:</b> late" in texts["index.html"]
    assert "<b>False alarm:</b> blocked sums" in texts["index.html"]
    assert len(assemble(found)["faults"]) == 13


def test_cases_that_known_defects_take_are_counted(tmp_path: Path) -> None:
    """Each entry over all checks, what is not tried first; what evidence claims besides is no count."""
    lines = [
        fake_run.result(known=30, explained=["lossy-sums: 30, 0", "<b>: 1, 1", "no counts"]),
        fake_run.result("gradients", known=90, explained=["crash-of-strides: 90, 90"]),
        fake_run.result("known divergences", known=1, explained=["crash-of-strides: 1, 0"]),
    ]
    text = " ".join(render(evidence(tmp_path, lines))["index.html"].split())
    assert "<b>120</b> met one" in text
    assert text.index("crash-of-strides") < text.index("lossy-sums")


def test_a_kernel_under_two_laws_is_one(tmp_path: Path) -> None:
    """A kernel counts once, under every law that it was held to; the law that speaks against the suite counts."""
    about: dict[str, Any] = {"correct": True, "caught": False, "cases": None}
    lines = [
        fake_run.fault("reversed sums", law="agreement", **about),
        fake_run.fault("reversed sums", law="gradients", **about | {"caught": True}),
        fake_run.fault("hidden", "cpu-float32", law="gradients"),
        fake_run.fault("hidden", "cpu-bfloat16", law="accumulator"),
    ]
    matrix = kill_matrix.kill_matrix(evidence(tmp_path, lines))
    (kernel,), (fault,) = matrix["kernels"], matrix["faults"]
    assert (kernel["law"], kernel["good"]) == ("agreement, gradients", False)
    assert (fault["law"], fault["good"]) == ("gradients, accumulator", True)


def test_a_newer_run_of_the_suites_own_tests_adds_its_faults(tmp_path: Path) -> None:
    """A run that planted faults and checked nothing else completes the newest run that checked torch."""
    fake_run.write_run(tmp_path, [fake_run.header(), *fake_run.all_results(), fake_run.END], "old")
    fake_run.write_run(tmp_path, [fake_run.header("2026-11-25T08:00:00Z"), *fake_run.faults(), fake_run.END], "new")
    found = assemble(load([tmp_path]))
    assert len(found["results"]) == len(fake_run.all_results())
    assert len(found["faults"]) == len(fake_run.faults())


def test_a_diagnosis_is_shown(tmp_path: Path) -> None:
    """What diverged shows when it does, and a picture of the elements that are wrong."""
    said = "wrong where groups > 1 (52 of 53); right elsewhere (148 of 148)"
    texts = render(evidence(tmp_path, [fake_run.result(status="diverged", diagnosis=said), fake_run.diagnosis()]))
    html = re.sub(r"\s+", " ", texts["index.html"])
    assert "<b>Diagnosis:</b> wrong where groups &gt; 1 (52 of 53); right elsewhere (148 of 148).</p>" in html
    assert "output[0] of 1 × 3 × 3: 3 of 9 elements are wrong" in html
    assert re.findall(r'<text x="\d+" y="\d+">([^<]+)</text>', html)[:3] == ["≠", "2.4", "e7"]
    assert "right elsewhere (148 of 148)" in texts["summary.md"].replace("\\", "")


def test_a_picture_that_is_no_grid_is_left_out(tmp_path: Path) -> None:
    """Rows of several lengths are told as a problem of the evidence, and not drawn."""
    odd = fake_run.diagnosis()
    odd["data"]["plane"] = [[0, 1], [0]]
    found = evidence(tmp_path, [fake_run.result(status="diverged"), odd])
    assert [notice.problem for notice in found.notices if "plane is not a grid" in notice.problem]
    assert "elements are wrong" not in render(found)["index.html"]


def test_narrow_accumulators_are_named(tmp_path: Path) -> None:
    """The type of each operator and direction, and which keep their sums in 16 bits."""
    found = evidence(tmp_path, [fake_run.result(), *fake_run.accumulators()])
    profile = precision.accumulators(found)
    assert profile["totals"] == [{"where": "cpu-bfloat16", "types": [("float32", 3), ("bfloat16", 1)]}]
    assert profile["narrow"] == {"cpu-bfloat16": ["linear (gradient)"]}
    html = render(found)["index.html"]
    assert "kept in 16 bits:</b> linear (gradient)" in html


def test_algorithms_are_shown(tmp_path: Path) -> None:
    """By what each operator convolves, with its error as a share of each bound."""
    shares = [{"algorithm": "elementwise", "share": 29.0}, {"algorithm": "FFT", "share": 0.25}]
    data = {"operator": "conv2d", "algorithm": "FFT", "shares": shares}
    figure = {"kind": "figure", "name": "algorithms", "subject": "mine-cpu-float32", "data": data}
    html = render(evidence(tmp_path, [fake_run.result(), figure]))["index.html"]
    assert "<td>conv2d</td><td>FFT</td>" in html
    assert "FFT 25" in html


def test_audit_completes_the_newest_run(tmp_path: Path) -> None:
    """What packages came to is shown with the newest run of the laws, those that are wrong first."""
    right = {"implementation": "einconv", "version": "0.1.0", "operator": "conv2d", "verdict": "right", "cases": 40}
    wrong = {"implementation": "other", "operator": "conv1d", "verdict": "wrong", "line": "output[0] is 1.0"}
    lines = [
        {"kind": "figure", "name": "audit", "subject": row["implementation"], "data": row} for row in (right, wrong)
    ]
    fake_run.write_run(tmp_path, [fake_run.header(), *fake_run.all_results(), fake_run.END], "old")
    fake_run.write_run(tmp_path, [fake_run.header("2026-11-25T08:00:00Z"), *lines, fake_run.END], "new")
    html = render(load([tmp_path]))["index.html"]
    assert html.index("other -") < html.index("einconv 0.1.0")
    assert '<section id="matrix">' in html


def test_errors_are_binned_by_their_share(tmp_path: Path) -> None:
    """At the bound is within it, beyond it is not, and what has no error is not counted."""
    shares = [0.0, 0.04, 0.5, 1.0, 1.5, 1e308, None]
    rows = [fake_run.result(f"law {i}", status="diverged", worst_share=share) for i, share in enumerate(shares)]
    (found,) = precision.distributions(frame(evidence(tmp_path, rows)))
    assert (found["dtype"], found["checks"], found["beyond"]) == ("float32", 6, 2)
    assert "4 checks within the bound, 2 beyond" in histogram("float32", found["counts"])


def test_workers_are_shown_wherever_they_were_measured(tmp_path: Path) -> None:
    """From the evidence and from a benchmark, each with its numbers."""
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), fake_run.worker(), fake_run.END])
    extra = {"kind": "worker", "restart_ms": 33.0}
    fake_run.write_benchmarks(tmp_path, [fake_run.benchmark("test_restart", [0.033] * 3, extra)])
    found = load([tmp_path])
    assert [entry["source"] for entry in kill_matrix.workers(found)] == ["cpu-float32", "test_restart"]
    html = render(found)["index.html"]
    for text in ("<b>640</b>", "210 µs", "31 ms", "33 ms", "drawing 31 %"):
        assert text in html


def test_benchmarks_of_workers_share_a_row(tmp_path: Path) -> None:
    """What several benchmarks measured on one subject stands on one row."""
    about: dict[str, object] = {"kind": "worker", "subject": "cpu-float32"}
    rate: dict[str, object] = {"cases_per_second": 500.0, "shares": {"torch": 0.5}}
    figures: list[dict[str, object]] = [{"restart_ms": 33.0}, {"call_overhead_ms": 0.25}, rate]
    entries = [fake_run.benchmark(f"test_{n}", [0.1] * 3, about | figure) for n, figure in enumerate(figures)]
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), fake_run.END])
    fake_run.write_benchmarks(tmp_path, entries)
    (row,) = kill_matrix.workers(load([tmp_path]))
    assert row["source"] == "cpu-float32"
    assert (row["restart_ms"], row["call_overhead_ms"], row["cases_per_second"]) == (33.0, 0.25, 500.0)
    assert row["parts"] == [{"name": "torch", "share": 0.5, "from": 0}]


def test_two_torches_are_told_apart(tmp_path: Path) -> None:
    """Only checks whose status differs are shown; those that one side did not run are counted."""
    twin = "cpu-float32@torch-2.11.0"
    rows = [fake_run.result(law, "conv2d", subject) for law in "abc" for subject in ("cpu-float32", twin)]
    rows[1] |= {"status": "diverged", "message": "value is 1, but should be 2"}
    rows[3] |= {"status": "not run", "reason": "no such function"}
    found = evidence(tmp_path, rows)
    told = versions.differences(frame(found))
    assert told["twins"] == [("cpu-float32", twin)]
    assert (told["compared"], told["one_sided"], len(told["rows"])) == (3, 1, 1)
    assert told["rows"][0]["message"] == "value is 1, but should be 2"
    assert 'id="versions"' in render(found)["index.html"]


def test_a_defect_of_one_torch_alone_is_told(tmp_path: Path) -> None:
    """Checks that passed on both sides differ where only one of them has known cases."""
    twin = "cpu-float32@torch-2.11.0"
    rows = [fake_run.result("agreement", name, subject) for name in "ab" for subject in ("cpu-float32", twin)]
    rows[0] |= {"known": 3, "reason": "3 of 100 cases: a-defect"}
    rows[2] |= {"known": 3}
    rows[3] |= {"known": 4}
    found = evidence(tmp_path, rows)
    (row,) = versions.differences(frame(found))["rows"]
    assert (row["operator"], row["known"], row["other_known"]) == ("a", 3, 0)
    assert row["message"] == "3 of 100 cases: a-defect"
    texts = render(found)
    assert "cpu-float32, 3 cases of known defects" in texts["index.html"]
    line = "- a, agreement: passed on cpu-float32 (3 cases of known defects), passed on cpu-float32@torch-2.11.0"
    assert line in texts["summary.md"].splitlines()


def test_subjects_that_never_ran_are_one_line(tmp_path: Path) -> None:
    """Thirty subjects, twelve without a device: columns for those that ran, in groups, and a line for the others."""
    fake_run.write_wide(tmp_path)
    found = load([tmp_path])
    (matrix,) = matrices(found, frame(found), 3000, 400, 60)
    assert len(matrix["columns"]) == 18
    assert [(group, span) for group, span in matrix["groups"][:3]] == [
        ("cpu", 5),
        ("compiled-cpu", 5),
        ("channels_last-cpu", 5),
    ]
    assert [(group["reason"], len(group["subjects"])) for group in matrix["idle"]] == [("no CUDA device", 12)]
    html = render(found)["index.html"]
    assert "12 subjects, no CUDA device" in html
    assert len(html.encode()) < 400_000


def test_a_budget_of_cells_goes_to_operators_in_trouble(tmp_path: Path) -> None:
    """With room for one operator's laws it is the one that diverged."""
    rows = [*fake_run.all_results(), fake_run.result("special values", "linear", status="diverged")]
    found = evidence(tmp_path, rows)
    (matrix,) = matrices(found, frame(found), 10, 400, 60)
    assert list(matrix["laws"]) == ["linear"]
    assert matrix["not_drilled"] == 4


def test_a_script_below_the_report_is_shown_and_linked(tmp_path: Path) -> None:
    """Its text is on the page as text, its address is relative; the upstream issue is a link."""
    (tmp_path / "repro").mkdir()
    (tmp_path / "repro" / "a1.py").write_text("print('<b>')\n")
    address = "https://github.com/pytorch/pytorch/issues/1"
    row = fake_run.result(status="diverged", repro="repro/a1.py", upstream=address, severity="crash")
    html = render(evidence(tmp_path, [row]), tmp_path)["index.html"]
    assert '<a href="repro/a1.py">' in html
    assert "print(&#39;&lt;b&gt;&#39;)" in html
    assert f'<a href="{address}" rel="noreferrer noopener">' in html
    assert "The process crashes or hangs" in html


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../outside.py",
        "repro/../../outside.py",
        "repro/link.py",
        "javascript:alert(1)//.py",
        "repro//a.py",
        "repro\\a.py",
        "repro/huge.py",
        "repro/binary.py",
        "repro/gone.py",
        "repro/.hidden.py",
        "repro/a.py\n",
        "https://example.org/a.py",
    ],
)
def test_a_script_elsewhere_is_neither_read_nor_linked(tmp_path: Path, path: str) -> None:
    """A path that leads out, by dots, by a link or by an address, and a file that is none to show."""
    output = tmp_path / "report"
    (output / "repro").mkdir(parents=True)
    (tmp_path / "outside.py").write_text("secret")
    (output / "repro" / "link.py").symlink_to(tmp_path / "outside.py")
    (output / "repro" / ".hidden.py").write_text("secret")
    (output / "repro" / "huge.py").write_text("#" * 100_000)
    (output / "repro" / "binary.py").write_bytes(b"\xff\xfe")
    assert scripts.script(path, output) is None
    html = render(evidence(output, [fake_run.result(status="diverged", repro=path)]), output)["index.html"]
    assert "secret" not in html
    assert ".py</a>" not in html


@pytest.mark.parametrize(
    "address",
    [
        "http://github.com/a/b",
        "https://github.com.evil.org/a/b",
        "https://github.com@evil.org/a/b",
        "https://github.com/a/b/../../..",
        'https://github.com/a/b/"onclick=x',
        "javascript:alert(1)",
        "https://evil.org/?https://github.com/a/b",
    ],
)
def test_only_githubs_addresses_are_links(tmp_path: Path, address: str) -> None:
    """Any other address is text."""
    html = render(evidence(tmp_path, [fake_run.result(status="diverged", upstream=address)]))["index.html"]
    assert 'href="http' not in html
    assert "Upstream issue: <code>" in html


def test_what_is_known_is_one_entry_a_reason(tmp_path: Path) -> None:
    """Two operators and two laws that run into one entry of the ledger are one entry of the page."""
    rows = [
        fake_run.result(law, operator, status="known", reason="a defect")
        for law in ("a", "b")
        for operator in ("x", "y")
    ]
    (found,) = faults(frame(evidence(tmp_path, rows)))
    assert (found["laws"], found["operators"], found["subjects"]) == (["a", "b"], ["x", "y"], ["cpu-float32"])
    assert "<b>x, y</b> 2 laws" in render(load([tmp_path]))["index.html"]


def test_unknown_kinds_are_named_and_do_no_harm(tmp_path: Path) -> None:
    """Lines of a newer suite: counted by kind, not shown, and no reason to doubt the rest."""
    found = evidence(tmp_path, [*fake_run.all_results(), *[{"kind": "coverage", "lines": 3}] * 5])
    told = assemble(found)
    assert told["verdict"]["answer"] == "Yes, where it was checked"
    assert told["skipped"][0]["problem"] == "not shown: 5 of its lines are of kind 'coverage', which is unknown here"


def test_unknown_keys_are_ignored(tmp_path: Path) -> None:
    """Keys that a newer suite adds to what is known change nothing."""
    plain = render(evidence(tmp_path, [fake_run.result(), fake_run.fault()]))
    more: dict[str, Any] = {"added": {"later": [1]}}
    assert render(evidence(tmp_path, [fake_run.result(**more), fake_run.fault(**more)])) == plain


def test_the_verdict_says_where_kernels_answer(tmp_path: Path) -> None:
    """Beside a law that a kernel holds stands where it answers; of one that breaks a law in that dtype, nothing."""
    figure = {"kind": "figure", "name": "domain", "subject": "mine-cpu-float32"}
    lines = [{**figure, "data": {"operator": name, "answers": ["batched"]}} for name in ("conv1d", "conv2d")]
    held = [fake_run.result(operator="conv1d"), fake_run.result(operator="conv2d", status="diverged")]
    found = evidence(tmp_path, [*held, *lines])
    assert domains.remark(found, frame(found)) == " Right where it answers, conv1d: batched, float32."
    assert "Right where it answers, conv1d: batched, float32." in render(found)["summary.md"]


def test_where_16_bits_are_slower_is_flagged(tmp_path: Path) -> None:
    """A row for each dtype, with its other layouts; slower in one layout counts, and nothing on a busy machine."""
    ways = [("float32", 1.0, "contiguous"), ("bfloat16", 0.5, "contiguous"), ("float16", 1.0, "contiguous")]
    entries = [fake_bench.real_layer(dtype, speed, layout=layout) for dtype, speed, layout in ways]
    entries.append(fake_bench.real_layer("float16", 0.25, layout="channels_last"))
    fake_run.write_benchmarks(tmp_path, entries)
    (network,) = real_layers.layers(found := load([tmp_path]))
    assert [row["word"] for row in network["rows"]] == [None, "slower", "no difference shown"]
    assert (network["slower"], network["rows"][2]["ways"]) == (2, {"channels_last eager": 0.25})
    assert (network["rows"][0]["share"], network["rows"][0]["limit"]) == (0.4, "product")
    assert "16 bits slower than float32 in 2 of 3 rows" in render(found)["index.html"]
    for entry in entries:
        entry["extra_info"]["conditions"] = fake_bench.conditions(fake_bench.BUSY)
    fake_run.write_benchmarks(tmp_path, entries)
    assert real_layers.layers(load([tmp_path]))[0]["slower"] == 0


def test_two_torches_are_timed_beside_each_other(tmp_path: Path) -> None:
    """The slowest first, counted by word; how often one torch beside itself was called different."""
    rows = [fake_bench.versions("a", 1.0), fake_bench.versions("b", 4.0), fake_bench.versions("c", 0.5)]
    fake_run.write_benchmarks(tmp_path, [*rows, fake_bench.null()])
    (pair,) = two_torches.compared(found := load([tmp_path]))
    assert [(row["layer_name"], row["word"]) for row in pair["rows"]] == [
        ("b", "slower"), ("a", "no difference shown"), ("c", "faster"),
    ]  # fmt: skip
    html = render(found)["index.html"]
    assert "torch 2.13.0 beside 2.12.1" in html
    assert "a difference was called in 3 of 100 runs" in html
