/*
 * The ring between a process that puts and one that gets, in every order of
 * their steps with up to two preemptions and with store buffers between
 * them: nobody sleeps while there is something for him to do.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "public/inner.h"
#include "runtime/explore.h"

static bool lacks_fences, looks_once; /* the mistakes */

/* The atomic operations of the ring are steps. */
static uint32_t explore_exchange(_Atomic uint32_t *at, uint32_t value);
static void explore_fence(void);
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_thread_fence
#define atomic_load(at)                 explore_load((at), sizeof(*(at)))
#define atomic_load_explicit(at, order) explore_load((at), sizeof(*(at)))
#define atomic_store(at, value)                                                \
	explore_store((at), sizeof(*(at)), (value), !lacks_fences)
#define atomic_store_explicit(at, value, order)                                \
	explore_store((at), sizeof(*(at)), (value), false)
#define atomic_exchange            explore_exchange
#define atomic_thread_fence(order) explore_fence()
#include "os/ring.c"

/* What a side calls, simulated. */
static void explore_sleep_begin(struct ring *ring, bool puts);
static int explore_put(struct ring *ring, const void *data, size_t bytes);
static int64_t explore_get(struct ring *ring, void *into, size_t bytes);
static int explore_wake(int socket);
static ssize_t
explore_recv(struct io_fd *io, void *into, size_t length, instant deadline);
#define ring_sleep_begin   explore_sleep_begin
#define ring_put           explore_put
#define ring_get           explore_get
#define ring_wake          explore_wake
#define io_recv            explore_recv
#define task_yield()       0
#define task_cancelled()   0
#define task_required(f)   (f)
#define worker_required(f) (f)
#include "public/ring.c"
#undef ring_sleep_begin
#undef ring_put
#undef ring_get

enum { PUTTER, GETTER };
enum { MESSAGES = 3, BYTES = 30000 }; /* two of them fill the ring */

static struct weir_ring sides[2];
static bool byte_there[2]; /* in the socket of each side */
static bool second_look[2]; /* is the next one */
static int memory;

static void
explore_fence(void)
{
	if (lacks_fences)
		return;
	explore_step();
	explore_drain();
}

static uint32_t
explore_exchange(_Atomic uint32_t *at, uint32_t value)
{
	uint32_t *plain = (uint32_t *)(void *)at;
	uint32_t old;

	explore_step();
	explore_drain();
	old = __atomic_exchange_n(plain, value, __ATOMIC_SEQ_CST);
	if (old != value)
		explore_changed();
	return old;
}

static void
explore_sleep_begin(struct ring *ring, bool puts)
{
	second_look[explore_self()] = true;
	ring_sleep_begin(ring, puts);
}

static bool
does_not_look(void)
{
	bool second = second_look[explore_self()];

	second_look[explore_self()] = false;
	return second && looks_once;
}

static int
explore_put(struct ring *ring, const void *data, size_t bytes)
{
	return does_not_look() ? -EAGAIN : ring_put(ring, data, bytes);
}

static int64_t
explore_get(struct ring *ring, void *into, size_t bytes)
{
	return does_not_look() ? -EAGAIN : ring_get(ring, into, bytes);
}

/* A system call lets out what the processor has stored. */
static int
explore_wake(int socket)
{
	explore_step();
	explore_drain();
	byte_there[socket] = true;
	return 0;
}

static ssize_t
explore_recv(struct io_fd *io, void *into, size_t length, instant deadline)
{
	unsigned self = explore_self();

	(void)io;
	(void)into;
	(void)length;
	(void)deadline;
	explore_drain();
	explore_wait(&byte_there[self]);
	byte_there[self] = false;
	return 1;
}

static void
setup(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ring_side *side = inner_side(&sides[i]);

		/* A wake is sent to the other one. */
		side->socket.fd = i == PUTTER ? GETTER : PUTTER;
		side->ring.mine = side->ring.theirs = 0;
		side->waits = false;
		side->streak = 0;
		byte_there[i] = second_look[i] = false;
	}
	memset((char *)inner_side(&sides[0])->ring.shared + 64, 0,
	    sizeof(struct ring_indices) - 64);
}

static void
puts_all(void)
{
	static char message[BYTES];

	for (int i = 0; i < MESSAGES; i++)
		explore_assert(weir_ring_put(&sides[PUTTER], message, BYTES,
				   WEIR_NEVER) == 0);
}

static void
gets_all(void)
{
	static char message[BYTES];

	for (int i = 0; i < MESSAGES; i++)
		explore_assert(weir_ring_get(&sides[GETTER], message, BYTES,
				   WEIR_NEVER) == BYTES);
}

static void
check(void)
{
	if (inner_side(&sides[PUTTER])->ring.mine !=
	    inner_side(&sides[GETTER])->ring.mine)
		explore_failure = "something is left";
}

static const struct explore_case ring_case = {.setup = setup,
    .threads = {puts_all, gets_all},
    .check = check,
    .thread_count = 2,
    .preemptions = 2};

static void
test_right(void **state)
{
	unsigned long runs = explore_run(&ring_case);

	(void)state;
	if (explore_failure != NULL)
		fail_msg("%s: %s", explore_failure, explore_order);
	print_message("ring: %lu orders\n", runs);
}

static void
test_broken(void **state)
{
	(void)state;
	looks_once = true;
	explore_run(&ring_case);
	looks_once = false;
	assert_non_null(explore_failure);
	lacks_fences = true;
	explore_run(&ring_case);
	lacks_fences = false;
	assert_non_null(explore_failure);
}

static int
open_both(void **state)
{
	struct ring outside = {0};

	(void)state;
	(void)explore_load;
	memory = ring_memory_create(1);
	for (unsigned i = 0; i < 2; i++) {
		struct ring_side *side = inner_side(&sides[i]);

		*side = (struct ring_side){.puts = i == PUTTER};
		/* Not ring_open(): its loads would be steps. */
		outside.memory = dup(memory);
		if (ring_map(&outside, RING_INDEX_BYTES) < 0)
			return -1;
		side->ring = outside;
	}
	return 0;
}

static int
close_both(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		ring_close(&inner_side(&sides[i])->ring);
	close(memory);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_right),
	    cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, open_both, close_both);
}
