"""``python -m benchmarks [NAME …]``: runs the named benchmarks, or all."""

from __future__ import annotations

import importlib
import sys

NAMES = ("http", "composition", "coalesced", "gateway", "landscape", "import")

MODULES = {"import": "import_"}
"""Where a name is a word of the language."""


def main() -> int:
    """Run them; 0 even where a goal is missed: figures are reported as they are."""
    wanted = sys.argv[1:] or list(NAMES)
    if unknown := [n for n in wanted if n not in NAMES]:
        print(f"There is no benchmark {', '.join(unknown)}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in wanted:
        from benchmarks._ratio import write

        module = importlib.import_module(f"benchmarks.{MODULES.get(name, name)}")
        print(f"== {name}: {module.__doc__.splitlines()[0]}", flush=True)
        ratios = module.run()
        write(name, ratios, module.NOTES)
        for ratio in ratios:
            print(ratio.line(), flush=True)
    return 0


raise SystemExit(main())
