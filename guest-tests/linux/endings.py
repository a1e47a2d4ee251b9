# SPDX-License-Identifier: BSD-2-Clause
"""poweroff, reboot, a panic and a report to port F4h end the run as foliot-run's help says."""

import guest as linux
from foliotlib.session import BOOT_LIMIT_S, PROMPT


def end_by(report, command, status, said, words=()):
    """Types the command; the run must end with the status, and foliot-run must say so."""
    with linux.session(report, words=words) as guest:
        linux.boot(guest)
        guest.send(command + "\n")
        ended = guest.wait(60)
        report.claim(ended == status and said in guest.said(), f"`{command}` ends the run with status {status}: {said}",
                     f"status {ended}: {guest.said()}")


def restart(report):
    """reboot with --on-reset restart: the whole bed starts again, and its control port greets again."""
    with linux.session(report, words=["--on-reset", "restart"]) as guest:
        linux.boot(guest)
        guest.send("reboot\n")
        guest.expect(PROMPT, BOOT_LIMIT_S)
        up = float(linux.ask(guest, "cat /proc/uptime")[0].split()[0])
        report.claim(up < 60, "`reboot` with --on-reset restart leads to a fresh shell", f"uptime {up}")
        if not report.native:
            with_port(report, guest)
        guest.send("poweroff\n")
        report.claim(guest.wait(60) == 0, "`poweroff` after a restart ends the run with status 0", guest.said())


def with_port(report, guest):
    """The control port of the second start."""
    client = guest.control()
    seconds = client.ask("time")["guest_ns"] / 1e9
    client.close()
    report.claim(seconds < 120, "the control port serves the restarted Foliot", f"guest time {seconds} s")


def panic(report):
    """Without an initrd there is no root: the kernel panics, and no pattern had to be given."""
    with linux.session(report, append="rdinit=/nowhere root=/dev/nowhere", interactive=False) as guest:
        ended = guest.wait(BOOT_LIMIT_S)
        report.claim(ended == 1, "a kernel panic is status 1 without being asked for", f"status {ended}: {guest.said()}")


def run(report):
    """The scenario."""
    end_by(report, "poweroff", 0, "powered off")
    end_by(report, "reboot", 1, "reset the machine")
    end_by(report, f"port {linux.exit_port(report):#x} 0", 0, "the guest passed")
    end_by(report, f"port {linux.exit_port(report):#x} 7", 1, "the guest failed")
    panic(report)
    restart(report)
