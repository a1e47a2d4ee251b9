#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Draws docs/clocks.svg: what every clock of the guest shows against the bed's own clock, through changes of the rate.

usage: bench/picture.py [--no-build]      on the repeatable QEMU, with a test build (docs/testing.md)
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "clocks.svg"
COLOURS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#d7c500", "#0072b2", "#d55e00", "#999999", "#cc79a7")
WIDTH, LEFT, RIGHT, TOP, UPPER, GAP, LOWER = 960, 70, 180, 40, 400, 50, 180


def measured():
    """(rates as (text, bed s), clocks as (Hz, name), samples as [bed s, clock s...]); clocks without a common zero begin with the first one."""
    words = [ROOT / "tools" / "foliot-run", "--repeatable", "--bed", "qemu", "--mem", "256", "--image", ROOT / "build" / "foliot-test.elf",
             "--foliot", "hv=both", "--append", "bed=qemu", ROOT / "build" / "guests" / "bench-picture.elf"]
    run = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    rates, clocks, samples = [], [], []
    for line in run.stdout.decode("utf-8", "replace").replace("\r", "").splitlines():
        if match := re.match(r"clock (\d+) (.*)", line):
            clocks.append((int(match[1]), match[2]))
        elif match := re.match(r"rate (\d+)/(\d+)", line):
            rates.append((match[1] if match[2] == "1" else match[0][5:], None))
        elif match := re.match(r"plot ([\d ]+)", line):
            bed_ns, *counts = map(int, match[1].split())
            samples.append([bed_ns / 1e9] + [count / hz for count, (hz, _) in zip(counts, clocks)])
            if rates[-1][1] is None:
                rates[-1] = (rates[-1][0], bed_ns / 1e9)
    if run.returncode or not samples:
        sys.exit(f"bench/picture ended with status {run.returncode}: {run.stderr.decode('utf-8', 'replace')[-300:]}")
    for column, (_, name) in enumerate(clocks, 1):
        if name in ("HPET", "LAPIC", "PIT"):
            zero = samples[0][1] - samples[0][column]
            for sample in samples:
                sample[column] += zero
    return rates, clocks, samples


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{words}</text>'


def path(points, colour, more=""):
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="{line}" fill="none" stroke="{colour}" {more}/>'


def draw(rates, clocks, samples):
    """The picture: guest time by each clock above, and in ticks of each clock how far it is from the TSC below."""
    first, last, highest = samples[0][0], samples[-1][0], max(max(sample[1:]) for sample in samples)
    width, base, middle = WIDTH - LEFT - RIGHT, TOP + UPPER, TOP + UPPER + GAP + LOWER / 2
    across = lambda bed: LEFT + (bed - first) / (last - first) * width
    up = lambda guest: base - guest / highest * UPPER
    ticks_up = lambda ticks: middle - ticks / 2.0 * LOWER / 2
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{TOP + UPPER + GAP + LOWER + 50}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           text(LEFT, 20, "The guest's clocks against the bed's own, through changes of the rate", 'font-size="15"')]
    for second in range(int(highest) + 1):
        out += [path([(LEFT, up(second)), (LEFT + width, up(second))], "#dddddd"), text(LEFT - 8, up(second) + 4, f"{second} s", 'text-anchor="end"')]
    for words, bed in rates:
        out += [path([(across(bed), TOP), (across(bed), base + GAP + LOWER)], "#bbbbbb", 'stroke-dasharray="4 3"'),
                text(across(bed) + 4, TOP + 12, f"rate {words}")]
    for ticks in (-2, -1, 0, 1, 2):
        out += [path([(LEFT, ticks_up(ticks)), (LEFT + width, ticks_up(ticks))], "#dddddd"),
                text(LEFT - 8, ticks_up(ticks) + 4, f"{ticks:+d} tick" if ticks else "0", 'text-anchor="end"')]
    for column, (hz, name) in enumerate(clocks, 1):
        colour = COLOURS[column - 1]
        out.append(path([(across(s[0]), up(s[column])) for s in samples], colour, f'stroke-width="{10 - column:.0f}" stroke-opacity="0.8"'))
        if hz < 100000000:  # finer ticks are shorter than the reads are apart
            away = [(across(s[0]), ticks_up(max(-2, min(2, (s[column] - s[1]) * hz)))) for s in samples]
            out.append(path(away, colour, 'stroke-width="1.5"'))
        y = TOP + 20 * column
        out += [path([(LEFT + width + 15, y), (LEFT + width + 40, y)], colour, 'stroke-width="4"'), text(LEFT + width + 46, y + 4, name)]
    for tenth in range(int(first * 10) + 1, int(last * 10) + 1, 2):
        out.append(text(across(tenth / 10), TOP + UPPER + GAP + LOWER + 18, f"{tenth / 10:.1f} s", 'text-anchor="middle"'))
    out += [text(LEFT + width / 2, TOP + UPPER + GAP + LOWER + 38, "the bed's own clock (its HPET)", 'text-anchor="middle"'),
            text(LEFT, base + GAP - 12, "distance from the TSC, in ticks of each clock of 10 MHz or less; they are read one after another"), "</svg>"]
    return "\n".join(out) + "\n"


def main():
    build = ["make", "--no-print-directory", "-s", "guests", "build/foliot-test.elf"]
    if "--no-build" not in sys.argv and subprocess.run(build, cwd=ROOT, check=False).returncode:
        return 1
    OUT.write_text(draw(*measured()), encoding="utf-8")
    print(OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
