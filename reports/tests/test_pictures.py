"""The pictures: there, described, the same every time; nothing judged on a busy machine, nothing hostile drawn."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from reports.draw import grey_images
from reports.draw.report import render
from reports.read.load import load
from reports.tell.report import assemble
from reports.tests import fake_bench, fake_run

PICTURES = {
    "ladder0": "Recipes compared with the chapter", "roof0": "Roofline of cpu", "phases0": "Phases of a step on cpu",
    "growth0": "Examples per second by batch size on cpu", "scaling": "Efficiency of several ranks",
    "peers": "Other libraries and torch", "maps-0": "image: ankle boot", "maps-2": "Layer 2, dense",
    "trained-1": "Layer 1, convolution", "field-0": "What a unit of the first convolution sees",
    "edge-turned": "Transposed image", "learning-weights": "Weights by step",
}  # fmt: skip


def page(folder: Path, entries: list[Any], lines: list[Any] | None = None, **changes: Any) -> dict[str, str]:
    """The report of these benchmarks beside a small run."""
    fake_run.write_run(folder, [fake_run.header(), *(lines or [fake_run.result()]), fake_run.END])
    fake_run.write_benchmarks(folder, entries, **changes)
    return render(load([folder]))


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a whole run."""
    folder = tmp_path_factory.mktemp("evidence")
    fake_run.write_all(folder)
    return render(load([folder]))["index.html"]


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_there_and_described(html: str, name: str) -> None:
    """A title that says what is seen, and a description with its numbers."""
    title = re.search(rf'<title id="{name}-title">([^<]+)', html)
    described = re.search(rf'<desc id="{name}-desc">([^<]+)', html)
    assert title is not None
    assert title[1].startswith(PICTURES[name])
    assert described is not None
    assert len(described[1]) > 10


def test_pictures_carry_text_and_the_pages_colours(html: str) -> None:
    """Labels are text, and no colour is fixed but that of the box on the images."""
    ladder = html[html.index('<title id="ladder0-title">') :]
    ladder = ladder[: ladder.index("</svg>")]
    for text in (">in_memory</text>", "2.58 [2.54, 2.62] faster</text>", "var(--series-1)"):
        assert text in ladder
    assert not re.search(r"#[0-9a-f]{6}", ladder.replace("#ladder0", ""))


def test_two_builds_are_equal(tmp_path: Path) -> None:
    """The same evidence gives the same bytes, pictures included."""
    fake_run.write_all(tmp_path)
    assert render(load([tmp_path])) == render(load([tmp_path]))


def test_what_was_not_measured_is_said_with_its_reason(tmp_path: Path) -> None:
    """Each picture without evidence is not run, for the reason that the benchmarks gave."""
    idle = [{"name": "test_scaling[strong]", "reason": "no gloo"}, {"name": "test_peers[jax]", "reason": "no jax"}]
    texts = page(tmp_path, [fake_run.training(over_book=None)], not_run=idle)
    shown = re.sub(r"<[^>]+>", "", texts["index.html"])
    for said in (
        "no run of several ranks (no gloo)",
        "jax (no jax)",
        "tinygrad (no such benchmark in the evidence)",
        "no limit of the machine was measured",
        "no phase was timed",
        "neither batch size, threads nor image size was varied",
        "no run of ten epochs",
        "the feature maps of a real image",
        "receptive fields by gradient support",
    ):
        assert f"not run: {said}" in shown or said in shown, said


def test_nothing_is_judged_on_a_busy_machine(tmp_path: Path) -> None:
    """Neither words nor marks say faster: the page, its verdict, its picture, and the summary."""
    busy = fake_bench.conditions(fake_bench.BUSY)
    entries = [fake_run.training(conditions=busy), fake_run.training("in_memory", 31_000.0, conditions=busy)]
    texts = page(tmp_path, entries)
    told = texts["index.html"][texts["index.html"].index('id="throughput"') :]
    assert "Not judged: machine busy." in told
    assert "40% of the cores" in told
    assert "] faster" not in told
    assert not re.search(r'class="figures">faster', told)
    assert (
        "No recipe is called faster or slower, because the machine was busy (other processes took 40%"
        in assemble(load([tmp_path]))["verdict"]["speed"]
    )
    assert "], not judged: machine busy |" in texts["summary.md"]


def test_each_section_says_that_its_benchmarks_ran_on_a_busy_machine(tmp_path: Path) -> None:
    """Limits, layers, phases, growth, ranks, peers, the loops and workers: the alarm in each, and the conditions."""
    entries = fake_run.all_benchmarks()
    entries.append(fake_run.benchmark("test_call", [0.03] * 3, {"kind": "worker", "call_overhead_ms": 1.0}))
    for entry in entries:
        entry["extra_info"]["conditions"] = fake_bench.conditions(fake_bench.BUSY)
    html = page(tmp_path, entries)["index.html"]
    parts = ("roofline", "real", "torches", "phases", "growth", "scaling", "peers", "references", "workers")
    sections = dict(re.findall(r'<h3 class="part" id="([a-z]+)">(.*?)(?=<h3|</section>)', html, re.DOTALL))
    assert [name for name in parts if "Not judged: machine busy." not in sections[name]] == []
    assert html.count("Not judged: machine busy.") == len(parts) + 1  # the ladder
    assert "busy: not judged" in sections["conditions"]


def test_a_reason_for_slow_halves(tmp_path: Path) -> None:
    """A processor without AVX-512 explains 16 bits that are slower than float32, and nothing else."""
    slow, fast = (page(tmp_path, [fake_bench.real_layer(speed=speed)])["index.html"] for speed in (0.25, 2.0))
    assert "no AVX-512" in slow
    assert "no AVX-512" not in fast


def test_quiet_benchmarks_raise_no_alarm(tmp_path: Path) -> None:
    """A quiet machine: its cores and load are shown, and no alarm."""
    html = page(tmp_path, [fake_run.training(), fake_bench.growth(conditions=fake_bench.conditions())])["index.html"]
    told = html[html.index('id="conditions"') :]
    assert "recipes, cost as work grows" in told
    assert "0.10, 0.10, 0.10" in told
    assert "machine busy" not in html


@pytest.mark.parametrize(
    ("median", "floor", "word"),
    [
        (2.0, 0.05, "faster"),
        (1.05, 0.05, "no difference shown"),
        (0.5, 0.05, "slower"),
        (2.0, 5.0, "no difference shown"),
    ],
)
def test_a_word_is_said_only_beyond_the_floor(tmp_path: Path, median: float, floor: float, word: str) -> None:
    """The whole interval must clear the noise floor of the same run."""
    fast = fake_run.training("fast", over_book=fake_bench.ratio(median), noise_floor=floor)
    texts = page(tmp_path, [fake_run.training(), fast])
    assert f"{median:.2f} [{median - 0.04:.2f}, {median + 0.04:.2f}], {word} |" in texts["summary.md"]
    assert ("fastest recipe for the same problem is fast" in texts["summary.md"]) == (word == "faster")


def test_other_numerics_are_not_called_the_fastest(tmp_path: Path) -> None:
    """A recipe that is not the book's problem is starred, and no rival."""
    other = fake_run.training("bf16", 60_000.0, other="computes in bfloat16")
    texts = page(tmp_path, [fake_run.training(), fake_run.training("in_memory", 31_000.0), other])
    assert "fastest recipe for the same problem is in" in texts["summary.md"]
    assert ">bf16*</text>" in texts["index.html"]
    assert "not the same: computes in bfloat16" in texts["index.html"]


@pytest.mark.parametrize(
    ("kind", "changes", "problem"),
    [
        ("training", {"over_book": {"low": 1, "median": float("nan"), "high": 2}}, "median is nan, not a finite"),
        ("training", {"over_book": {"low": 2, "median": 1, "high": 3}}, "over_book has a median outside its interval"),
        ("training", {"noise_floor": "<b>"}, "noise_floor is"),
        ("training", {"peak_memory_bytes": -1}, "peak_memory_bytes is -1, not a finite number from"),
        ("training", {"conditions": []}, "conditions is a list"),
        ("phases", {"phases": {"forward": [-1.0]}}, "phases.forward.0 is -1.0, not a time"),
        ("phases", {"phases": {}}, "phases is an object of 0, not an object of 1 to 12"),
        ("growth", {"value": 0}, "value is 0, not a finite number from"),
        ("layer", {"flop": -3}, "flop is -3"),
        ("scaling", {"speedup": None}, "speedup is missing"),
        ("peer", {"over_book": {"low": "1"}}, "low is"),
        ("ten_epochs", {"feature_maps": {"image": [[256]], "label": "x", "layers": []}}, "image.0.0 is 256, not a"),
    ],
)  # fmt: skip
def test_hostile_numbers_are_named_and_skipped(
    tmp_path: Path, kind: str, changes: dict[str, Any], problem: str
) -> None:
    """One benchmark is left out, with its place and what is wrong; the others are shown."""
    odd = getattr(fake_bench, kind)(**changes)
    fake_run.write_benchmarks(tmp_path, [odd, fake_run.training("in_memory")])
    found = assemble(load([tmp_path]))
    assert [item["name"] for item in found["benchmarks"]] == ["test_training[in_memory-cpu]"]
    (notice,) = found["skipped"]
    assert notice["problem"].startswith("benchmark 1 skipped: ")
    assert problem in notice["problem"]


@pytest.mark.parametrize("name", ["<script>$x^2$", '#090909 id="x"', "\u4e2d\u6587" * 40, "a\nb", "]]>&amp;"])
def test_hostile_names_are_drawn_as_text(tmp_path: Path, name: str) -> None:
    """Markup, formulas, colours and signs that the font lacks, in every name that a chart writes."""
    entries = [
        fake_run.training(name), fake_bench.phases(name), fake_bench.growth(name), fake_bench.scaling(name),
        fake_bench.peer(name, name), fake_bench.layer(name, name, 9), fake_bench.limit(name, name),
    ]  # fmt: skip
    html = page(tmp_path, entries)["index.html"]
    assert "<script" not in html
    assert html.count("<svg") == html.count("</svg>")


@pytest.mark.parametrize("value", [1e-17, 1e-9, 1e9, 1e17])
def test_extreme_numbers_are_drawn(tmp_path: Path, value: float) -> None:
    """Ratios, rates, times and work at the ends of the range: no warning, no crash."""
    ratio = {"low": value / 2, "median": value, "high": value * 2}
    few = {"flop_per_example": value, "bytes_per_example": 1 / value, "peak_flop_per_second": value}
    entries = [
        fake_run.training("x", over_book=ratio, noise_floor=min(value, 1e12), **few),
        fake_bench.scaling(speedup=ratio),
        fake_bench.growth(value=value, seconds=value), fake_bench.peer(over_book=ratio),
        fake_bench.limit(flop=value), fake_bench.limit("copy", None, bytes=1 / value),
        fake_bench.layer("x", "forward", 10**12, bytes=value),
        fake_bench.phases(phases={"x": [min(value, 1e12)]}),
    ]  # fmt: skip
    assert "<svg" in page(tmp_path, entries)["index.html"]


def test_seeds_are_spread_about_their_mean(tmp_path: Path) -> None:
    """Three seeds: mean and deviation by hand, and the book's loss within their range, its accuracy too."""
    texts = page(tmp_path, [fake_run.ten_epochs(seed) for seed in range(3)])
    seeds = texts["index.html"][texts["index.html"].index('id="seeds"') :]
    assert "3 seeds on cpu" in seeds
    assert "<b>0.4730</b>" in seeds
    assert "0.0040" in seeds
    assert seeds.count("within the range") == 3
    assert texts["index.html"].count('id="loss0-title"') == 1
    assert 'id="loss1-title"' not in texts["index.html"]


def test_a_recipe_that_ends_elsewhere_is_no_rung(tmp_path: Path) -> None:
    """Once the book's loop has ended ten epochs from ten seeds, a recipe without such a result leaves the ladder."""
    timed = [
        fake_run.training(name, rate) for name, rate in (("book", 12_000.0), ("matrix", 24_000.0), ("odd", 36_000.0))
    ]
    ended = [*map(fake_run.ten_epochs, range(10)), fake_run.ten_epochs(recipe="matrix")]
    for seeds, left_out in ((ended, True), (ended[1:], False)):
        folder = tmp_path / str(left_out)
        folder.mkdir()
        html = page(folder, timed + seeds)["index.html"]
        ladder = html[html.index('id="ladder0-title"') :].partition("</svg>")[0]
        assert ("odd" in ladder) != left_out
        assert "matrix" in ladder
        assert ("Left out: odd." in html) == left_out


def test_whole_epochs_stand_beside_the_chapters(tmp_path: Path) -> None:
    """The fastest first, with how many times as fast it is; without benchmarks, the reason."""
    entries = [fake_run.training(), fake_bench.epoch(), fake_bench.epoch("matrix", 2.0)]
    shown = page(tmp_path, entries)["index.html"].partition('id="epochs"')[2]
    assert "<b>2.00</b> [1.80, 2.20]" in shown
    assert shown.index('row">matrix') < shown.index('row">book')
    idle = [{"name": "test_epoch[per_core-cpu]", "reason": "in the full ladder"}]
    other = tmp_path / "other"
    other.mkdir()
    assert "in the full ladder" in page(other, [fake_run.training()], not_run=idle)["index.html"]


def test_peers_of_an_older_run_stand_beside_the_recipes_of_the_newest(tmp_path: Path) -> None:
    """A run of the peers alone hides nothing, and is hidden by nothing; another machine's is left out."""
    late = "2026-11-25T08:00:00+00:00"
    fake_run.write_run(tmp_path, [fake_run.header(), fake_run.result(), fake_run.END])
    fake_run.write_benchmarks(tmp_path, [fake_run.training()], "1")
    fake_run.write_benchmarks(tmp_path, [fake_bench.peer()], "2", datetime=late, not_run=[])
    other = {"environment": {**fake_run.ENVIRONMENT, "cpu": "Another"}}
    fake_run.write_benchmarks(tmp_path, [fake_bench.phases()], "3", machine_info=other)
    kinds = {item["kind"] for item in assemble(load([tmp_path]))["benchmarks"]}
    assert kinds == {"training", "peer"}


def test_a_png_holds_its_shades() -> None:
    """matplotlib reads what was written: grey levels, and 0 transparent."""
    shades = np.array([[0, 1, 128], [255, 7, 0]])
    address = grey_images.png(shades.tolist())
    seen = matplotlib.image.imread(io.BytesIO(b64decode(address.partition(",")[2])), format="png")
    grey = seen[..., 0] if seen.ndim == 3 else seen
    assert np.array_equal(np.rint(grey * 255).astype(int), shades)


def test_a_receptive_field_is_boxed() -> None:
    """The box of what is not zero; no box around nothing."""
    gradient = [[0, 0, 0], [0, 9, 3], [0, 0, 0]]
    units = [{"name": "x", "field": 2, "gradient": gradient}, {"name": "y", "field": 2, "gradient": [[0] * 3] * 3}]
    boxed, empty = grey_images.receptive_fields({"image": [[5] * 3] * 3, "units": units}, "f")
    assert (boxed["reached"], empty["reached"]) == ((1, 2), None)
    assert 'x="1" y="1" width="2" height="1"' in boxed["svg"]
    assert "box-of-field" not in empty["svg"]
    assert boxed["field"] == 2


def test_the_forward_pass_has_a_table_of_its_own(tmp_path: Path) -> None:
    """Rows of inference are no part of the ladder of training, and say over what they are multiples."""
    rows = [fake_bench.peer(), fake_bench.peer("onnxruntime", "onnxruntime", 1.7, work="inference")]
    fake_run.write_benchmarks(tmp_path, rows)
    html = render(load([tmp_path]))["index.html"]
    assert "relative to torch’s eager mode" in html
    assert [html.count(f'<th scope="row">{name}</th>') for name in ("jax", "onnxruntime")] == [1, 1]


def test_what_reports_cost_is_a_table(tmp_path: Path) -> None:
    """Time, memory and sizes, the smallest evidence first."""
    sizes = {"evidence_bytes": 2**30, "peak_mib": 700, "page_bytes": 2**20, "results_bytes": 2**22, "folded": 9}
    rows = [
        fake_bench.benchmark(f"test_report[{rows}]", [seconds], {"kind": "report growth", "rows": rows, **sizes})
        for rows, seconds in ((10**6, 9.0), (10**4, 1.0))
    ]
    fake_run.write_benchmarks(tmp_path, rows)
    html = render(load([tmp_path]))["index.html"]
    assert html.index('<th scope="row">10,000') < html.index('<th scope="row">1,000,000')
