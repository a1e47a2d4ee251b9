#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Uses every clock for a minute of the guest's time, then prints the clock source and the kernel's log.
for turn in 1 2 3 4 5 6; do
	sleep 10
	hwclock
	date
done
echo "clocksource $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
dmesg -r
