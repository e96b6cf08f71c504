/*
 * weir/sim.h - run a program on a simulated clock and network
 *
 * With weir_options.backend = "sim" the program runs on one worker, in virtual
 * time, on a network that lives in the process; weir_options.sim says how. One
 * seed decides everything, so that a run that fails can be had again. Sleeping
 * for an hour takes no time.
 *
 * Simulated are sockets of IPv4, IPv6 and Unix that are not connected when they
 * are attached (weir_io_attach), those that weir_accept() gives, and what the
 * library opens by itself (weir/net.h, weir/udp.h). Call a socket's bind(2),
 * listen(2) and setsockopt(2) before it is attached. Every address is a host of
 * its own in the process; a client has the address it connects to, or 127.0.0.1
 * in 127/8, unless it is bound to another. Other descriptors, and threads, are
 * as without a simulation.
 */
#ifndef WEIR_SIM_H
#define WEIR_SIM_H

#include <sys/socket.h>

#include <weir/api.h>

WEIR_BEGIN

enum weir_sim_state {
	WEIR_SIM_UP,
	WEIR_SIM_SILENT, /* everything is lost: a partition */
	WEIR_SIM_UNREACHABLE, /* everything is refused on the way */
};

/* The way from one host to another. All zero: at once, without loss. */
struct weir_sim_link {
	int64_t latency_ns;
	int64_t jitter_ns; /* up to so much more, at random */
	uint64_t bytes_per_second; /* 0: no limit */
	/* In millionths: lost packets (TCP sends them again, later); datagrams
	 * that come twice, or late. */
	uint32_t loss_ppm;
	uint32_t duplicate_ppm;
	uint32_t reorder_ppm;
	enum weir_sim_state state;
	uint64_t reserved[2]; /* zero */
};

/* In millionths per chance. */
struct weir_sim_faults {
	uint32_t short_ppm; /* a read or write moves less than it could */
	uint32_t not_ready_ppm; /* ready, but only a moment later */
	uint32_t late_ppm; /* what is ready is told late */
	uint32_t reset_ppm; /* a connection breaks at a transfer */
	uint32_t descriptor_ppm; /* EMFILE, ENFILE from accept */
	uint32_t memory_ppm; /* ENOMEM from calls that allocate */
	uint32_t timer_ppm; /* timers fire as late as they may */
	bool in_order; /* ready tasks run in the order they became so */
	uint64_t reserved[2]; /* zero */
};

struct weir_sim_options {
	uint64_t seed; /* 0: the environment's WEIR_SIM_SEED, or 1 */
	struct weir_sim_link link; /* where no other is set; not Unix */
	struct weir_sim_faults faults;
	/* Told of all that happens, a line each; may be NULL. */
	void (*trace)(void *arg, const char *line);
	void *trace_arg;
	uint64_t reserved[4]; /* zero */
};

/* Each fault now and then, as a start. */
WEIR_API void weir_sim_faults_some(struct weir_sim_faults *ret_faults);

/* The way from host @from to host @to, whatever the ports; NULL: any host.
 * @link NULL: all zero. Inside weir_run(). The last one set counts. Returns 0,
 * -EINVAL (not IPv4 or IPv6), -ENOSPC (more than 64). */
WEIR_API WEIR_MUST_CHECK int weir_sim_link_set(const struct sockaddr *from,
    const struct sockaddr *to, const struct weir_sim_link *link);
/* From here on; NULL: none. Inside weir_run(). */
WEIR_API void weir_sim_faults_set(const struct weir_sim_faults *faults);

/* Below @limit, from the seed: for what a test decides. */
WEIR_API uint64_t weir_sim_random(uint64_t limit);
/* The seed of this run or of the last. */
WEIR_API uint64_t weir_sim_seed(void);
/* Of everything that happened in this run or the last: equal for equal seeds
 * and programs. */
WEIR_API uint64_t weir_sim_trace_hash(void);
/* The last 200 things that happened, as lines. */
WEIR_API void weir_sim_trace_print(int fd);
/* Simulated sockets that are open, or were at the end of the last run. */
WEIR_API unsigned weir_sim_socket_count(void);

WEIR_END

#endif
