#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Draws docs/clocks.svg: what every clock of the guest shows against the bed's own clock, through changes of the rate.

usage: bench/picture.py [--no-build]      on the repeatable QEMU, with a test build (docs/testing.md)
"""

import fractions
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "clocks.svg"
COLOURS = ("#000000", "#e69f00", "#56b4e9", "#009e73", "#d7c500", "#0072b2", "#d55e00", "#999999", "#cc79a7")
WIDTH, LEFT, RIGHT, TOP, UPPER, GAP, LOWER = 960, 70, 180, 40, 400, 50, 180


def measured():
    """(rates as (text, bed s), clocks as (Hz, name), samples as (bed s, [(TSC before, count, TSC after) of each clock]))."""
    words = [ROOT / "tools" / "foliot-run", "--repeatable", "--bed", "qemu", "--mem", "256", "--image", ROOT / "build" / "foliot-test.elf",
             "--foliot", "hv=both", "--append", "bed=qemu", ROOT / "build" / "guests" / "bench-picture.elf"]
    run = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    rates, clocks, samples = [], [], []
    for line in run.stdout.decode("utf-8", "replace").replace("\r", "").splitlines():
        if match := re.match(r"clock (\d+) (.*)", line):
            clocks.append((int(match[1]), match[2]))
        elif match := re.match(r"rate (\d+)/(\d+)", line):
            rates.append([match[1] if match[2] == "1" else match[0][5:], None])
        elif match := re.match(r"plot ([\d ]+)", line):
            bed_ns, *values = map(int, match[1].split())
            samples.append((bed_ns / 1e9, list(zip(values[0::3], values[1::3], values[2::3]))))
            rates[-1][1] = rates[-1][1] or bed_ns / 1e9
    if run.returncode or not samples:
        sys.exit(f"bench/picture ended with status {run.returncode}: {run.stderr.decode('utf-8', 'replace')[-300:]}")
    return rates, clocks, samples


def zero_of(hz, readings):
    """Where on the TSC, in ns, the clock's zero lies: the middle of what all readings allow (guest-tests/clocks has the arithmetic)."""
    tick = fractions.Fraction(10**9, hz)
    low = max(before - (count + 1) * tick for before, count, _ in readings)
    high = min(after + 1 - count * tick for _, count, after in readings)
    if low >= high:
        sys.exit(f"a clock of {hz} Hz does not agree with the TSC: {float(low)} to {float(high)} ns")
    return 0 if low < 0 < high else (low + high) / 2


def places(hz, readings):
    """(guest s by this clock, where that lies between the earliest, -1, and the latest, 1, that the TSC around the reading allows)."""
    tick, zero = 1e9 / hz, float(zero_of(hz, readings))
    for before, count, after in readings:
        shown, earliest, latest = zero + (count + 0.5) * tick, before - tick / 2, after + 1 + tick / 2
        yield (zero + count * tick) / 1e9, (2 * shown - earliest - latest) / (latest - earliest)


def text(x, y, words, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{words}</text>'


def path(points, colour, more=""):
    line = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="{line}" fill="none" stroke="{colour}" {more}/>'


def frame(rates, across, up, highest, place_up):
    """Axes and their words."""
    width, base = WIDTH - LEFT - RIGHT, TOP + UPPER
    height, foot = base + GAP + LOWER + 50, base + GAP + LOWER
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           text(LEFT, 20, "The guest's clocks against the bed's own, through changes of the rate", 'font-size="15"')]
    for second in range(int(highest) + 1):
        out += [path([(LEFT, up(second)), (LEFT + width, up(second))], "#dddddd"), text(LEFT - 8, up(second) + 4, f"{second} s", 'text-anchor="end"')]
    for words, bed in rates:
        out += [path([(across(bed), TOP), (across(bed), foot)], "#bbbbbb", 'stroke-dasharray="4 3"'), text(across(bed) + 4, TOP + 12, f"rate {words}")]
    for place, words in ((-1, "earliest"), (0, ""), (1, "latest")):
        out += [path([(LEFT, place_up(place)), (LEFT + width, place_up(place))], "#dddddd"), text(LEFT - 8, place_up(place) + 4, words, 'text-anchor="end"')]
    return out + [text(LEFT + width / 2, foot + 38, "the bed's own clock (its HPET)", 'text-anchor="middle"'),
                  text(LEFT, base + GAP - 12, "each reading, between the earliest and the latest that TSC reads around it and one tick allow")]


def draw(rates, clocks, samples):
    """The picture: above, guest time by each clock; below, where each reading lies in what is allowed."""
    curves = [list(places(hz, [readings[i] for _, readings in samples])) for i, (hz, _) in enumerate(clocks)]
    beds = [bed for bed, _ in samples]
    highest = max(guest for curve in curves for guest, _ in curve)
    width, base, middle = WIDTH - LEFT - RIGHT, TOP + UPPER, TOP + UPPER + GAP + LOWER / 2
    across = lambda bed: LEFT + (bed - beds[0]) / (beds[-1] - beds[0]) * width
    up = lambda guest: base - guest / highest * UPPER
    place_up = lambda place: middle - place * LOWER / 2
    out = frame(rates, across, up, highest, place_up)
    for i, ((_, name), curve) in enumerate(zip(clocks, curves)):
        out.append(path([(across(bed), up(guest)) for bed, (guest, _) in zip(beds, curve)], COLOURS[i],
                        f'stroke-width="{len(clocks) + 1 - i}" stroke-opacity="0.8"'))
        dots = "".join(f"M{across(bed):.1f} {place_up(place):.1f}h0" for bed, (_, place) in zip(beds, curve))
        out.append(f'<path d="{dots}" stroke="{COLOURS[i]}" stroke-width="3" stroke-linecap="round"/>')
        y = TOP + 20 * (i + 1)
        out += [path([(LEFT + width + 15, y), (LEFT + width + 40, y)], COLOURS[i], 'stroke-width="4"'), text(LEFT + width + 46, y + 4, name)]
    for tenth in range(int(beds[0] * 10) + 1, int(beds[-1] * 10) + 1, 2):
        out.append(text(across(tenth / 10), base + GAP + LOWER + 18, f"{tenth / 10:.1f} s", 'text-anchor="middle"'))
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    build = ["make", "--no-print-directory", "-s", "guests", "build/foliot-test.elf"]
    if "--no-build" not in sys.argv and subprocess.run(build, cwd=ROOT, check=False).returncode:
        return 1
    OUT.write_text(draw(*measured()), encoding="utf-8")
    print(OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
