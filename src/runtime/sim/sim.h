/*
 * sim.h - a simulated clock and network: the backend "sim"
 *
 * Layer      runtime
 * Threads    one worker; what an offload thread would do is done on its loop
 * Memory     a few hundred bytes per socket, up to two buffers' bytes per
 *            connection; an entry per event under way
 * Invariant  one seed decides everything: order of tasks, delays, losses,
 *            faults and random_fill(); no real time and no address does. What
 *            reaches the process from outside (a child's pipe, a signal, a
 *            thread of the program's own) is beyond that
 *
 * Time stands still while tasks run, moves by SIM_TURN_NS with each turn of
 * the loop, and jumps to the next timer or event when nothing is ready.
 *
 * Sockets of IPv4, IPv6 and Unix made through os/socket_call.h are simulated,
 * and so are kernel sockets that are not connected when they are attached.
 * All hosts are in the process: every address can be bound, and what connects
 * from none comes from the address it connects to (127.0.0.1 in 127/8). IPv6
 * sockets take IPv6 only. Other descriptors (pipes, socket pairs, signalfds)
 * are the kernel's, with delays and short transfers put in front.
 *
 * Sources    FoundationDB's and TigerBeetle's simulators
 */
#pragma once

#include <sys/socket.h>

#include "base/cc.h"
#include "base/time.h"

#define SIM_MILLION   1000000
#define SIM_TURN_NS   1000
#define SIM_START_NS  INT64_C(1000000000000)
#define SIM_WALL_NS   INT64_C(1767225600000000000) /* 2026-01-01, at start */
#define SIM_RULES_MAX 64

enum sim_state {
	SIM_UP,
	SIM_SILENT, /* everything is lost: a partition */
	SIM_UNREACHABLE, /* everything is refused by a router */
};

/* One direction between two hosts. All zero: at once, without loss. */
struct sim_link {
	duration latency;
	duration jitter; /* up to so much more, at random */
	uint64_t bytes_per_second; /* 0: no limit */
	uint32_t loss_ppm; /* of packets; TCP sends them again, later */
	uint32_t duplicate_ppm; /* of datagrams */
	uint32_t reorder_ppm; /* of datagrams: comes later than others */
	enum sim_state state;
};

/* Probabilities in millionths per chance. */
struct sim_faults {
	uint32_t short_ppm; /* a read or write moves less than it could */
	uint32_t not_ready_ppm; /* ready, but only a moment later */
	uint32_t late_ppm; /* a completion, or a cancel's, comes late */
	uint32_t reset_ppm; /* a stream breaks at a transfer */
	uint32_t descriptor_ppm; /* EMFILE, ENFILE: accept, socket */
	uint32_t memory_ppm; /* ENOMEM where the runtime allocates */
	uint32_t timer_ppm; /* timers fire as late as they may */
	bool in_order; /* ready tasks run in the order they became so */
};

struct sim_options {
	uint64_t seed; /* 0: $WEIR_SIM_SEED, or 1 */
	struct sim_link link; /* where no rule says otherwise; not Unix */
	struct sim_faults faults;
	/* Told of everything that happens, a line each; may be NULL. */
	void (*trace)(void *arg, const char *line);
	void *trace_arg;
};

/* Each fault now and then: what code that is to be trusted gets along with. */
struct sim_faults sim_faults_some(void);

/*
 * For packets from @from to @to, whatever their port; NULL: any host. The rule
 * set last counts; packets under way stay so. While the runtime runs.
 * Returns 0, -ENOSPC (SIM_RULES_MAX), -EINVAL (not IPv4 or IPv6).
 */
MUST_CHECK
int sim_link_set(const struct sockaddr *from, const struct sockaddr *to,
    const struct sim_link *link);
/* From here on. */
void sim_faults_set(const struct sim_faults *faults);

/* Below @limit, from the seed; for what a test decides. */
uint64_t sim_random(uint64_t limit);
/* Of everything that has happened so far, or had at the end of the last run:
 * equal for equal seeds. */
uint64_t sim_trace_hash(void);
/* The last things that happened, as lines. */
void sim_trace_print(int fd);
/* The seed of this run, or of the last. */
uint64_t sim_seed(void);
/* Simulated sockets that are open, or were at the end of the last run: none
 * when nothing leaked. */
unsigned sim_socket_count(void);
bool sim_running(void);
