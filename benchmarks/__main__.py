"""All benchmarks one after another, as ``make bench`` runs them: ``python -m benchmarks``.

Ends with one line, and a non-zero exit when a bar is missed.
"""

import subprocess
import sys
from pathlib import Path

SUITE = (
    ("rules",),
    ("mutations",),
    ("accuracy",),
    ("accuracy", "--mono"),
    ("robustness",),
    ("formats",),
    ("throughput",),
    ("fleet",),
    ("queue",),
    ("api",),
    ("half_year",),
)


def main() -> int:
    missed = []
    for module, *options in SUITE:
        title = " ".join((module, *options))
        print(f"\n== {title}\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{module}", *options]
        if subprocess.run(command, check=False, cwd=Path(__file__).resolve().parent.parent).returncode:
            missed.append(title)
    print("\nbench: " + (f"bars missed by {', '.join(missed)}" if missed else "all bars held"))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
