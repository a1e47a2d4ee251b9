#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Reads every clock of this Linux over and over while the TSC (1 GHz, counted from power-on) is within foliot.span=FROM,TO seconds:
#     f <clock of `date`> </proc/uptime> <real-time clock, in s since 1970> <clock of `date`, again>
# So that what stands between the two numbers was read between them. Then prints the clock source and the kernel's log.
rtc=/sys/class/rtc/rtc0/since_epoch
for word in $(cat /proc/cmdline); do
	case "$word" in foliot.span=*) span=${word#foliot.span=} ;; esac
done
while [ "$(tsc)" -lt "${span%,*}000000000" ]; do
	usleep 50000
done
while [ "$(tsc)" -lt "${span#*,}000000000" ]; do
	before=$EPOCHREALTIME
	read -r up _ </proc/uptime
	read -r second <$rtc
	echo "f $before $up $second $EPOCHREALTIME"
done
echo "clocksource $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
dmesg -r
