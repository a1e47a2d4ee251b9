#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# One line with every clock of this Linux, taken when the real-time clock has just begun a second:
#     mark <clock of `date`, in s> </proc/uptime> <real-time clock, in s since 1970> <clock of `date` before that second was seen>
# The first and the last number say how far apart in time a busy bed let the clocks be read.
rtc=/sys/class/rtc/rtc0/since_epoch
read -r before <$rtc
begun=$EPOCHREALTIME
while read -r now <$rtc && [ "$now" = "$before" ]; do begun=$EPOCHREALTIME; done
clock=$EPOCHREALTIME
read -r up _ </proc/uptime
echo "mark $clock $up $now $begun"
