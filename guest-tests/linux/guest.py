# SPDX-License-Identifier: BSD-2-Clause
"""The Linux guest as the scenarios use it: started in a bed, spoken to at its shell, its clocks read."""

from fractions import Fraction

from foliotlib.session import BOOT_LIMIT_S, PROMPT, Session, linux_words

RATES = (Fraction(1), Fraction(10), Fraction(1, 4))


def show(rate):
    """A rate as the monitor takes it."""
    return str(rate)


# How much longer than QEMU a bed may take for everything. Bochs gets a tenth as much done in the same time.
PATIENCE = {"qemu": 1, "bochs": 4}


def bed_words(report):
    """foliot-run's words for the report's bed."""
    if report.bed == "qemu":
        return ["--native"] if report.native else []
    return ["--bed", report.bed, "--mem", "512", *(["--cpu", report.cpu] if report.cpu else []), *(["--native"] if report.native else [])]


def exit_port(report):
    """Where the guest reports: Foliot's port, or the bed's own."""
    return 0xE9 if report.native and report.bed == "bochs" else 0xF4


def session(report, rate=Fraction(1), append="", words=(), interactive=True):
    """A Linux guest that starts at the rate, or without Foliot where the report is native."""
    extra = [] if report.native else ["--foliot", f"rate={show(rate)} on-death=leave"]
    return Session(linux_words(append, [*bed_words(report), *extra, *words]), interactive=interactive, patience=PATIENCE[report.bed])


def repeatable_run(report, foliot, append, limit_s, extra=(), base=None):
    """A Linux that runs a test script by itself on the repeatable bed; foliot-run's status, its own words, the console."""
    patience = PATIENCE[report.bed]
    words = [*bed_words(report), "--repeatable", *([] if report.native else ["--foliot", foliot]), "--timeout", str(limit_s * patience), *extra]
    # As much done in a second as on QEMU: at rate 10 a guest that gets less cannot say often enough what its clocks show.
    words += ["--ips", "1000000000"] if report.bed == "bochs" else []
    append += f" foliot.report={exit_port(report):#x}" if report.native and report.bed == "bochs" else ""
    with Session(linux_words(f"loglevel=4 {append}", words, base), interactive=False, patience=patience) as guest:
        status = guest.wait(limit_s + 30)
        return status, guest.said(), guest.log.decode("utf-8", "replace")


def boot(guest):
    """Waits for the shell's prompt."""
    guest.expect(PROMPT, BOOT_LIMIT_S)


def ask(guest, command, limit_s=60):
    """What a command prints, as lines."""
    guest.send(f"echo BEGIN; {command}; echo END\n")
    text = guest.expect(r"^BEGIN\r\n((?:.*\n)*?)END\r", limit_s)[1].decode("utf-8", "replace")
    guest.expect(PROMPT, limit_s)
    return text.replace("\r", "").splitlines()


class Mark:
    """The guest's clocks at the start of a second of its real-time clock, in s, and ours when that was read. The second began
    between begun and clock."""

    def __init__(self, match, here):
        self.clock, self.uptime, self.rtc, self.begun = (float(match[n]) for n in (1, 2, 3, 4))
        self.here = here


def mark(guest, limit_s=60):
    """Reads all clocks of the guest."""
    guest.send("/tests/mark.sh\n")
    match, here = guest.expect_at(r"^mark ([0-9.]+) ([0-9.]+) ([0-9]+) ([0-9.]+)\r", limit_s)
    guest.expect(PROMPT, limit_s)
    return Mark(match, here)
