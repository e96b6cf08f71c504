/*
 * weir/ring.h - messages between two processes through shared memory
 *
 * One process puts, the other gets; for both directions take two rings. While
 * both are busy no system call is made. Who has to wait sleeps as in any other
 * call, and the other one wakes it through a socket, by which each also notices
 * the end of the other. In the memory the two trust each other no further than
 * that: a process that scribbles in it can make messages garbled, or the ring
 * unusable (-EPROTO), and nothing else.
 *
 *   struct weir_ring_ends ends;
 *   weir_ring_create(1 << 20, &ends);
 *   hand ends.memory and ends.get to a child (weir_process_options.fds)
 *   weir_ring_open_put(&ring, ends.memory, ends.put)
 */
#ifndef WEIR_RING_H
#define WEIR_RING_H

#include <sys/types.h>

#include <weir/api.h>
#include <weir/time.h>

WEIR_BEGIN

struct weir_ring_ends {
	int memory; /* for both */
	int put; /* for the process that puts */
	int get; /* for the one that gets */
};

/* In the caller's memory, in place while it is open. */
struct weir_ring {
	uint64_t opaque[20];
};

/* A ring of @bytes, rounded up to a power of two, 64 KiB at least and 1 GiB at
 * most. The three descriptors are close-on-exec. A process closes what it has
 * handed to the other, or never sees the other's end.
 * Returns 0, -EINVAL, -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_ring_create(size_t bytes, struct weir_ring_ends *ret_ends);

/* Open one side, for the tasks of this worker. Both descriptors are closed by
 * weir_ring_close(); on error they stay the caller's.
 * Returns 0, -EPROTO (no ring, or one that was tampered with), -errno. */
WEIR_API WEIR_MUST_CHECK int
weir_ring_open_put(struct weir_ring *ring, int memory, int put);
WEIR_API WEIR_MUST_CHECK int
weir_ring_open_get(struct weir_ring *ring, int memory, int get);
/* The other side notices. Nobody may be waiting in @ring. */
WEIR_API void weir_ring_close(struct weir_ring *ring);

/* The longest message: just under half of the ring. */
WEIR_API size_t weir_ring_message_max(const struct weir_ring *ring);

/* One message, copied. Suspends while the ring is full. One task at a time.
 * Returns 0; -EMSGSIZE (nothing, or longer than the maximum); -EPIPE: the
 * getter is gone, which is noticed when it would have to be waited for or
 * woken; -EPROTO: the memory was tampered with; -ETIMEDOUT or why the caller
 * was stopped; -EBUSY. */
WEIR_API WEIR_MUST_CHECK int weir_ring_put(struct weir_ring *ring,
    const void *data, size_t length, weir_time deadline);

/* One message. Suspends while there is none. One task at a time.
 * Returns its length; 0: the putter is gone and nothing is left; -EMSGSIZE: it
 * is longer than @capacity and stays; -EPROTO: the memory was tampered with;
 * -ETIMEDOUT or why the caller was stopped; -EBUSY. */
WEIR_API WEIR_MUST_CHECK ssize_t weir_ring_get(
    struct weir_ring *ring, void *into, size_t capacity, weir_time deadline);

WEIR_END

#endif
