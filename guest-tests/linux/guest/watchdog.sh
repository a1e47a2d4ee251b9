#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Sleeps for foliot.span=SECONDS while the kernel's clock source watchdog looks after the TSC twice a second, and tells the clock source
# before and after. In a test build foliot.spoil=CLOCK,PPM makes a clock wrong first.
clock=/sys/devices/system/clocksource/clocksource0
for word in $(cat /proc/cmdline); do
	case "$word" in
	foliot.span=*) span=${word#foliot.span=} ;;
	foliot.spoil=*) spoil=${word#foliot.spoil=} ;;
	esac
done
sleep 10 # the kernel measures the TSC anew meanwhile
grep -m 1 '^flags' /proc/cpuinfo
echo "available $(cat $clock/available_clocksource)"
echo "before $(cat $clock/current_clocksource)"
[ -z "$spoil" ] || spoil "${spoil%,*}" "${spoil#*,}" || exit 3
sleep "$span"
echo "after $(cat $clock/current_clocksource)"
read -r up _ </proc/uptime
echo "uptime $up"
echo "end"
dmesg -r
