"""What the documents name exists: links, headings, tox environments, options, functions, entries of the ledger."""

from __future__ import annotations

import configparser
import inspect
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from properties.operators import CATALOGUE
from properties.worker.modules import function_of

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("[!.]*/README.md")])
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)|^\[\d+\]: (\S+)|<img src=\"([^\"]+)\"", re.MULTILINE)
CODE = re.compile(r"^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def text(document: Path) -> str:
    """A document's text without its blocks of code."""
    return CODE.sub("", document.read_text(encoding="utf-8"))


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", text(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_resolve(document: Path) -> None:
    """A relative link leads to a file or a folder, and to a heading in it."""
    links = ["".join(groups) for groups in LINK.findall(text(document))]
    for link in (link for link in links if "://" not in link):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_readme_is_short() -> None:
    """The rest is in docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@each_document
def test_lines_are_short(document: Path) -> None:
    """120 columns at most; a row of a table cannot be broken."""
    lines = document.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if len(line) > 120 and not line.startswith("|")]


@each_document
def test_tox_environments_exist(document: Path) -> None:
    """Each ``tox run -e NAME`` names environments of tox.ini."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "tox.ini", encoding="utf-8")
    there = set(re.findall(r"[\w-]+", "".join(section.partition(":")[2] for section in config.sections())))
    named = re.findall(r"tox run (?:-\w+ )*-e ([\w,-]+)", document.read_text(encoding="utf-8"))
    assert {name for names in named for name in names.split(",")} <= there


@each_document
def test_options_exist(document: Path, pytestconfig: pytest.Config) -> None:
    """Each option of a command is pytest's or a plugin's, tox's or pip's, or is defined by a program of the suite."""
    programs = [*ROOT.glob("reports/*.py"), *ROOT.glob("bench/*.py")]
    defined = set(re.findall(r"\"(--[\w-]+)\"", "".join(path.read_text(encoding="utf-8") for path in programs)))
    defined |= {option for group in pytestconfig._parser._groups for o in group.options for option in o.names()}
    others = {"--group", "--upgrade", "--no-save", "--extra-index-url"}  # pip's and npm's
    launchers = {"--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-endpoint"}  # torchrun's
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*\w", document.read_text(encoding="utf-8")))
    assert named <= defined | others | launchers


def test_functions_exist() -> None:
    """Each ```name` (`file`)`` in the map of the rooms is a function, a class or a constant of that file."""
    rooms = ROOT / "properties"
    pairs = re.findall(r"`@?(?:\w+\.)*(\w+)`\s\(`([\w/]+\.py)`\)", text(rooms / "README.md"))
    assert len(pairs) > 10
    for name, file in pairs:
        source = (rooms / file).read_text(encoding="utf-8")
        assert re.search(rf"^\s*(def|class) {name}\b|^{name} = ", source, re.MULTILINE), f"{file} has no {name}"


def test_rooms_are_listed() -> None:
    """The map names every folder that there is, and no other."""
    rooms = ROOT / "properties"
    listed = set(re.findall(r"^\| `(\w+)/` \|", text(rooms / "README.md"), re.MULTILINE))
    assert listed == {path.parent.name for path in rooms.glob("*/__init__.py")}


def test_entries_exist() -> None:
    """Each entry of the ledger that the README shows is in the file that it links."""
    shown = re.findall(r"\[`([a-z0-9-]+)`\]\((properties/ledger/\w+\.py)\)", text(ROOT / "README.md"))
    assert len(shown) == 4
    assert not [entry for entry, file in shown if f'"{entry}"' not in (ROOT / file).read_text(encoding="utf-8")]


LISTED = re.compile(r"`(\w+?)([123]?)(d?)`( … `3d`)?")


def listed(section: str) -> list[str]:
    """The modules that a section of docs/layers.md names in its table; "`Conv1d` … `3d`" names three."""
    names: list[str] = []
    for line in section.splitlines():
        for name, first, axes, several in LISTED.findall(line.partition(" | ")[0]) if line.startswith("| `") else ():
            names += [f"{name}{n}d" for n in range(int(first), 4)] if several else [f"{name}{first}{axes}"]
    return names


def test_second_gradients_are_listed() -> None:
    """docs/layers.md names the operators that have gradients, but no gradients of gradients."""
    text = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)`", text.partition("Gradients of gradients")[2].partition("\n\n")[0])
    assert sorted(named) == sorted(o.name for o in CATALOGUE if o.differentiable and o.second is None)


@pytest.mark.skipif(not torch.__version__.startswith("2.13."), reason="the list is that of torch 2.13")
def test_every_module_is_listed() -> None:
    """docs/layers.md names each module of torch.nn once, and under "Held" those that an operator stands for."""
    held, rest = map(listed, (ROOT / "docs" / "layers.md").read_text(encoding="utf-8").split("## Not held"))
    modules = [n for n, each in vars(nn).items() if inspect.isclass(each) and issubclass(each, nn.Module)]
    assert sorted(held + rest) == sorted(modules)
    known = (
        {o.name for o in CATALOGUE} | {o.layer.removeprefix("torch.nn.") for o in CATALOGUE} | {"pad", "interpolate"}
    )
    assert not [name for name in held if not known & {name, function_of(name), function_of(name[:-2])}]
