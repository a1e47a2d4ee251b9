# SPDX-License-Identifier: BSD-2-Clause
"""What Foliot's host-side tools share. Python's standard library only."""
