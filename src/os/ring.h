/*
 * ring.h - messages from one process to another through memory they share
 *
 * Layer      os
 * Threads    one puts, one gets; each side has a struct ring of its own
 * Memory     the capacity, mapped twice in a row, so that no message wraps,
 *            and a page of indices
 * Cost       put and get: a copy each and an atomic store; no system call
 *            while neither side sleeps
 * Invariant  tail <= head <= tail + capacity; a message lies at its offset
 *            modulo the capacity: 4 bytes of length, 4 of padding, the bytes,
 *            padded to 8
 * Limits     RING_BYTES_MAX of capacity; a message is at most half of it less
 *            RING_MESSAGE_HEAD
 * Sources    Lamport, Proving the Correctness of Multiprocess Programs (1977);
 *            the cached indices of Le, Guatto, Cohen, Pop (SBAC-PAD 2013)
 *
 * A side that must wait says so in the memory, looks once more, and then waits
 * for its end of a socket pair: there the other one sends a byte, only to who
 * sleeps. The end of the peer, however it comes about, is the end of the
 * socket. What the peer writes into the memory is not trusted: the worst it can
 * do is garbled messages or -EPROTO.
 */
#pragma once

#include <stdatomic.h>

#include "base/cc.h"

#define RING_BYTES_MAX     (UINT64_C(1) << 30)
#define RING_MESSAGE_HEAD  8
#define RING_MESSAGE_ALIGN 8

struct ring_indices; /* in the shared memory */

struct ring {
	struct ring_indices *shared; /* NULL: not open */
	char *data;
	uint64_t capacity;
	uint64_t mine; /* index of this side */
	uint64_t theirs; /* index of the other, as last seen */
	int memory; /* descriptor */
};

/* @bytes is rounded up to a power of two and at least 64 KiB.
 * Returns the descriptor of the memory (close-on-exec), -EINVAL, -errno. */
MUST_CHECK
int ring_memory_create(size_t bytes);

/* Both of a socket pair, non-blocking, close-on-exec. Returns 0 or -errno. */
MUST_CHECK
int ring_sockets_create(int ret_ends[2]);

/*
 * ring_open - map the memory
 * @memory_take  closed by ring_close(); the caller's on error
 * @puts         whether this is the side that puts
 * Returns 0, -EPROTO (not the memory of a ring, or tampered with), -errno.
 */
MUST_CHECK
int ring_open(struct ring *ring, int memory_take, bool puts);
void ring_close(struct ring *ring);

size_t ring_message_max(const struct ring *ring);

/* Returns 0, -EAGAIN (no room), -EMSGSIZE (also for no bytes at all), -EPROTO:
 * the memory was tampered with. */
MUST_CHECK
int ring_put(struct ring *ring, const void *data, size_t length);

/* Returns its length; -EAGAIN: none is there; -EMSGSIZE: longer than
 * @capacity, it stays; -EPROTO: the memory was tampered with. */
MUST_CHECK
int64_t ring_get(struct ring *ring, void *into, size_t capacity);

/* Before a side waits: from here on the other one wakes it. After this it must
 * try once more. */
void ring_sleep_begin(struct ring *ring, bool puts);
void ring_sleep_end(struct ring *ring, bool puts);

/* After a put or a get: whether the other side sleeps and has reason to wake.
 * It is told once. */
bool ring_must_wake(struct ring *ring, bool puts);

/* A byte for the other side, through its socket. One that does not fit lies
 * there already. Returns 0 or -EPIPE: it is gone. */
int ring_wake(int socket);
