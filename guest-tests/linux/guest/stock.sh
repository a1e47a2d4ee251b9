#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# What the kernel has made of the machine by itself.
sleep 3 # the kernel measures the TSC anew meanwhile
echo "event $(cat /sys/devices/system/clockevents/clockevent0/current_device)"
echo "chosen $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "available $(cat /sys/devices/system/clocksource/clocksource0/available_clocksource)"
echo "end"
cat /proc/interrupts
dmesg -r
