#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# Idle up to 40 guest seconds from power-on (by the TSC, 1 GHz), then busy with starting programs up to 45: Foliot counts the exits between.
sleep $((40 - $(tsc) / 1000000000))
while [ "$(tsc)" -lt 45000000000 ]; do date >/dev/null; done
