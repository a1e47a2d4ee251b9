# SPDX-License-Identifier: BSD-2-Clause
"""By UEFI Foliot boots Linux to its shell, and what it says is on the screen of pixels, dot by dot as its font has it: messages,
a refusal and a panic. Nothing is written where VGA's text would be; by BIOS that is where it is. The guest's map of memory is the same as by BIOS, whatever
the firmware keeps of the first MiB, and repeatable runs are byte-identical."""

import os
import re
import subprocess
import tempfile

import boot
import guest as linux
from foliotlib.image import ROOT
from foliotlib.session import BOOT_LIMIT_S, LINUX_APPEND, PROMPT, Session
from foliotlib.status import EXIT_PORT
from machine import Machine

GREY = bytes([0xAA] * 3)
SCALE_WIDTH, SCALE_HEIGHT = 480, 360  # host/pixels.c
COLUMNS_MAX, ROWS_MAX = 160, 72       # host/screen.h
GAP_ABOVE = 1
FIRST, PICTURE_ROWS, PICTURES_IN_ROW = 0x20, 8, 16
PASSED = 0x20 << 1 | 1
VGA_TEXT_HPA, VGA_TEXT_BYTES = 0xB8000, 4000
MARK = 0x600DF00D
# On a q35 the memory behind VGA's window can be opened (SMRAM.D_OPEN): then it keeps what is written there.
OPEN_VGA_WINDOW = f"setpci -s 00:00.0 9d.b=4a; write_dword {VGA_TEXT_HPA:#x} {MARK:#x}"
LOW_HOLES = ("cutmem 0x58000 0x59000", "cutmem 0x0 0x1000", "cutmem 0x0 0xa0000")
LOW_MIB, HIDDEN_MIB = 256, 32
HIDE_MORE = "cutmem 0x4000000 0x6000000"  # shows in the guest's size that GRUB does hide memory


def read(*path):
    """A file of the project."""
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


class Font:
    """The letters, from the pictures in Foliot's source."""

    def __init__(self):
        sizes = {name: int(value) for name, value in re.findall(r"#define FONT_CELL_(\w+) (\d+)u", read("host", "font.h"))}
        self.width, self.height = sizes["WIDTH"], sizes["HEIGHT"]
        self._lines = re.findall(rf'"([ #]{{{PICTURES_IN_ROW * self.width}}})"', read("host", "font.c"))

    def row(self, letter, y):
        """One row of a letter's cell, as characters."""
        if not GAP_ABOVE <= y < GAP_ABOVE + PICTURE_ROWS:
            return " " * self.width
        block, place = divmod(ord(letter) - FIRST, PICTURES_IN_ROW)
        return self._lines[block * PICTURE_ROWS + y - GAP_ABOVE][place * self.width:(place + 1) * self.width]


def said(log):
    """Foliot's own lines on the console; from a panic on all lines are."""
    lines, panicking = [], False
    text = log.decode("ascii", "replace")
    for line in text[text.index("Foliot "):].replace("\r", "").split("\n")[:-1]:
        panicking |= bool(re.match(r"foliot: \[F19\d\]", line))
        if panicking or re.match(r"Foliot \d|foliot: ", line):
            lines.append(line)
    return lines


def shown(lines, columns, rows):
    """The rows of letters that a screen shows of the lines."""
    pieces = [line[at:at + columns] for line in lines for at in range(0, max(1, len(line)), columns)] + [""]
    return pieces[-rows:]


def picture(lines, width, height):
    """The screen that must be seen."""
    font = Font()
    scale = max(1, min(width // SCALE_WIDTH, height // SCALE_HEIGHT))
    columns, rows = min(COLUMNS_MAX, width // (font.width * scale)), min(ROWS_MAX, height // (font.height * scale))
    image = b""
    for text in shown(lines, columns, rows):
        for y in range(font.height):
            dots = "".join(font.row(letter, y) for letter in text)
            line = b"".join((GREY if dot == "#" else bytes(3)) * scale for dot in dots)
            image += line.ljust(3 * width, b"\0") * scale
    return image.ljust(3 * width * height, b"\0")


def judge_screen(report, machine, words):
    """The claim about the screen; the least change of what was said would be seen."""
    width, height, seen = machine.screen()
    lines = said(machine.log)
    wanted = picture(lines, width, height)
    differing = sum(seen[i:i + 3] != wanted[i:i + 3] for i in range(0, len(wanted), 3))
    report.claim(seen == wanted, f"the screen shows {words}, dot by dot", f"{differing} pixels differ, {len(lines)} lines")
    changed = picture(lines[:-1] + [lines[-1].replace(".", ",") + "."], width, height)
    report.claim(seen != changed, f"and would not pass for another text (control: {words})")


def session(report):
    """As a user meets it."""
    with linux.session(report, append="loglevel=4", words=["--firmware", "uefi", "--on-reset", "restart"]) as guest:
        linux.boot(guest)
        report.claim(True, "Linux boots to its shell by UEFI")
        boot.judge_kernel_log(report, linux.ask(guest, "dmesg -r"), "by UEFI")
        guest.send("reboot\n")
        guest.expect(PROMPT, BOOT_LIMIT_S)
        report.claim(guest.log.count(b"[F400]") == 2, "`reboot` starts the machine anew by UEFI")
        client = guest.control()
        report.claim(client.ask("time")["guest_ns"] > 0, "the control port serves by UEFI, whose console was on its line too")
        client.close()
        report.claim(b"[F132]" not in guest.log and b"PM timer" in guest.log, "the ACPI tables are found by the loader's tag")
        guest.send("poweroff\n")
        report.claim(guest.wait(60) == 0, "`poweroff` by UEFI ends the run with status 0", guest.said())


def screen(report):
    """The screen and VGA's window while Linux runs; then the power is switched off as on a real machine."""
    files = [os.path.join(ROOT, "build", "guest", name) for name in ("vmlinuz", "initramfs.cpio")]
    with Machine([files[0], LINUX_APPEND, files[1], "--grub", OPEN_VGA_WINDOW]) as machine:
        machine.expect(PROMPT)
        judge_screen(report, machine, "what was said up to the guest's start")
        window = machine.memory(VGA_TEXT_HPA, VGA_TEXT_BYTES)
        report.claim(window[:4] == MARK.to_bytes(4, "little"), "a write to B8000h is seen: GRUB's (control)", window[:8].hex())
        report.claim(not any(window[4:]), "Foliot writes nothing to B8000h on a screen of pixels", window[:64].hex())
        machine.send("poweroff\n")
        report.claim(machine.wait(60) == 0, "ACPI's power-off, found by UEFI's tag, switches the machine off")


def refusal(report):
    """A refusal, and behind it a machine check that makes Foliot panic."""
    with Machine([], mib=256) as machine:
        machine.expect(r"\[F302\].*\n")
        judge_screen(report, machine, "a refusal")
        machine.ask("human-monitor-command", **{"command-line": "mce 0 1 0xb200000000000000 4 0 0"})
        machine.expect(r"Please report all of the above\.\r\n")
        report.claim(b"[F193] PANIC" in machine.log, "a machine check makes Foliot panic by UEFI too")
        judge_screen(report, machine, "a panic's dump")


def text_screen(report):
    """By BIOS the same words are VGA's text, 80 by 25."""
    with Machine([], uefi=False, mib=256) as machine:
        machine.expect(r"\[F302\].*\n")
        cells = machine.memory(VGA_TEXT_HPA, VGA_TEXT_BYTES)
        rows = [cells[at:at + 160:2].decode("ascii", "replace").rstrip() for at in range(0, VGA_TEXT_BYTES, 160)]
        wanted = [row.rstrip() for row in shown(said(machine.log), 80, 25)]
        report.claim(rows[:len(wanted)] == wanted and not any(rows[len(wanted):]), "by BIOS a refusal is on VGA's text screen", rows[:8])


def low_memory(report):
    """The guest `memory` looks at every page; GRUB hides some of the host's first MiB, as firmware does."""
    guest = os.path.join(ROOT, "build", "guests", "memory.elf")
    foliot = f"exit-port={EXIT_PORT:#x} on-death=leave"
    for command in LOW_HOLES:
        with Machine([guest, "share=1", "--grub", f"{command}; {HIDE_MORE}", "--foliot", foliot], uefi=False, mib=LOW_MIB) as machine:
            status = machine.wait()
            started = re.search(rb"the guest starts: (\d+) MiB", machine.log)
            mib = int(started[1]) if started else 0
            report.claim(status == PASSED and mib <= LOW_MIB - HIDDEN_MIB,
                         f"the guest's memory is the same after `{command}`", f"status {status}, {mib} MiB: {machine.tail()}")


def repeatable(report):
    """Two runs of a tiny guest by UEFI."""
    logs, guest = [], os.path.join(ROOT, "build", "guests", "memory.elf")
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("one", "two"):
            path = os.path.join(scratch, name)
            words = ["--bed", "qemu", "--firmware", "uefi", "--repeatable", "--mem", "256", "--serial", path, "--append", "share=1", guest]
            with Session(words, interactive=False) as run:
                status = run.wait(600)
                report.claim(status == 0, f"the guest `memory` passes by UEFI, run {name}", f"status {status}: {run.said()}")
            with open(path, "rb") as file:
                logs.append(file.read())
    report.claim(logs[0] == logs[1] and len(logs[0]) > 500, "two repeatable runs by UEFI give byte-identical logs", f"{len(logs[0])} bytes")


def run(report):
    """The scenario."""
    if report.bed != "qemu":
        report.skip(f"there is no UEFI firmware for {report.bed}")
        return
    subprocess.run(["make", "--no-print-directory", "-s", "guests"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    session(report)
    screen(report)
    refusal(report)
    text_screen(report)
    low_memory(report)
    repeatable(report)
