#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
#
# The guest got this far: the end of the boot, for what measures or only wants a boot. The report to port F4h follows at once.
echo "foliot guest: booted"
