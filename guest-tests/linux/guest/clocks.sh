#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Prints every clock of this Linux each few milliseconds while the TSC (1 GHz, counted from power-on) is within half a
# window of each guest time of foliot.marks=S,S... on the kernel's command line: Foliot's do= lines then fall between two marks.
rtc=/sys/class/rtc/rtc0/since_epoch
half_ns=700000000
for word in $(cat /proc/cmdline); do
	case "$word" in foliot.marks=*) marks=${word#foliot.marks=} ;; esac
done
for mark in $(echo "$marks" | tr , ' '); do
	begin=$((mark * 1000000000 - half_ns))
	while left=$((begin - $(tsc))) && [ "$left" -gt 0 ]; do
		sleep "$((left / 1000000000)).$(printf %09d $((left % 1000000000)))"
	done
	echo "window $mark"
	read -r up _ </proc/uptime
	end=$((${up%.*}${up#*.} + 2 * half_ns / 10000000))
	while [ "${up%.*}${up#*.}" -lt "$end" ]; do
		clock=$EPOCHREALTIME
		read -r up _ </proc/uptime
		read -r second <$rtc
		echo "m $clock $up $second"
		usleep 5000
	done
done
