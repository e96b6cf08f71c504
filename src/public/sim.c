/*
 * public/sim.c - <weir/sim.h> over the simulation
 */
#include <weir/sim.h>

#include "public/inner.h"

_Static_assert(WEIR_SIM_UP == (int)SIM_UP &&
	WEIR_SIM_SILENT == (int)SIM_SILENT &&
	WEIR_SIM_UNREACHABLE == (int)SIM_UNREACHABLE,
    "");

static struct sim_link
sim_inner_link(const struct weir_sim_link *link)
{
	return (struct sim_link){.latency = duration_ns(link->latency_ns),
	    .jitter = duration_ns(link->jitter_ns),
	    .bytes_per_second = link->bytes_per_second,
	    .loss_ppm = link->loss_ppm,
	    .duplicate_ppm = link->duplicate_ppm,
	    .reorder_ppm = link->reorder_ppm,
	    .state = (enum sim_state)link->state};
}

static struct sim_faults
sim_inner_faults(const struct weir_sim_faults *faults)
{
	return (struct sim_faults){.short_ppm = faults->short_ppm,
	    .not_ready_ppm = faults->not_ready_ppm,
	    .late_ppm = faults->late_ppm,
	    .reset_ppm = faults->reset_ppm,
	    .descriptor_ppm = faults->descriptor_ppm,
	    .memory_ppm = faults->memory_ppm,
	    .timer_ppm = faults->timer_ppm,
	    .in_order = faults->in_order};
}

void
inner_sim(const struct weir_sim_options *options, struct sim_options *ret)
{
	*ret = (struct sim_options){.seed = options->seed,
	    .link = sim_inner_link(&options->link),
	    .faults = sim_inner_faults(&options->faults),
	    .trace = options->trace,
	    .trace_arg = options->trace_arg};
}

void
weir_sim_faults_some(struct weir_sim_faults *ret_faults)
{
	struct sim_faults some = sim_faults_some();

	*ret_faults = (struct weir_sim_faults){.short_ppm = some.short_ppm,
	    .not_ready_ppm = some.not_ready_ppm,
	    .late_ppm = some.late_ppm,
	    .reset_ppm = some.reset_ppm,
	    .descriptor_ppm = some.descriptor_ppm,
	    .memory_ppm = some.memory_ppm,
	    .timer_ppm = some.timer_ppm,
	    .in_order = some.in_order};
}

int
weir_sim_link_set(const struct sockaddr *from, const struct sockaddr *to,
    const struct weir_sim_link *link)
{
	static const struct weir_sim_link none;
	struct sim_link inner = sim_inner_link(link != NULL ? link : &none);

	return sim_link_set(from, to, &inner);
}

void
weir_sim_faults_set(const struct weir_sim_faults *faults)
{
	static const struct weir_sim_faults none;
	struct sim_faults inner =
	    sim_inner_faults(faults != NULL ? faults : &none);

	sim_faults_set(&inner);
}

uint64_t
weir_sim_random(uint64_t limit)
{
	return sim_random(limit);
}

uint64_t
weir_sim_seed(void)
{
	return sim_seed();
}

uint64_t
weir_sim_trace_hash(void)
{
	return sim_trace_hash();
}

void
weir_sim_trace_print(int fd)
{
	sim_trace_print(fd);
}

unsigned
weir_sim_socket_count(void)
{
	return sim_socket_count();
}
