/*
 * reactor.h - what the backends share that are told of readiness
 *
 * Layer      runtime/io, inside only
 *
 * A reactor tries an operation at submit if its descriptor may be ready, and
 * else performs it on the loop as an event says that it is; the task that is
 * woken has its result. epoll, poll and select differ in how they are told.
 */
#pragma once

#include "runtime/io_backend.h"
#include "runtime/timer.h"
#include "runtime/worker.h"

/* The backend's submit: 1 done, 0 pending. */
int reactor_submit(struct worker *worker, struct io_op *op);
/* Nothing of it is in the kernel: it ends at once. */
void reactor_cancel(struct worker *worker, struct io_op *op);
/* End what waits on @io with -EBADF. */
void reactor_end(struct io_fd *io);
/* @io is @ready (IO_*): perform what waits for that, or call its hook, which
 * may close and free @io. */
void reactor_ready(struct io_fd *io, uint8_t ready);
/* IO_* of what poll(2) or epoll(7) answered; their bits are the same. */
uint8_t reactor_bits(uint32_t events);
/* Milliseconds or a timespec are left until @until? NULL: no end; else @left,
 * which is filled in, zero when it is past. */
const struct timespec *reactor_left(instant until, struct timespec *left);

/*
 * Level-triggered, with a set of interests in memory: poll and select. A
 * direction is in the set only while an operation waits for it or a hook is
 * set; else what nobody reads would wake the worker at every turn.
 */
#define LEVEL_AGAIN_MS 10

struct level_event {
	int fd;
	uint32_t generation;
	uint8_t ready; /* IO_* */
};

struct level {
	int wake; /* eventfd, always in the set */
	bool no_hangup; /* the call does not tell IO_HUP from IO_IN */
	void (*interest)(struct level *level, int fd, unsigned events);
	/*
	 * Hooks that were called, stay set and left bytes unread. They are
	 * called again for these bytes LEVEL_AGAIN_MS later and not at every
	 * turn, and may have been asking for other bytes meanwhile.
	 */
	struct list told;
	struct timer again;
	unsigned event_count;
	struct level_event events[WORKER_POLL_BATCH];
};

MUST_CHECK int level_open(struct level *level,
    void (*interest)(struct level *level, int fd, unsigned events));
void level_close(struct level *level);

/* The calls of the backend; worker->backend_state is the struct level. */
int level_submit(struct worker *worker, struct io_op *op);
void level_cancel(struct worker *worker, struct io_op *op);
void level_detach(struct worker *worker, struct io_fd *io, bool closing);
void level_watch(struct worker *worker, struct io_fd *io);
void level_wake(struct worker *worker);

/* 0, or -EPERM for what is always ready and may block all the same, as with
 * epoll. */
MUST_CHECK int level_check(int fd);
/* Note that @fd of the set is @ready; false: the batch is full. */
bool level_note(struct level *level, int fd, uint8_t ready, unsigned batch);
/* Run what was noted; returns how many there were. */
int level_run(struct worker *worker);
