"""The documentation as a site: it builds without a complaint, and needs no other host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from support.pages import ROOT

LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOT_LOADED = {"canonical", "next", "prev"}


class Loaded(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "link" and values.get("rel") in NOT_LOADED:
            return
        if tag in LOADING and (address := values.get(LOADING[tag])):
            self.found.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: links, anchors and pages left out of the menu are errors."""
    pytest.importorskip("material", reason="the docs group is not installed")
    directory = tmp_path_factory.mktemp("site")
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)]
    built = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, env=quiet
    )
    complaints = [line for line in built.stderr.split("\n") if "WARNING" in line or "ERROR" in line]
    assert built.returncode == 0, "\n".join(complaints) or built.stderr
    return directory


def pages(site: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(site.rglob("*.html")):
        yield path, path.read_text()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path, text in pages(site):
        parser = Loaded()
        parser.feed(text)
        assert parser.found, path
        for address in parser.found:
            assert not re.match(r"(?:[a-z]+:)?//", address), f"{path.name} loads {address}"
    for path in site.rglob("*.css"):
        for address in re.findall(r"url\(([^)]*)\)|@import ([^;]*)", path.read_text()):
            assert not re.match(r"[\"']?(?:https?:)?//", "".join(address)), path


def test_comments_for_tests_are_not_shown(site: Path) -> None:
    for path, text in pages(site):
        for words in ("&lt;!-- skip", "<!-- skip", "<!-- run", "<!-- varies", "<!-- clock"):
            assert words not in text, path


def test_every_picture_is_there_and_says_what_it_shows(site: Path) -> None:
    seen = 0
    for path, text in pages(site):
        for tag in re.findall(r"<img [^>]*>", text):
            if 'alt="logo"' in tag:
                continue
            source = re.search(r'src="([^"]+)"', tag)
            words = re.search(r'alt="([^"]*)"', tag)
            assert source is not None, tag
            assert (path.parent / source[1]).is_file(), tag
            assert words is not None, tag
            assert len(words[1]) > 20, tag
            seen += 1
    assert seen >= 5


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "bench/README.md"])
def test_links_of_pages_outside_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), f"{name}: {link}"
