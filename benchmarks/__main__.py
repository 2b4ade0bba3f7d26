"""Runs the benchmarks: `python -m benchmarks [a b c d e f g h]`, all of them where none is named."""

import sys
import time

from benchmarks import enumeration, first_result, import_time, iwae, normal_model, samplers, streaming, vae_epoch
from benchmarks.contest import limit_cores
from benchmarks.table import Section

CASES = {
    "a": vae_epoch.run,
    "b": normal_model.run,
    "c": first_result.run,
    "d": import_time.run,
    "e": streaming.run,
    "f": iwae.run,
    "g": enumeration.run,
    "h": samplers.run,
}


def main(names: list[str]) -> int:
    """Runs the named cases and prints the table; returns the exit status."""
    unknown = sorted(set(names) - set(CASES))
    if unknown:
        print(f"There is no case {', '.join(unknown)}; the cases are {', '.join(CASES)}.")
        return 2
    limit_cores()
    start = time.perf_counter()
    print("Median, range and ratio; all in turn in the same run, on two CPU cores at most.\n")
    sections: list[Section] = []
    for name in names or CASES:
        for section in CASES[name]():
            print(section, end="\n\n", flush=True)
            sections.append(section)
    verdicts = [bar.verdict for section in sections for bar in section.bars]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("kept", "MISSED", "not measured"))
    print(f"Bars: {counts}. {time.perf_counter() - start:.0f} s in all.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
