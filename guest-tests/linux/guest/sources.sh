#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Tells which clock source and clock event device the kernel has chosen, then takes each clock source that it offers in turn
# and compares the clocks over foliot.span=SECONDS of it, with foliot.sleeps=COUNT sleeps (against.c).
clock=/sys/devices/system/clocksource/clocksource0
for word in $(cat /proc/cmdline); do
	case "$word" in
	foliot.span=*) span=${word#foliot.span=} ;;
	foliot.sleeps=*) sleeps=${word#foliot.sleeps=} ;;
	esac
done
event=$(cat /sys/devices/system/clockevents/clockevent0/current_device)
case "$event" in lapic*) line=LOC ;; *) line=0 ;; esac
sleep 2 # the kernel measures the TSC anew meanwhile
echo "event $event"
sed -n '/^Tick Device.*CPU/,/event_handler/p; /^Per CPU device/,/event_handler/p' /proc/timer_list
echo "chosen $(cat $clock/current_clocksource)"
echo "available $(cat $clock/available_clocksource)"
for source in $(cat $clock/available_clocksource); do
	echo "$source" >$clock/current_clocksource
	echo "source $(cat $clock/current_clocksource)"
	against "$span" "$sleeps" "$line"
done
echo "end"
cat /proc/interrupts
dmesg -r
