"""Run benches by name, or all of them: `python -m tests.bench [--list] [NAME ...] [-- OPTIONS OF THE BENCH]`.

A bench is a module of this folder with a function `main(arguments: list[str]) -> None`; its docstring's first line is
shown in the list.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType


def benches() -> dict[str, ModuleType]:
    """Return the benches of this folder by name."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    modules = {name: importlib.import_module(f"tests.bench.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "main")}


def main(arguments: list[str]) -> int:
    own, options = arguments, []
    if "--" in arguments:
        cut = arguments.index("--")
        own, options = arguments[:cut], arguments[cut + 1 :]
    found = benches()
    unknown = [name for name in own if name not in found and name != "--list"]
    if "--list" in own or unknown:
        for name in unknown:
            print(f"There is no bench {name}. There are:")
        for name, module in found.items():
            print(f"{name:12} {(module.__doc__ or '').splitlines()[0]}")
        return 2 if unknown else 0
    for name in own or found:
        print(f"== {name}")
        found[name].main(options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
