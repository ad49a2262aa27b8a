"""Latency for people: the drawing of LATENCY GRAPH and the text of LATENCY DOCTOR."""

from __future__ import annotations

Samples = list[tuple[int, int]]
"""(unix time in s, ms), oldest first; never empty."""

GRAPH_WIDTH = 80
GRAPH_HEIGHT = 4


def age(seconds: int) -> str:
    """How long ago, in the largest whole unit: 5s, 3m, 7h, 2d."""
    if seconds < 60:
        return f"{max(seconds, 0)}s"
    if seconds < 3600:
        return f"{seconds // 60}m"
    if seconds < 86400:
        return f"{seconds // 3600}h"
    return f"{seconds // 86400}d"


def graph(name: str, samples: Samples, max_ms: int, now_s: int) -> str:
    """A column for each of the latest samples, its age written below it from top to bottom."""
    samples = samples[-GRAPH_WIDTH:]
    values = [took for _, took in samples]
    high, low = max(values), min(values)
    span = max(high - low, 1)
    heights = [1 + (value - low) * (GRAPH_HEIGHT - 1) // span for value in values]
    lines = [
        f"{name} - high {high} ms, low {low} ms (all time high {max_ms} ms)",
        "-" * GRAPH_WIDTH,
    ]
    for level in range(GRAPH_HEIGHT, 0, -1):
        base = "_" if level == 1 else " "
        cells = ("#" if height >= level and height > 1 else base for height in heights)
        lines.append("".join(cells).rstrip())
    lines.append("")
    ages = [age(now_s - time_s) for time_s, _ in samples]
    for row in range(max(map(len, ages))):
        lines.append("".join(text[row : row + 1] or " " for text in ages).rstrip())
    return "\n".join(lines) + "\n"


def doctor(events: dict[str, tuple[Samples, int]], threshold_ms: int) -> str:
    """What was recorded, with what to look at next; `events` are samples and worst, by name."""
    if threshold_ms == 0 and not events:
        return (
            "Latency is not monitored. CONFIG SET latency-monitor-threshold <ms> starts it: what "
            "takes that long or longer is recorded then.\n"
        )
    if not events:
        return f"Nothing took {threshold_ms} ms or longer since monitoring began.\n"
    lines = ["These events took long:", ""]
    for number, (name, (samples, max_ms)) in enumerate(events.items(), 1):
        values = [took for _, took in samples]
        mean = sum(values) / len(values)
        deviation = sum(abs(value - mean) for value in values) / len(values)
        lines.append(
            f"{number}. {name}: samples {len(values)}, mean {mean:.0f} ms, mean deviation "
            f"{deviation:.0f} ms, {_rhythm(samples)}, worst ever {max_ms} ms."
        )
    lines.append("")
    if "command" in events or "fast-command" in events:
        lines.append("- SLOWLOG GET shows which commands these were, if they are slow enough for")
        lines.append("  slowlog-log-slower-than; LATENCY HISTOGRAM shows the calls of each.")
    lines.append("- LATENCY GRAPH <event> draws when it happened, LATENCY RESET forgets it.")
    return "\n".join(lines) + "\n"


def _rhythm(samples: Samples) -> str:
    if len(samples) < 2:
        return "seen once"
    period = (samples[-1][0] - samples[0][0]) / (len(samples) - 1)
    return f"one in {period:.0f} s"
