#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# One line with every clock of this Linux, taken when the real-time clock has just begun a second:
#     mark <clock of `date`, in s> </proc/uptime> <real-time clock, in s since 1970>
rtc=/sys/class/rtc/rtc0/since_epoch
read -r before <$rtc
while read -r now <$rtc && [ "$now" = "$before" ]; do :; done
clock=$EPOCHREALTIME
read -r up _ </proc/uptime
echo "mark $clock $up $now"
