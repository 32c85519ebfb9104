"""The alert rules in fast motion: every duration and every threshold in seconds divided, for tests that watch them."""

import re

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=for: )(\d+)([smhd])")
# alerts.yml promises that such a number is one of seconds.
_SECONDS = re.compile(r"(?<=> )(\d{2,})\b(?!\.)")
_SECONDS_MIN = 60
# The loops go round every two seconds, the tables are looked at every five.
_SECONDS_LEAST = 6


def fast_rules(rules: str, factor: int, shortest_seconds: int) -> str:
    """Return `rules` (YAML) `factor` times as quick; no window gets shorter than `shortest_seconds`."""

    def duration(found: re.Match[str]) -> str:
        number, unit = found[1] or found[3], found[2] or found[4]
        floor = shortest_seconds if found[1] else 1
        return f"{max(int(number) * _UNITS[unit] // factor, floor)}s"

    def seconds(found: re.Match[str]) -> str:
        number = int(found[1])
        return found[1] if number < _SECONDS_MIN else str(max(number // factor, _SECONDS_LEAST))

    return _SECONDS.sub(seconds, _DURATION.sub(duration, rules))
