"""The page as a reader meets it: what it says, and that nothing hostile in the evidence reaches the browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reports.draw.report import PAGE_LIMIT, render
from reports.read.load import join, load
from reports.read.records import STATUSES
from reports.tell.chapter import SYSTEMS
from reports.tell.report import assemble
from reports.tests import fake_run

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}&amp;$\\frac{$`|[a](javascript:x)"
VOID = {"meta", "br", "wbr", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags, ids and attributes of a page; raises where an element is closed that was not open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.links: list[str] = []
        self.headers: list[dict[str, str | None]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element, and keep it open until it ends."""
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without content."""
        self.tags.append(tag)
        self.attributes.extend(attrs)
        named = dict(attrs)
        self.ids.extend([named["id"]] if named.get("id") else [])  # type: ignore[list-item]
        self.links.extend(value for key, value in attrs if key == "href" and value and tag == "a")
        self.headers.extend([named] if tag == "th" else [])

    def handle_endtag(self, tag: str) -> None:
        """Close the element that is open."""
        assert self._open[-1:] == [tag], f"</{tag}> closes another element"
        self._open.pop()


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a whole run."""
    folder = tmp_path_factory.mktemp("evidence")
    fake_run.write_all(folder)
    return render(load([folder]))["index.html"]


def test_the_page_is_self_contained_and_well_formed(html: str) -> None:
    """No script, no address to fetch, a strict policy, one of each id, and every link leads somewhere."""
    page = Page(html)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html
    assert not {"script", "img", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not [key for key, _ in page.attributes if key.startswith("on") or key == "src"]
    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert not re.search(r"url\((?!#)|@import", html)
    assert len(html.encode()) < PAGE_LIMIT


def test_table_headers_have_a_scope(html: str) -> None:
    """Every header cell says whether it heads a row, a column or a family's rows."""
    headers = Page(html).headers
    assert headers
    assert {header.get("scope") for header in headers} == {"row", "col", "rowgroup"}


def test_pictures_have_words(html: str) -> None:
    """Every picture has a role and a title or a label, and each chart a description."""
    pictures = re.findall(r"<svg[^>]*>", html)
    assert len(pictures) >= 9
    assert all('role="img"' in picture and "aria-label" in picture for picture in pictures)
    assert html.count("<desc ") == html.count("<title id=") == 21


def test_all_systems_are_on_the_page(html: str) -> None:
    """S1–S24 in order, each with its title, a formula and the file of its loop."""
    page = Page(html)
    assert [name for name in page.ids if re.fullmatch(r"S\d+", name)] == [f"S{n}" for n in range(1, 25)]
    assert page.tags.count("math") == 24
    for system in SYSTEMS:
        assert system.title in html
        assert system.path in html


def test_the_systems_stand_beside_the_verdict(html: str) -> None:
    """What each of S1–S24 came to is told before the first section, with a link to it."""
    head = html[: html.index("<section")]
    assert re.findall(r'<a href="#(S\d+)">', head) == [f"S{n}" for n in (*range(22, 25), *range(1, 22))]


def test_operators_stand_by_family(tmp_path: Path) -> None:
    """The chapter's families in its order, then those of later networks in a table that opens, of no family first."""
    rows = [
        fake_run.result("a", operator, family=family, systems=systems)
        for operator, family, systems in (
            ("elu", "smooth_activation", []), ("layer_norm", "normalization", []), ("linear", "dense", ["S14"]),
            ("conv2d", "convolution", ["S4"]), ("conv1d", "convolution", ["S2"]), ("-", None, []),
        )
    ]  # fmt: skip
    fake_run.write_run(tmp_path, [fake_run.header(subjects=["cpu-float32"]), *rows, fake_run.END])
    matrix = render(load([tmp_path]))["index.html"].partition('id="matrix"')[2].partition("By law")[0]
    found = re.findall(r'<details class="(\w+)">|<th scope="row\w*"[^>]*>(?:<a[^>]*>)?([^<]+)', matrix)
    assert ["".join(each) for each in found] == [
        "convolution", "conv2d", "conv1d", "dense", "linear", "no family", "no single operator",
        "later", "normalization", "layer_", "smooth activation", "elu",
    ]  # fmt: skip


def test_the_book_stands_beside_the_run(html: str) -> None:
    """S24's printed numbers and the run's own, in the same tables."""
    for number in ("0.469", "0.823", "0.779", "55,296.6", "0.477", "0.820", "0.781", "12,345.6"):
        assert number in html


def test_verdict_comes_first_and_names_what_was_not_checked(html: str) -> None:
    """The answer precedes every section, and a subject that did not run is named beside it."""
    assert html.index('class="answer"') < html.index("<section")
    head = html[: html.index("<section")]
    assert "Yes, where it was checked" in head
    assert "Nothing was checked on cuda-float32." in head
    assert "20 checks were not run" in head


def test_the_glossary_explains_the_words(html: str) -> None:
    """Every status, and what a reader meets before them; the page links to it."""
    terms = re.findall(r"<dt>(?:<b[^>]*>)?([^<]+)", html.partition('id="glossary"')[2])
    assert {"subject", "case", "law", "exact tier", "bounded tier", "bound", "verdict", "known defect"} <= set(terms)
    assert set(STATUSES) <= set(terms)
    assert 'href="#glossary"' in html.partition("<main>")[0]


def test_colour_is_never_alone(html: str) -> None:
    """Each coloured status carries its word, and a mark from the style sheet."""
    found = re.findall(r'<b class="s-([a-z-]+)">([^<]+)<', html)
    assert found
    told = [(name, word.split(":")[0].replace(" ", "-").replace("(", "").replace(")", "")) for name, word in found]
    own = {("passed", "caught"), ("narrow", "kept-in-16-bits"), ("narrow", "bfloat16,-as-stored")}
    assert [pair for pair in told if pair[0] != pair[1] and pair not in own] == []
    assert {name for name, _ in told} <= set(re.findall(r'\.s-([a-z-]+){[^}]*--mark:"."', html))
    assert set(re.findall(r"<td><b>([^<]+)<", html)) == {"passed"}


def test_hostile_text_is_text(tmp_path: Path) -> None:
    """HTML, templates, Markdown and TeX in every text of the evidence: shown, never interpreted."""
    environment = {**fake_run.ENVIRONMENT, "torch": HOSTILE, HOSTILE: HOSTILE, "devices": [{"name": HOSTILE}]}
    texts = dict.fromkeys(("title", "device", "dtype", "worst_case", "message", "test", "reason"), HOSTILE)
    statuses = ("passed", "diverged", "known", "error", "vacuous", "not run")
    rows = [
        fake_run.result(HOSTILE, HOSTILE, HOSTILE + status, status=status, systems=[HOSTILE, "S4"], **texts)
        for status in statuses
    ]
    header = fake_run.header(environment=environment, profile=HOSTILE, arguments=[HOSTILE], subjects=[HOSTILE])
    odd = {"severity": HOSTILE, "repro": HOSTILE, "upstream": HOSTILE}
    rows = [{**row, **odd} for row in rows] + [
        {**rows[0], "subject": f"{HOSTILE}passed@{HOSTILE}", "status": "diverged"}
    ]
    kinds = [fake_run.accumulator(HOSTILE, direction=HOSTILE, storage=HOSTILE, accumulator=HOSTILE), fake_run.worker()]
    figures = [{**figure, "subject": HOSTILE} for figure in [*fake_run.figures(), *kinds]]
    figures += [
        fake_run.fault(HOSTILE, HOSTILE, law=HOSTILE, operator=HOSTILE, caught=caught, correct=correct, message=HOSTILE)
        for caught in (True, False)
        for correct in (True, False)
    ]
    figures += [{"kind": HOSTILE}]
    end = {**fake_run.END, "finished": HOSTILE}
    fake_run.write_run(tmp_path, [header, HOSTILE, *rows, *figures, end], "<b>")
    extra: dict[str, Any] = {"recipe": HOSTILE, "recipe_doc": HOSTILE, "device": HOSTILE, "device_name": HOSTILE}
    extra |= {"dataset": f"bundled {HOSTILE}", "dataset_note": HOSTILE, "threads": HOSTILE}
    entries = [
        fake_run.training(**extra),
        fake_run.ten_epochs(**extra, epochs=HOSTILE),
        fake_run.reference(HOSTILE, 1.0),
    ]
    entries = [{**entry, "name": HOSTILE} for entry in entries]
    fake_run.write_benchmarks(tmp_path, entries, not_run=[{"name": HOSTILE, "reason": HOSTILE}])
    texts_written = render(load([tmp_path]))
    page = Page(texts_written["index.html"])
    assert not {"script", "img", "iframe"} & set(page.tags)
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    assert "&lt;script&gt;alert(1)" in texts_written["index.html"]
    assert "{{ 7*7 }}" in texts_written["index.html"]
    assert "<script" not in texts_written["summary.md"]
    assert "<img" not in texts_written["summary.md"]
    assert "[a](javascript" not in texts_written["summary.md"]


def test_a_spreadsheet_is_given_no_formula(tmp_path: Path) -> None:
    """A name that begins like a formula is written as text."""
    entry = {**fake_run.training(), "name": "=cmd|' /C calc'!A0"}
    fake_run.write_benchmarks(tmp_path, [entry])
    line = render(load([tmp_path]))["samples.csv"].splitlines()[1]
    assert line.startswith("e1,'=cmd")


def test_bundled_sample_is_labelled_wherever_its_numbers_are(tmp_path: Path) -> None:
    """In the verdict, the curves, the systems, the throughput and the summary."""
    label: dict[str, Any] = {"dataset": "bundled sample"}
    fake_run.write_benchmarks(tmp_path, [fake_run.training(**label), fake_run.ten_epochs(**label)])
    texts = render(load([tmp_path]))
    sections = re.split(r'(?=<section id=")', texts["index.html"])
    for name in ('class="answer"', 'id="chapter"', 'id="lenet"', 'id="throughput"'):
        assert any(name in section and "bundled sample" in section for section in sections), name
    rows = [line for line in texts["summary.md"].splitlines() if line.startswith("| book on") or "12,891" in line]
    assert len(rows) == 3
    assert all("bundled sample" in row for row in rows)


def test_no_evidence_is_not_run(tmp_path: Path) -> None:
    """A system that no row names is not run, and takes the plain yes away."""
    rows = [fake_run.result(law, operator, "cpu-float32", systems=["S4"]) for law in ("a", "b") for operator in "xy"]
    fake_run.write_run(tmp_path, [fake_run.header(subjects=["cpu-float32"]), *rows, fake_run.END])
    found = assemble(load([tmp_path]))
    standing = {system["id"]: system["status"] for system in found["systems"]}
    assert standing.pop("S4") == "passed"
    assert set(standing.values()) == {"not run (no evidence)"}
    assert found["verdict"]["answer"] == "Yes, where it was checked"


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"status": "diverged"}, "No"),
        ({"status": "error"}, "Not established"),
        ({"status": "known"}, "Yes, except for known defects"),
        ({"status": "vacuous"}, "Yes, where it was checked"),
        ({}, "Yes"),
    ],
)
def test_the_worst_row_decides(tmp_path: Path, changes: dict[str, str], answer: str) -> None:
    """One row among many passes decides the answer, its cell, and its systems."""
    named = [system.id for system in SYSTEMS]
    rows = [fake_run.result("a", systems=named), fake_run.result("b", systems=["S9"], **changes)]
    fake_run.write_run(tmp_path, [fake_run.header(subjects=["cpu-float32"]), *rows, fake_run.END])
    found = assemble(load([tmp_path]))
    assert found["verdict"]["answer"] == answer
    standing = {system["id"]: system["status"] for system in found["systems"]}
    assert standing["S9"] == changes.get("status", "passed")
    assert standing["S8"] == "passed"


def test_a_failed_session_without_a_failed_row_is_no_yes(tmp_path: Path) -> None:
    """pytest ended with a failure that no row tells of."""
    end = {**fake_run.END, "exitstatus": 3}
    fake_run.write_run(tmp_path, [fake_run.header(), *fake_run.all_results(), end])
    said = assemble(load([tmp_path]))["verdict"]
    assert said["answer"] == "Not established"
    assert "exit status 3" in said["sentence"]


def test_a_full_run_fits(tmp_path: Path) -> None:
    """50 operators, 17 subjects, 63 laws and the full ladder of benchmarks: every operator with its laws."""
    fake_run.write_full(tmp_path)
    html = render(load([tmp_path]))["index.html"]
    assert len(html.encode()) < PAGE_LIMIT
    assert "173</b> planted faults caught" in html
    assert html.count('<details id="laws-') == 50


def test_a_huge_run_stays_within_the_limit(tmp_path: Path) -> None:
    """Twenty thousand rows, half of them diverged with long messages: the page says what it leaves out."""
    rows = [
        fake_run.result(
            f"law {i % 40}", f"operator {i // 40}", status="diverged" if i % 2 else "passed", message="x" * 900
        )
        for i in range(20_000)
    ]
    fake_run.write_run(tmp_path, [fake_run.header(), *rows, fake_run.END])
    texts = render(load([tmp_path]))
    assert len(texts["index.html"].encode()) < PAGE_LIMIT
    assert len(texts["summary.md"].encode()) < 64_000
    assert "more</b> are in <code>results.json</code>" in texts["index.html"]
    assert "10,000 of 20,000 checks that ran diverged" in texts["index.html"]


def test_many_environments_stay_within_the_limit(tmp_path: Path) -> None:
    """A hundred machines with long names: the page says how many it leaves out."""
    for number in range(100):
        place = {**fake_run.ENVIRONMENT, "cpu": f"processor {number:03} " * 9, "torch_build": "flag\n" * 2000}
        rows = [fake_run.result("l", f"o{i}", f"s{j}-float32") for i in range(8) for j in range(8)]
        fake_run.write_run(tmp_path, [fake_run.header(environment=place), *rows, fake_run.END], f"{number}")
    texts = render(join([tmp_path]))
    assert len(texts["index.html"].encode()) < PAGE_LIMIT
    assert "more environments</b> are in" in texts["index.html"]
    assert "and 70 more environments" in texts["summary.md"]


def test_a_machines_load_does_not_make_two_environments(tmp_path: Path) -> None:
    """The same place under another load raises no alarm; another number of threads does, and is named."""
    fake_run.write_run(tmp_path, [fake_run.header(), *fake_run.all_results(), fake_run.END])
    for load_average, threads in [([9.0, 9.0, 9.0], fake_run.ENVIRONMENT["threads"]), ([0.0, 0.0, 0.0], 64)]:
        other = {**fake_run.ENVIRONMENT, "load_average": load_average, "threads": threads}
        fake_run.write_benchmarks(tmp_path, fake_run.all_benchmarks(), machine_info={"environment": other})
        html = render(load([tmp_path]))["index.html"]
        assert ("Two environments" in html) == (threads == 64)
        assert ("threads 64 for the benchmarks" in html) == (threads == 64)
