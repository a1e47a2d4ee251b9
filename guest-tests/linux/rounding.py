# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own arithmetic (6.1), exactly: at what rate a clock source goes that is right, and how long a tick is."""

from fractions import Fraction

NS = 10 ** 9
HZ = 250
TICK_NS = NS // HZ
PIT_HZ = 1193182
PM_HZ = 3579545
LAPIC_HZ = 10 ** 9
LAPIC_DIVISOR = 16
JIFFIES_SHIFT = 8
LONGEST_S = 600


def mult_shift(hz, unit, longest_s):
    """kernel/time/clocksource.c, clocks_calc_mult_shift: counts at hz into units."""
    spare = 32 - ((longest_s * hz) >> 32).bit_length()
    for shift in range(32, 0, -1):
        mult = ((unit << shift) + hz // 2) // hz
        if not mult >> spare:
            break
    return mult, shift


def source_rate(hz, bits, scale=1):
    """__clocksource_update_freq_scale: nanoseconds that Linux counts per nanosecond of a clock of exactly hz * scale."""
    mask = (1 << bits) - 1
    longest_s = mask // hz // scale or 1
    if longest_s > LONGEST_S and mask > 0xFFFFFFFF:
        longest_s = LONGEST_S
    mult, shift = mult_shift(hz, NS // scale, longest_s * scale)
    while mult + mult * 11 // 100 > 0xFFFFFFFF:  # room for NTP's adjustment
        mult, shift = mult >> 1, shift - 1
    return Fraction(mult * hz * scale, NS << shift)


def hpet_hz(counter_hz):
    """arch/x86/kernel/hpet.c: what Linux makes of the period in femtoseconds, a whole number, which Foliot rounds down."""
    return 10 ** 15 // (10 ** 15 // counter_hz)


def jiffies_ns():
    """What a tick adds to the clock source jiffies."""
    return TICK_NS


def refined_jiffies_ns():
    """kernel/time/jiffies.c, register_refined_jiffies(1193182)."""
    counts = (PIT_HZ + HZ // 2) // HZ
    shifted_hz = ((PIT_HZ << 8) + counts // 2) // counts
    return ((NS << 8) + shifted_hz // 2) // shifted_hz


def tick_ns(event, mult, hpet=10 ** 8, reload=0):
    """How long a periodic tick is by its chip, exactly, where Linux has set it up; mult: of the event device, with shift 32; reload:
    the counts that an APIC timer needs to begin anew."""
    if event == "pit":
        return Fraction(((PIT_HZ + HZ // 2) // HZ) * NS, PIT_HZ)
    if event == "hpet":
        return Fraction((TICK_NS * mult >> 32) * NS, hpet)
    counts = -(-mult * TICK_NS >> 32)  # mult was rounded down from it
    return Fraction((counts + reload) * LAPIC_DIVISOR * NS, LAPIC_HZ)
