"""The picture of a run: valid SVG with a bar for each case that has figures."""

from __future__ import annotations

from xml.etree import ElementTree

from bench.cases import CASES
from bench.chart import draw
from bench.run import Outcome, Sample


def _sample(cpu_ns: int) -> Sample:
    return Sample(requests=1000, cpu_ns=cpu_ns, wall_ns=10**9, waited_ns=0, load_waited_ns=0)


def test_a_bar_for_each_case_with_figures():
    good = Outcome(CASES[0], {"ours": [_sample(500_000)], "theirs": [_sample(1_000_000)]})
    failed = Outcome(CASES[1], {"ours": [], "theirs": []}, failure="no reply")
    root = ElementTree.fromstring(draw([good, failed], "ours", "theirs", "a <machine>"))
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert CASES[0].title in texts
    assert CASES[1].title not in texts
    assert "0.50" in texts
    assert texts[-1] == "a <machine>"
    assert len(list(root.iter("{http://www.w3.org/2000/svg}rect"))) == 2
