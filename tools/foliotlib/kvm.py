# SPDX-License-Identifier: BSD-2-Clause
"""Asks the host's KVM whether a guest of it could be a hypervisor: the file alone does not tell (Linux, virt/kvm/api.rst)."""

import errno
import fcntl
import os
import struct

DEVICE = "/dev/kvm"
API_VERSION = 12

KVM_GET_API_VERSION = 0xAE00
KVM_GET_SUPPORTED_CPUID = 0xC008AE05

# struct kvm_cpuid2: nent, padding; then nent times struct kvm_cpuid_entry2: function, index, flags, eax, ebx, ecx, edx, 3 pads.
HEADER = struct.Struct("=II")
ENTRY = struct.Struct("=10I")
ENTRIES = 256

# What a processor must offer for an engine of Foliot: name -> (CPUID leaf, bit of ECX) (APM 3 E.4.2).
ENGINES = {"SVM": (0x80000001, 2)}


def ecx_of(reply, leaf):
    """ECX of a leaf in a KVM_GET_SUPPORTED_CPUID reply; 0 where the leaf is absent."""
    count, _ = HEADER.unpack_from(reply)
    for number in range(min(count, (len(reply) - HEADER.size) // ENTRY.size)):
        entry = ENTRY.unpack_from(reply, HEADER.size + number * ENTRY.size)
        if entry[0] == leaf:
            return entry[5]
    return 0


def engines_in(reply):
    """The names of Foliot's engines that the reply's processor can carry."""
    return [name for name, (leaf, bit) in ENGINES.items() if ecx_of(reply, leaf) >> bit & 1]


def supported_cpuid(device):
    """KVM's reply on the open device."""
    reply = bytearray(HEADER.size + ENTRIES * ENTRY.size)
    HEADER.pack_into(reply, 0, ENTRIES, 0)
    fcntl.ioctl(device, KVM_GET_SUPPORTED_CPUID, reply, True)
    return reply


def why_not(path=DEVICE):
    """None where Foliot can run under KVM here, else the reason in a few words."""
    try:
        device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return f"{path} is not there"
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"no permission for {path}"
        return f"{path}: {error.strerror}"
    try:
        return _why_not_open(device, path)
    except OSError as error:
        return f"{path} does not answer: {error.strerror}"
    finally:
        os.close(device)


def _why_not_open(device, path):
    version = fcntl.ioctl(device, KVM_GET_API_VERSION)
    if version != API_VERSION:
        return f"{path} speaks KVM API {version}, not {API_VERSION}"
    if not engines_in(supported_cpuid(device)):
        return "it offers a guest no " + " or ".join(ENGINES) + " (nested virtualisation is off, or the processor has none)"
    return None
