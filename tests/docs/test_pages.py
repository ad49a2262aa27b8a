"""Every code block of README.md and docs does what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.page_run import run_page
from support.pages import ROOT, Block, all_pages, blocks_of

MOST_SKIPPED = 12


@pytest.mark.parametrize("page", all_pages())
def test_blocks_of(page: str, tmp_path: Path) -> None:
    run_page(page, tmp_path)


def every_block() -> list[Block]:
    return [block for page in all_pages() for block in blocks_of(page)]


def test_few_blocks_are_skipped_and_each_says_why() -> None:
    skipped = [block for block in every_block() if "skip" in block.asks]
    listed = "\n".join(f"{block.place}: {block.asks['skip']}" for block in skipped)
    assert all(len(block.asks["skip"]) > 10 for block in skipped), listed
    assert len(skipped) <= MOST_SKIPPED, listed


def test_what_another_test_runs_is_run_there() -> None:
    for block in every_block():
        if "run by" in block.asks:
            test = ROOT / block.asks["run by"]
            assert Path(block.page).name in test.read_text(), f"{block.place}: {test}"
