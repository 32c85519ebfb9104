"""No decision goes by a worker's own wall clock: it may jump. Times that decide are the database's, or monotonic."""

import ast
from pathlib import Path

import consumer

# Where a wall clock is asked all the same, and why a wrong one does no harm there.
_ALLOWED = {
    "projection/batch.py": "when a dead letter was buried, for people; and the time of a request that has none",
    "projection/lag/watch.py": "the age of what is not projected yet, held within what the looks bear out",
    "projection/pipeline.py": "the age of the newest event, for the metrics",
    "xero/budget.py": "a Retry-After given as a date, held between a second and a day",
    "results/encoding.py": "when a retry was asked for, for people",
    "sync/conclusions.py": "the latency, for the metrics",
    "operations/manual_sync.py": "when somebody asked, for people",
    "operations/collector.py": "from monotonic to wall clock, for the metrics",
}
# Commands and pages run where a person sits, sandboxes where nothing is at stake.
_OUTSIDE = ("cli/", "console/", "sandbox/", "export/")
_WALL_CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}


def test_wall_clocks_are_asked_only_where_nothing_depends_on_them() -> None:
    folder = Path(consumer.__file__).parent
    found = {
        name
        for path in folder.rglob("*.py")
        if not (name := path.relative_to(folder).as_posix()).startswith(_OUTSIDE) and _asks(path)
    }
    assert found == set(_ALLOWED)


def _asks(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) in _WALL_CLOCKS
        for node in ast.walk(tree)
    )
