/*
 * sim.c - the backend: time, turns, the order of tasks
 */
#include "runtime/sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/memory.h"
#include "os/random.h"
#include "os/socket_call.h"
#include "runtime/sim/sim_inner.h"
#include "runtime/worker.h"

/* Timers may fire a tick and a turn late. */
#define SIM_LATE_NS 1000000
/* What another thread takes for a job. */
#define SIM_JOB_US_MIN 20
#define SIM_JOB_US_MAX 2000
/* Tasks further back wait for another turn. */
#define SIM_PICK_MAX 64

struct sim sim_here = {.dirty = {&sim_here.dirty, &sim_here.dirty}};

static void (*sim_must_failed_before)(int fd);

bool
sim_fault(uint32_t ppm, const char *what)
{
	if (likely(ppm == 0) || sim_random(SIM_MILLION) >= ppm)
		return false;
	sim_trace(what, 0, 0, 0);
	return true;
}

uint64_t
sim_random(uint64_t limit)
{
	return random_scale(random_next(&sim_here.random), limit);
}

int64_t
sim_between(int64_t low, int64_t high)
{
	return low + (int64_t)sim_random((uint64_t)(high - low) + 1);
}

uint64_t
sim_seed(void)
{
	return sim_here.options.seed;
}

bool
sim_running(void)
{
	return sim_here.running;
}

void
sim_faults_set(const struct sim_faults *faults)
{
	sim_here.options.faults = *faults;
}

struct sim_faults
sim_faults_some(void)
{
	return (struct sim_faults){.short_ppm = 100000,
	    .not_ready_ppm = 50000,
	    .late_ppm = 50000,
	    .reset_ppm = 500,
	    .descriptor_ppm = 5000,
	    .memory_ppm = 1000,
	    .timer_ppm = 200000};
}

/* ---- start and end ---- */

static uint64_t
sim_seed_choose(uint64_t seed)
{
	const char *text = getenv("WEIR_SIM_SEED");

	if (seed == 0 && text != NULL)
		seed = strtoull(text, NULL, 0);
	return seed != 0 ? seed : 1;
}

static void
sim_must_failed(int fd)
{
	(void)dprintf(fd, "weir: simulated with seed %llu; the last events:\n",
	    (unsigned long long)sim_here.options.seed);
	sim_trace_print(fd);
	if (sim_must_failed_before != NULL)
		sim_must_failed_before(fd);
}

static bool
sim_memory_denied(void)
{
	return sim_here.now.ns != SIM_START_NS &&
	    sim_fault(sim_here.options.faults.memory_ppm, "no memory");
}

static int
sim_start(const struct runtime_options *options)
{
	static const struct sim_options plain;
	struct sim *sim = &sim_here;

	if (options->worker_count > 1) {
		(void)dprintf(STDERR_FILENO,
		    "weir: the backend sim runs on one worker, not on %u\n",
		    options->worker_count);
		return -EINVAL;
	}
	sim->options = options->sim != NULL ? *options->sim : plain;
	sim->options.seed = sim_seed_choose(sim->options.seed);
	random_seed(&sim->random, sim->options.seed);
	random_simulate(&sim->options.seed);
	sim->now = (instant){SIM_START_NS};
	clock_simulate(sim->now, SIM_WALL_NS - SIM_START_NS);
	sim_links_reset();
	sim_trace_start(&sim->options);
	socket_network_set(&sim_network);
	memory_denied_hook = sim_memory_denied;
	sim_must_failed_before = must_failed_hook;
	must_failed_hook = sim_must_failed;
	sim->running = true;
	return 0;
}

static void
sim_end(void)
{
	sim_here.running = false;
	must_failed_hook = sim_must_failed_before;
	memory_denied_hook = NULL;
	socket_network_set(NULL);
	random_simulate(NULL);
	clock_simulate_end();
}

static int
sim_open(struct worker *worker)
{
	return sim_kernel_open(worker);
}

static void
sim_close(struct worker *worker)
{
	sim_here.left_open = sim_socket_count();
	sim_sockets_free();
	sim_events_free();
	sim_kernel_close(worker);
}

/* ---- descriptors and operations ---- */

static int
sim_attach(struct worker *worker, struct io_fd *io)
{
	struct sim_socket *s = sim_socket_adopt(io->fd);

	if (s == NULL)
		return sim_kernel_attach(worker, io);
	s->io = io;
	io->ready = (uint8_t)sim_socket_events(s);
	return 0;
}

static void
sim_detach_op(struct sim_socket *s, struct io_op *op)
{
	if (op == NULL || op->done)
		return;
	sim_trace("closed under", s->id, op->code, 0);
	io_complete(op, -EBADF);
}

static struct sim_socket *
sim_socket_attached(const struct io_fd *io)
{
	struct sim_socket *s = sim_socket_of(io->fd);

	return s != NULL && s->io == io ? s : NULL;
}

static void
sim_detach(struct worker *worker, struct io_fd *io, bool closing)
{
	struct sim_socket *s = sim_socket_attached(io);

	if (s == NULL) {
		sim_kernel_detach(worker, io, closing);
		return;
	}
	sim_detach_op(s, io->reader);
	if (io->writer != io->reader)
		sim_detach_op(s, io->writer);
	sim_event_cancel(&s->cancel[0]);
	sim_event_cancel(&s->cancel[1]);
	s->io = NULL;
}

static int
sim_submit(struct worker *worker, struct io_op *op)
{
	struct sim_socket *s = sim_socket_attached(op->io);

	return s != NULL ? sim_socket_submit(s, op)
			 : sim_kernel_submit(worker, op);
}

static void
sim_cancel(struct worker *worker, struct io_op *op)
{
	struct sim_socket *s = sim_socket_attached(op->io);

	if (s != NULL)
		sim_socket_cancel(s, op);
	else
		sim_kernel_cancel(worker, op);
}

/* ---- turns ---- */

static void
sim_time_set(struct worker *worker, instant now)
{
	sim_here.now = now;
	worker->now = now;
	clock_simulate(now, SIM_WALL_NS - SIM_START_NS);
}

static int
sim_events_run(void)
{
	struct sim_event *event;
	int count = 0;

	while ((event = sim_event_due(sim_here.now)) != NULL) {
		event->run(event);
		count++;
	}
	return count + sim_dirty_run();
}

/* The time of whatever comes first. */
static instant
sim_jump_to(instant until)
{
	instant next = sim_event_next();

	if (instant_before(next, until))
		return next;
	if (!sim_fault(sim_here.options.faults.timer_ppm, "late timers"))
		return until;
	return instant_after(until, duration_ns(sim_between(0, SIM_LATE_NS)));
}

static int
sim_wait_outside(struct worker *worker, unsigned batch)
{
	int count = sim_kernel_poll(worker, true, batch);

	if (count > 0 || sim_kernel_count() > 0)
		return count;
	(void)dprintf(STDERR_FILENO,
	    "weir: nothing can happen in the simulation any more: every task "
	    "waits for another\n");
	worker_dump(worker, STDERR_FILENO);
	must(!"a simulation in which nothing can happen");
	return 0;
}

static int
sim_poll(struct worker *worker, instant until, unsigned batch)
{
	instant next;
	int count;

	sim_time_set(
	    worker, instant_after(sim_here.now, duration_ns(SIM_TURN_NS)));
	count = sim_kernel_poll(worker, false, batch) + sim_events_run();
	if (count > 0 || until.ns == INSTANT_PAST_NS)
		return count;
	next = sim_jump_to(until);
	if (instant_is_never(next))
		return sim_wait_outside(worker, batch);
	if (instant_before(sim_here.now, next))
		sim_time_set(worker, next);
	return sim_events_run();
}

static uint32_t
sim_pick(struct worker *worker, uint32_t count)
{
	uint32_t picked = 0;

	(void)worker;
	if (!sim_here.options.faults.in_order)
		picked =
		    (uint32_t)sim_random(min_of(count, (uint32_t)SIM_PICK_MAX));
	sim_trace("runs", 0, picked, count);
	return picked;
}

struct sim_job {
	struct sim_event event;
	struct inbox_item *item;
};

static void
sim_job_run(struct sim_event *event)
{
	struct sim_job *job = container_of(event, struct sim_job, event);
	struct inbox_item *item = job->item;

	free(job);
	sim_trace("job", 0, 0, 0);
	item->run(item);
}

static void
sim_defer(struct worker *worker, struct inbox_item *item)
{
	struct sim_job *job = malloc(sizeof(*job));

	(void)worker;
	must(job != NULL);
	*job = (struct sim_job){.event.run = sim_job_run, .item = item};
	sim_event_after(&job->event,
	    duration_us(sim_between(SIM_JOB_US_MIN, SIM_JOB_US_MAX)));
}

const struct io_backend io_sim = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .attach = sim_attach,
    .detach = sim_detach,
    .submit = sim_submit,
    .cancel = sim_cancel,
    .poll = sim_poll,
    .wake = sim_kernel_wake,
    .start = sim_start,
    .end = sim_end,
    .pick = sim_pick,
    .defer = sim_defer,
};
