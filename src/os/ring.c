#include "os/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/memory.h"

#define RING_MAGIC UINT64_C(0x31676e6972726577)
/* The indices have pages of their own in front of the data. */
#define RING_INDEX_BYTES 65536

/* Each written by one side alone, on a line of its own. */
struct ring_indices {
	uint64_t magic;
	_Alignas(64) _Atomic uint64_t head; /* bytes ever put */
	_Alignas(64) _Atomic uint64_t tail; /* bytes ever taken */
	_Alignas(64) _Atomic uint32_t getter_sleeps;
	_Alignas(64) _Atomic uint32_t putter_sleeps;
};
_Static_assert(sizeof(struct ring_indices) <= RING_INDEX_BYTES, "");

int
ring_memory_create(size_t bytes)
{
	size_t capacity = RING_INDEX_BYTES;
	struct ring_indices *shared;
	void *memory;
	int fd, r;

	if (bytes == 0 || bytes > RING_BYTES_MAX)
		return -EINVAL;
	/* Pages are 64 KiB at most on the machines we run on. */
	while (capacity < bytes)
		capacity *= 2;
	fd = memory_file_create("weir-ring", RING_INDEX_BYTES + capacity);
	if (fd < 0)
		return fd;
	r = memory_map(fd, sizeof(*shared), &memory);
	if (r < 0) {
		close(fd);
		return r;
	}
	shared = memory;
	shared->magic = RING_MAGIC;
	memory_unmap(memory, sizeof(*shared));
	return fd;
}

int
ring_sockets_create(int ret_ends[2])
{
	const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

	return socketpair(AF_UNIX, type, 0, ret_ends) < 0 ? -errno : 0;
}

/* The indices, and twice the data behind them. */
static int
ring_map(struct ring *ring, uint64_t capacity)
{
	const size_t bytes = RING_INDEX_BYTES + 2 * capacity;
	const int rights = PROT_READ | PROT_WRITE;
	char *at = mmap(NULL, bytes, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int r;

	if (at == MAP_FAILED)
		return -errno;
	if (mmap(at, RING_INDEX_BYTES + capacity, rights,
		MAP_SHARED | MAP_FIXED, ring->memory, 0) == MAP_FAILED ||
	    mmap(at + RING_INDEX_BYTES + capacity, capacity, rights,
		MAP_SHARED | MAP_FIXED, ring->memory,
		RING_INDEX_BYTES) == MAP_FAILED) {
		r = -errno;
		munmap(at, bytes);
		return r;
	}
	ring->shared = (struct ring_indices *)(void *)at;
	ring->data = at + RING_INDEX_BYTES;
	ring->capacity = capacity;
	return 0;
}

/* Between two indices there is a whole number of messages, no more than fit. */
static bool
ring_indices_possible(const struct ring *ring, uint64_t head, uint64_t tail)
{
	return head - tail <= ring->capacity &&
	    (head - tail) % RING_MESSAGE_ALIGN == 0;
}

static int
ring_indices_take(struct ring *ring, bool puts)
{
	uint64_t head = atomic_load(&ring->shared->head);
	uint64_t tail = atomic_load(&ring->shared->tail);

	if (ring->shared->magic != RING_MAGIC ||
	    head % RING_MESSAGE_ALIGN != 0 ||
	    !ring_indices_possible(ring, head, tail))
		return -EPROTO;
	ring->mine = puts ? head : tail;
	ring->theirs = puts ? tail : head;
	return 0;
}

int
ring_open(struct ring *ring, int memory_take, bool puts)
{
	int64_t bytes = memory_file_bytes(memory_take);
	uint64_t capacity;
	int seals, r;

	*ring = (struct ring){.memory = memory_take};
	if (bytes < 0)
		return (int)bytes;
	capacity = (uint64_t)bytes - RING_INDEX_BYTES;
	/* What can shrink under us would be a SIGBUS. */
	seals = fcntl(memory_take, F_GET_SEALS);
	if (bytes < 2 * RING_INDEX_BYTES || capacity > 2 * RING_BYTES_MAX ||
	    (capacity & (capacity - 1)) != 0 || seals < 0 ||
	    (seals & F_SEAL_SHRINK) == 0)
		return -EPROTO;
	r = ring_map(ring, capacity);
	if (r < 0)
		return r;
	r = ring_indices_take(ring, puts);
	if (r < 0) {
		ring->memory = -1;
		ring_close(ring);
	}
	return r;
}

void
ring_close(struct ring *ring)
{
	if (ring->shared == NULL)
		return;
	munmap(ring->shared, RING_INDEX_BYTES + 2 * ring->capacity);
	if (ring->memory >= 0)
		close(ring->memory);
	*ring = (struct ring){.memory = -1};
}

size_t
ring_message_max(const struct ring *ring)
{
	return ring->capacity / 2 - RING_MESSAGE_HEAD;
}

static uint64_t
ring_message_bytes(uint64_t length)
{
	return RING_MESSAGE_HEAD +
	    ((length + RING_MESSAGE_ALIGN - 1) &
		~(uint64_t)(RING_MESSAGE_ALIGN - 1));
}

static char *
ring_at(struct ring *ring, uint64_t index)
{
	return ring->data + (index & (ring->capacity - 1));
}

int
ring_put(struct ring *ring, const void *data, size_t length)
{
	uint64_t bytes = ring_message_bytes(length);
	uint32_t head = (uint32_t)length;
	char *at;

	if (length == 0 || length > ring_message_max(ring))
		return -EMSGSIZE;
	if (ring->capacity - (ring->mine - ring->theirs) < bytes) {
		uint64_t tail = atomic_load_explicit(
		    &ring->shared->tail, memory_order_acquire);

		if (!ring_indices_possible(ring, ring->mine, tail))
			return -EPROTO;
		ring->theirs = tail;
		if (ring->capacity - (ring->mine - tail) < bytes)
			return -EAGAIN;
	}
	at = ring_at(ring, ring->mine);
	memcpy(at, &head, sizeof(head));
	memcpy(at + RING_MESSAGE_HEAD, data, length);
	ring->mine += bytes;
	atomic_store_explicit(
	    &ring->shared->head, ring->mine, memory_order_release);
	return 0;
}

int64_t
ring_get(struct ring *ring, void *into, size_t capacity)
{
	uint64_t there = ring->theirs - ring->mine;
	uint32_t length;
	char *at;

	if (there == 0) {
		uint64_t head = atomic_load_explicit(
		    &ring->shared->head, memory_order_acquire);

		if (!ring_indices_possible(ring, head, ring->mine))
			return -EPROTO;
		ring->theirs = head;
		there = head - ring->mine;
		if (there == 0)
			return -EAGAIN;
	}
	at = ring_at(ring, ring->mine);
	/* Once: the other side could change it after it was judged. */
	length = __atomic_load_n((uint32_t *)(void *)at, __ATOMIC_RELAXED);
	if (length == 0 || length > ring_message_max(ring) ||
	    ring_message_bytes(length) > there)
		return -EPROTO;
	if (length > capacity)
		return -EMSGSIZE;
	memcpy(into, at + RING_MESSAGE_HEAD, length);
	ring->mine += ring_message_bytes(length);
	atomic_store_explicit(
	    &ring->shared->tail, ring->mine, memory_order_release);
	return length;
}

static _Atomic uint32_t *
ring_sleeper(struct ring *ring, bool puts)
{
	return puts ? &ring->shared->putter_sleeps
		    : &ring->shared->getter_sleeps;
}

/*
 * Who sleeps stores the flag and then looks at the index; who wakes stores the
 * index and then looks at the flag. With a full fence between the two on both
 * sides, one of them sees the other.
 */
void
ring_sleep_begin(struct ring *ring, bool puts)
{
	atomic_store(ring_sleeper(ring, puts), 1);
	atomic_thread_fence(memory_order_seq_cst);
}

void
ring_sleep_end(struct ring *ring, bool puts)
{
	atomic_store(ring_sleeper(ring, puts), 0);
}

bool
ring_must_wake(struct ring *ring, bool puts)
{
	_Atomic uint32_t *sleeper = ring_sleeper(ring, !puts);

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(sleeper, memory_order_relaxed) == 0)
		return false;
	/* Who waits for room is woken when half of it is free: not for each
	 * message, and any message fits then. */
	if (!puts) {
		uint64_t head = atomic_load_explicit(
		    &ring->shared->head, memory_order_relaxed);

		if (head - ring->mine > ring->capacity / 2)
			return false;
	}
	return atomic_exchange(sleeper, 0) != 0;
}

int
ring_wake(int socket)
{
	ssize_t r;

	do
		r = send(socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 && errno != EAGAIN ? -EPIPE : 0;
}
