/*
 * uring_ring.c - the rings shared with the kernel, by raw system calls
 *
 * A ring is made disabled, by whatever thread starts the runtime, and enabled
 * by the first submission: that thread is the only one that may submit. The
 * kernel runs the ends of requests only inside our io_uring_enter(2)
 * (DEFER_TASKRUN), so nothing interrupts a task.
 *
 * The kernel never drops a completion: what does not fit in the ring is kept
 * in a list, and a submission may be refused with EBUSY until that list is
 * empty. Then the ring's completions are moved to a backlog of ours, as large
 * as the ring, and handled first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/clock.h"
#include "runtime/io/uring.h"

#define URING_GROUP 0
#ifndef IORING_FEAT_MIN_TIMEOUT
#	define IORING_FEAT_MIN_TIMEOUT (1U << 15) /* 6.12 */
#endif

static int
uring_setup(unsigned entries, struct io_uring_params *params)
{
	long r = syscall(SYS_io_uring_setup, entries, params);

	return r < 0 ? -errno : (int)r;
}

static int
uring_register(int fd, unsigned what, void *arg, unsigned count)
{
	long r = syscall(SYS_io_uring_register, fd, what, arg, count);

	return r < 0 ? -errno : (int)r;
}

static int
uring_map(struct uring *u, const struct io_uring_params *params)
{
	size_t sq_bytes =
	    params->sq_off.array + params->sq_entries * sizeof(unsigned);
	size_t cq_bytes = params->cq_off.cqes +
	    params->cq_entries * sizeof(struct io_uring_cqe);
	unsigned *array;
	char *ring;

	u->rings_bytes = max_of(sq_bytes, cq_bytes);
	u->sqes_bytes = params->sq_entries * sizeof(struct io_uring_sqe);
	ring = mmap(NULL, u->rings_bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_POPULATE, u->fd, IORING_OFF_SQ_RING);
	if (ring == MAP_FAILED)
		return -errno;
	u->rings = ring;
	u->sqes = mmap(NULL, u->sqes_bytes, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_POPULATE, u->fd, IORING_OFF_SQES);
	if (u->sqes == MAP_FAILED) {
		u->sqes = NULL;
		return -errno;
	}
	u->sq_head_shared = (void *)(ring + params->sq_off.head);
	u->sq_tail_shared = (void *)(ring + params->sq_off.tail);
	u->sq_flags = (void *)(ring + params->sq_off.flags);
	u->cq_head_shared = (void *)(ring + params->cq_off.head);
	u->cq_tail_shared = (void *)(ring + params->cq_off.tail);
	u->cqes = (void *)(ring + params->cq_off.cqes);
	u->sq_mask = params->sq_entries - 1;
	u->cq_mask = params->cq_entries - 1;
	/* Requests lie in the order of their submission. */
	array = (void *)(ring + params->sq_off.array);
	for (unsigned i = 0; i < params->sq_entries; i++)
		array[i] = i;
	return 0;
}

static int
uring_buffers_open(struct uring *u)
{
	struct io_uring_buf_reg reg = {
	    .ring_entries = URING_BUFFERS, .bgid = URING_GROUP};
	size_t ring_bytes = URING_BUFFERS * sizeof(struct io_uring_buf);
	size_t bytes = ring_bytes + URING_BUFFERS * URING_BUFFER_STRIDE;
	char *memory;
	int error;

	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	u->buffer_ring = (void *)memory;
	u->buffer_memory = memory + ring_bytes;
	reg.ring_addr = (uintptr_t)memory;
	error = uring_register(u->fd, IORING_REGISTER_PBUF_RING, &reg, 1);
	if (error < 0)
		return error;
	uring_buffers_grow(u);
	return 0;
}

/* Every operation that we use, or none of it. */
static int
uring_probe_ops(int fd)
{
	static const uint8_t needed[] = {IORING_OP_RECV, IORING_OP_SEND,
	    IORING_OP_RECVMSG, IORING_OP_SENDMSG, IORING_OP_POLL_ADD,
	    IORING_OP_ASYNC_CANCEL, IORING_OP_ACCEPT};
	struct {
		struct io_uring_probe head;
		struct io_uring_probe_op ops[IORING_OP_LAST];
	} probe = {0};
	int error =
	    uring_register(fd, IORING_REGISTER_PROBE, &probe, IORING_OP_LAST);

	if (error < 0)
		return error;
	for (size_t i = 0; i < array_count(needed); i++) {
		if (needed[i] > probe.head.last_op ||
		    (probe.ops[needed[i]].flags & IO_URING_OP_SUPPORTED) == 0)
			return -EOPNOTSUPP;
	}
	return 0;
}

/* The ring alone, and what else is asked of the kernel. */
static int
uring_create(struct io_uring_params *params)
{
	const unsigned needed =
	    IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
	int fd, error;

	*params = (struct io_uring_params){.flags = IORING_SETUP_SINGLE_ISSUER |
		IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
		IORING_SETUP_R_DISABLED,
	    .cq_entries = URING_CQ_ENTRIES};
	fd = uring_setup(URING_SQ_ENTRIES, params);
	if (fd < 0)
		return fd;
	error = (params->features & needed) == needed ? uring_probe_ops(fd)
						      : -EOPNOTSUPP;
	if (error < 0) {
		close(fd);
		return error;
	}
	return fd;
}

int
uring_ring_probe(void)
{
	struct io_uring_params params;
	int fd = uring_create(&params);

	if (fd < 0)
		return fd;
	close(fd);
	return (params.features & IORING_FEAT_MIN_TIMEOUT) != 0;
}

int
uring_ring_open(struct uring *u)
{
	struct io_uring_params params;
	int error;

	u->fd = uring_create(&params);
	if (u->fd < 0)
		return u->fd;
	u->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->wake < 0)
		return -errno;
	u->enter_fd = u->fd;
	u->min_wait = (params.features & IORING_FEAT_MIN_TIMEOUT) != 0;
	u->epoch = 1;
	u->backlog = malloc(URING_CQ_ENTRIES * sizeof(*u->backlog));
	if (u->backlog == NULL)
		return -ENOMEM;
	error = uring_map(u, &params);
	if (error == 0)
		error = uring_buffers_open(u);
	return error;
}

void
uring_ring_close(struct uring *u)
{
	if (u->fd >= 0)
		close(u->fd);
	if (u->wake >= 0)
		close(u->wake);
	if (u->rings != NULL)
		munmap(u->rings, u->rings_bytes);
	if (u->sqes != NULL)
		munmap(u->sqes, u->sqes_bytes);
	if (u->buffer_ring != NULL)
		munmap(u->buffer_ring,
		    URING_BUFFERS * sizeof(struct io_uring_buf) +
			URING_BUFFERS * URING_BUFFER_STRIDE);
	free(u->backlog);
}

/* On the worker's own thread: from now on it is the only one. */
static void
uring_start(struct uring *u)
{
	struct io_uring_rsrc_update update = {
	    .offset = -1U, .data = (uint64_t)u->fd};

	u->started = true;
	must(uring_register(u->fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0);
	/* It spares a look-up at each call; without it works as well. */
	if (uring_register(u->fd, IORING_REGISTER_RING_FDS, &update, 1) == 1) {
		u->enter_fd = (int)update.offset;
		u->enter_flags = IORING_ENTER_REGISTERED_RING;
	}
}

static unsigned
uring_cq_count(const struct uring *u)
{
	return atomic_load_explicit(u->cq_tail_shared, memory_order_acquire) -
	    atomic_load_explicit(u->cq_head_shared, memory_order_relaxed);
}

/* Make room in the completion ring, for what the kernel could not put there. */
static void
uring_backlog_fill(struct uring *u)
{
	unsigned head =
	    atomic_load_explicit(u->cq_head_shared, memory_order_relaxed);
	unsigned count = uring_cq_count(u);

	if (u->backlog_at != 0) {
		memmove(u->backlog, u->backlog + u->backlog_at,
		    (u->backlog_end - u->backlog_at) * sizeof(*u->backlog));
		u->backlog_end -= u->backlog_at;
		u->backlog_at = 0;
	}
	while (count-- > 0 && u->backlog_end < URING_CQ_ENTRIES)
		u->backlog[u->backlog_end++] = u->cqes[head++ & u->cq_mask];
	atomic_store_explicit(u->cq_head_shared, head, memory_order_release);
}

/* struct io_uring_getevents_arg, of whatever year the headers are. */
struct uring_wait_argument {
	uint64_t signals;
	uint32_t signal_bytes;
	uint32_t min_wait_us;
	uint64_t timeout;
};
_Static_assert(
    sizeof(struct uring_wait_argument) == sizeof(struct io_uring_getevents_arg),
    "the kernel's");

static int
uring_enter(struct uring *u, unsigned min_complete, uint32_t min_wait_us,
    const struct timespec *ts)
{
	struct uring_wait_argument arg = {
	    .min_wait_us = min_wait_us, .timeout = (uintptr_t)ts};
	unsigned count = u->sq_tail - u->sq_submitted;
	long r;

	if (unlikely(!u->started))
		uring_start(u);
	atomic_store_explicit(
	    u->sq_tail_shared, u->sq_tail, memory_order_release);
	r = syscall(SYS_io_uring_enter, u->enter_fd, count, min_complete,
	    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | u->enter_flags,
	    &arg, sizeof(arg));
	u->sq_submitted =
	    atomic_load_explicit(u->sq_head_shared, memory_order_acquire);
	if (++u->epoch == 0)
		u->epoch = 1;
	return r < 0 ? -errno : 0;
}

void
uring_flush(struct uring *u)
{
	if (uring_enter(u, 0, 0, NULL) == -EBUSY) {
		uring_backlog_fill(u);
		uring_enter(u, 0, 0, NULL);
	}
}

/* The kernel has something to run or to flush, and says so. */
static bool
uring_has_news(const struct uring *u)
{
	return (atomic_load_explicit(u->sq_flags, memory_order_relaxed) &
		   (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

static int
uring_wait_result(int error)
{
	return error == -EINTR || error == -ETIME || error == -EBUSY ||
		error == -EAGAIN
	    ? 0
	    : error;
}

/* Not beyond the time that is @left, and nobody wakes for nothing: the kernel
 * ends a wait with its window unless a longer time-out goes on. */
static int
uring_wait_gather(struct uring *u, const struct timespec *left)
{
	static const struct timespec long_enough = {.tv_sec = 3600};
	int64_t window_ns = u->gather.window_ns;
	int error;

	if (left == NULL)
		left = &long_enough;
	if (left->tv_sec == 0)
		window_ns = min_of(window_ns, (int64_t)left->tv_nsec);
	if (window_ns < 1000)
		return uring_wait_result(uring_enter(u, 1, 0, left));
	error =
	    uring_enter(u, GATHER_ENOUGH, (uint32_t)(window_ns / 1000), left);
	return error < 0 ? uring_wait_result(error) : 1;
}

int
uring_wait(struct uring *u, instant until, bool gather)
{
	struct timespec ts = {0, 0}, *left = NULL;
	bool wait =
	    until.ns != INSTANT_PAST_NS && u->backlog_at == u->backlog_end;

	if (!wait && u->sq_tail == u->sq_submitted && u->started &&
	    !uring_has_news(u))
		return 0;
	if (wait && !instant_is_never(until)) {
		int64_t ns =
		    max_of(instant_since(until, clock_now()).ns, (int64_t)0);

		ts.tv_sec = ns / 1000000000;
		ts.tv_nsec = ns % 1000000000;
		left = &ts;
	}
	if (wait && gather && !uring_has_news(u) && uring_cq_count(u) == 0)
		return uring_wait_gather(u, left);
	return uring_wait_result(uring_enter(u, wait, 0, left));
}

bool
uring_cqe(struct uring *u, struct io_uring_cqe *ret)
{
	unsigned head;

	if (unlikely(u->backlog_at != u->backlog_end)) {
		*ret = u->backlog[u->backlog_at++];
		if (u->backlog_at == u->backlog_end)
			u->backlog_at = u->backlog_end = 0;
		return true;
	}
	if (uring_cq_count(u) == 0)
		return false;
	head = atomic_load_explicit(u->cq_head_shared, memory_order_relaxed);
	*ret = u->cqes[head & u->cq_mask];
	atomic_store_explicit(
	    u->cq_head_shared, head + 1, memory_order_release);
	return true;
}

static bool
uring_cqe_take(struct io_uring_cqe *cqe, uint64_t tag, struct io_uring_cqe *ret)
{
	if (cqe->user_data != tag)
		return false;
	*ret = *cqe;
	cqe->user_data = (uint64_t)URING_NOBODY << 60;
	return true;
}

bool
uring_cqe_of(struct uring *u, uint64_t tag, struct io_uring_cqe *ret)
{
	unsigned head =
	    atomic_load_explicit(u->cq_head_shared, memory_order_relaxed);
	unsigned count = uring_cq_count(u);

	for (unsigned i = u->backlog_at; i < u->backlog_end; i++) {
		if (uring_cqe_take(&u->backlog[i], tag, ret))
			return true;
	}
	for (; count > 0; count--, head++) {
		if (uring_cqe_take(&u->cqes[head & u->cq_mask], tag, ret))
			return true;
	}
	return false;
}

struct io_uring_sqe *
uring_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe;

	if (unlikely(u->sq_tail - u->sq_submitted > u->sq_mask)) {
		uring_flush(u);
		if (u->sq_tail - u->sq_submitted > u->sq_mask)
			return NULL;
	}
	sqe = &u->sqes[u->sq_tail & u->sq_mask];
	u->sq_tail++;
	memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

/* A request that the kernel does not have yet becomes one that ends with
 * -ENOENT: a cancel of nothing. */
static bool
uring_take_back(struct uring *u, uint64_t tag)
{
	for (unsigned i = u->sq_submitted; i != u->sq_tail; i++) {
		struct io_uring_sqe *sqe = &u->sqes[i & u->sq_mask];

		if (sqe->user_data != tag)
			continue;
		*sqe = (struct io_uring_sqe){.opcode = IORING_OP_ASYNC_CANCEL,
		    .fd = -1,
		    .addr = (uint64_t)URING_NOBODY << 60 | 1,
		    .user_data = tag};
		return true;
	}
	return false;
}

/* The kernel takes no requests now: at once, without one. */
static COLD void
uring_cancel_now(struct uring *u, uint64_t tag)
{
	struct io_uring_sync_cancel_reg reg = {
	    .addr = tag, .fd = -1, .timeout = {-1, -1}};

	if (!uring_take_back(u, tag))
		uring_register(u->fd, IORING_REGISTER_SYNC_CANCEL, &reg, 1);
}

void
uring_cancel_tag(struct uring *u, uint64_t tag)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	if (unlikely(sqe == NULL)) {
		uring_cancel_now(u, tag);
		return;
	}
	sqe->opcode = IORING_OP_ASYNC_CANCEL;
	sqe->fd = -1;
	sqe->addr = tag;
	sqe->user_data = (uint64_t)URING_NOBODY << 60;
}
