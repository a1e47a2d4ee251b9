# SPDX-License-Identifier: BSD-2-Clause
"""What a scenario reports to: one line a claim, and the count."""

import sys


class Report:
    """Prints "ok NAME: text", "FAIL NAME: text" or "SKIP NAME: text" as claims are judged."""

    def __init__(self, native=False, bed="qemu", cpu=None):
        self.native = native
        self.bed = bed
        self.cpu = cpu
        self.counts = {"ok": 0, "FAIL": 0, "SKIP": 0}
        self._scenario = ""
        self._judged = 0

    def begin(self, scenario):
        """The scenario whose name the next claims bear."""
        self._scenario = scenario
        self._judged = 0

    def judged(self):
        """Whether this scenario has judged a claim yet: silence is never a pass."""
        return self._judged > 0

    def claim(self, holds, text, detail=""):
        """One claim; detail is shown where it does not hold. Returns whether it holds."""
        self._line("ok" if holds else "FAIL", text if holds or not detail else f"{text}: {detail}")
        return holds

    def skip(self, text):
        """A claim that cannot be judged here: names what is missing."""
        self._line("SKIP", text)

    def _line(self, word, text):
        self.counts[word] += 1
        self._judged += 1
        place = "" if self.bed == "qemu" else "@" + "-".join(filter(None, (self.bed, self.cpu)))
        print(f"{word} linux-{self._scenario}{place}: {' '.join(text.split())}", flush=True)

    def totals(self):
        """The closing line."""
        line = f"{self.counts['ok']} passed, {self.counts['FAIL']} failed"
        return line + (f", {self.counts['SKIP']} skipped" if self.counts["SKIP"] else "")

    def note(self, text):
        """For whoever watches; not a claim."""
        print(f"  {text}", file=sys.stderr, flush=True)
