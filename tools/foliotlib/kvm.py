# SPDX-License-Identifier: BSD-2-Clause
"""Asks the host's KVM whether a guest of it could be a hypervisor, and says in one line why not. What counts is
KVM_GET_SUPPORTED_CPUID (Linux, virt/kvm/api.rst); modules, their parameters and the processor's flags only name the reason."""

import errno
import fcntl
import os
import struct
from typing import Callable, NamedTuple

API_VERSION = 12

KVM_GET_API_VERSION = 0xAE00
KVM_GET_SUPPORTED_CPUID = 0xC008AE05

# struct kvm_cpuid2: nent, padding; then nent times struct kvm_cpuid_entry2: function, index, flags, eax, ebx, ecx, edx, 3 pads.
HEADER = struct.Struct("=II")
ENTRY = struct.Struct("=10I")
ENTRIES = 256


class Feature(NamedTuple):
    """What a vendor's processor offers hypervisors; its name in small letters is that of QEMU and of /proc/cpuinfo."""

    name: str
    leaf: int  # CPUID leaf and bit of ECX: APM 3 E.4.2, SDM 2A table 3-10
    bit: int
    module: str  # of KVM on such a processor
    paging: tuple  # the module's parameters without which its guests cannot use nested paging as Foliot does

    @property
    def load(self):
        """The command that loads the module as it has to be."""
        return " ".join(["modprobe", self.module, "nested=1"] + [f"{name}=1" for name in self.paging])


FEATURES = (Feature("SVM", 0x80000001, 2, "kvm_amd", ("npt",)),
            Feature("VMX", 1, 5, "kvm_intel", ("ept", "unrestricted_guest")))
NEITHER = "neither " + " nor ".join(feature.name for feature in FEATURES)


class Host(NamedTuple):
    """Where to look; tests put other things in these places."""

    device: str = "/dev/kvm"
    modules: str = "/sys/module"
    cpuinfo: str = "/proc/cpuinfo"
    ioctl: Callable = fcntl.ioctl

    def has_module(self, name):
        """Is it loaded, or built in with parameters?"""
        return os.path.isdir(os.path.join(self.modules, name))

    def vendor_modules(self):
        """The loaded modules beside kvm itself that carry KVM, by name."""
        try:
            return sorted(name for name in os.listdir(self.modules) if name.startswith("kvm_"))
        except OSError:
            return []

    def parameter(self, module, name):
        """(path, text) of a module's parameter; the text is None where it cannot be read."""
        path = os.path.join(self.modules, module, "parameters", name)
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                return path, file.read().strip()
        except OSError:
            return path, None

    def is_off(self, module, name):
        """"PATH is VALUE" where a parameter is off: bool ones read N, int ones 0. Else None."""
        path, text = self.parameter(module, name)
        return f"{path} is {text}" if text in ("N", "0") else None

    def flags(self):
        """The processor's flags as Linux tells them."""
        try:
            with open(self.cpuinfo, encoding="ascii", errors="replace") as file:
                return {flag for line in file if line.startswith("flags") for flag in line.partition(":")[2].split()}
        except OSError:
            return set()


class Answer(NamedTuple):
    """Can Foliot run under KVM here? feature: by which (None: no); words: how, or why not."""

    feature: Feature
    words: str


def ecx_of(reply, leaf):
    """ECX of a leaf in a KVM_GET_SUPPORTED_CPUID reply; 0 where the leaf is absent."""
    count, _ = HEADER.unpack_from(reply)
    for number in range(min(count, (len(reply) - HEADER.size) // ENTRY.size)):
        entry = ENTRY.unpack_from(reply, HEADER.size + number * ENTRY.size)
        if entry[0] == leaf:
            return entry[5]
    return 0


def feature_in(reply):
    """The Feature that the reply's processor offers, or None."""
    return next((feature for feature in FEATURES if ecx_of(reply, feature.leaf) >> feature.bit & 1), None)


def supported_cpuid(host, device):
    """KVM's reply on the open device."""
    reply = bytearray(HEADER.size + ENTRIES * ENTRY.size)
    HEADER.pack_into(reply, 0, ENTRIES, 0)
    host.ioctl(device, KVM_GET_SUPPORTED_CPUID, reply, True)
    return reply


def ask(host=Host()):
    """The Answer for this host."""
    try:
        device = os.open(host.device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return Answer(None, _why_not_opened(host, error))
    try:
        version = host.ioctl(device, KVM_GET_API_VERSION)
        if version != API_VERSION:
            return Answer(None, f"{host.device} speaks KVM API {version}, not {API_VERSION}")
        feature = feature_in(supported_cpuid(host, device))
    except OSError as error:
        return Answer(None, f"{host.device} does not answer: {error.strerror}")
    finally:
        os.close(device)
    return _judge(host, feature) if feature else Answer(None, _why_not_offered(host))


def why_not(host=Host()):
    """None where Foliot can run under KVM here, else the reason in one line."""
    answer = ask(host)
    return None if answer.feature else answer.words


def _why_not_opened(host, error):
    if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return _why_no_device(host)
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"no permission for {host.device} (it wants its group, mostly kvm)"
    return f"{host.device}: {error.strerror}"


def _why_no_device(host):
    for feature in FEATURES:
        if host.has_module(feature.module):
            return f"no {host.device}, although {feature.module} is loaded (a container must be given it: --device {host.device})"
    flags = host.flags()
    for feature in FEATURES:
        if feature.name.lower() in flags:
            return f"no {host.device}, although the processor has {feature.name} ({feature.load})"
    return f"no {host.device}, and the processor shows {NEITHER} (off in the firmware, or a virtual machine that gets none)"


def _why_not_offered(host):
    for feature in FEATURES:
        off = host.is_off(feature.module, "nested")
        if off:
            return f"nested virtualisation is off: {off} (modprobe -r {feature.module}; {feature.load})"
    modules = host.vendor_modules()
    by = f" by {', '.join(modules)}" if modules else ""
    return f"{host.device}{by} offers its guests {NEITHER} (KVM_GET_SUPPORTED_CPUID)"


def _judge(host, feature):
    """KVM offers the feature; is that enough for Foliot?"""
    for name in feature.paging:
        off = host.is_off(feature.module, name)
        if off:
            return Answer(None, f"nested paging is off: {off} (modprobe -r {feature.module}; {feature.load})")
    return Answer(feature, f"it offers {feature.name}")
