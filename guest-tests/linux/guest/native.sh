#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Prints the clock source that the kernel has chosen, then reads the clock from foliot.reads=FROM,TO (seconds) on the kernel's
# command line and does nothing else meanwhile.
for word in $(cat /proc/cmdline); do
	case "$word" in foliot.reads=*) span=${word#foliot.reads=} ;; esac
done
echo "clocksource $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
sleep 30 # by then Foliot has raised the rate, and less is to be waited for busily
reads "${span%,*}" "${span#*,}"
dmesg -r
