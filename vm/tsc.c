/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the guest's TSC shows, in each way of delivering it: the line itself, by the processor's own multiplication or by exits; or the host's
 * TSC as it is (tsc=native), where the pvclock page carries the line. */
#include "vm/machine.h"

void machine_start_line(struct machine *machine, uint64_t host_hz, uint64_t start_tsc)
{
	bool native = machine->settings.tsc == TSC_NATIVE;

	/* The processor multiplies its own count, from where that is 0. */
	machine->base_tsc = machine->features.multiplier.frac_bits && !native ? 0 : start_tsc;
	machine->started_tsc = machine->bend_tsc = start_tsc - machine->base_tsc;
	if (native)
		line_init_stamped(&machine->line, host_hz, machine->started_tsc, machine->rate);
	else
		line_init(&machine->line, host_hz, machine->features.multiplier, machine->started_tsc, machine->rate);
	machine_set_now(machine, machine->started_tsc);
	machine_update_tsc(machine);
}

bool machine_tsc_exits(const struct machine *machine)
{
	return !machine->line.stamped && (machine->settings.tsc == TSC_TRAP || !machine->line.hardware);
}

void machine_update_tsc(struct machine *machine)
{
	const struct line *line = &machine->line;
	unsigned frac_bits = machine->features.multiplier.frac_bits;
	struct vcpu_tsc tsc = { machine_tsc_exits(machine), 1, machine->tsc_adjust - machine->base_tsc };

	if (frac_bits)
		tsc.mult = line->stamped ? 1ull << frac_bits : line->mult;
	if (!line->stamped)
		tsc.offset += line->offset;
	machine->ops->set_tsc(&machine->vcpu, &tsc);
	machine_trace_line(machine);
}

struct pvclock_stamp machine_stamp(const struct machine *machine)
{
	return pvclock_stamp_of(&machine->line, machine->host_tsc, machine->tsc_adjust);
}

void machine_write_stamp(struct machine *machine)
{
	struct pvclock_stamp stamp = machine_stamp(machine);

	pvclock_update(&machine->pvclock, &stamp);
}

void machine_renew_stamp(struct machine *machine)
{
	if (machine->host_tsc - machine->line.origin_tsc < LINE_STAMP_TICKS / 2)
		return;
	line_stamp(&machine->line, machine->host_tsc);
	machine_set_now(machine, machine->host_tsc);
	machine->timer_for_ns = machine->armed_for_ns = 0; /* where a guest deadline is may be a tick further */
	machine_trace_line(machine);
	machine_write_stamp(machine);
}

void machine_bend(struct machine *machine, struct rate rate)
{
	line_bend(&machine->line, machine->host_tsc, rate);
	machine->bend_tsc = machine->host_tsc;
	machine->bend_ns = machine->now_ns;
	machine->timer_for_ns = machine->armed_for_ns = 0; /* the same guest deadline is at another host TSC now */
	machine_update_tsc(machine);
	if (machine->line.stamped)
		machine_write_stamp(machine);
}

void machine_move_tsc(struct machine *machine, uint64_t tsc_adjust)
{
	machine->tsc_adjust = tsc_adjust;
	machine_update_tsc(machine);
	machine_write_stamp(machine);
	if (!machine->line.stamped) /* else Hyper-V's counter has nothing to do with the TSC */
		hyperv_move_tsc(&machine->hyperv, machine->now_ns, tsc_adjust);
	lapic_tsc_moved(&machine->lapic, machine_guest_tsc(machine), machine->now_ns);
}
