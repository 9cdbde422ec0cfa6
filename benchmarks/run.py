"""Run all benchmarks one after the other; each writes its figures as JSON.

python benchmarks/run.py --out benchmarks/results [--quick] [--only NAME]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    scripts = sorted(p for p in HERE.glob("*.py") if p.name != Path(__file__).name and not p.name.startswith("_"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the JSON files")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions and sizes")
    parser.add_argument("--only", choices=[p.stem for p in scripts], help="one benchmark")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for script in scripts:
        if arguments.only not in (None, script.stem):
            continue
        print(f"== {script.stem}", flush=True)
        command = [sys.executable, str(script), "--out", str(arguments.out)] + ["--quick"] * arguments.quick
        if subprocess.run(command, check=False).returncode:
            failed.append(script.stem)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
