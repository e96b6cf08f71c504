/*
 * explore.h - every order in which a few threads can take their steps
 *
 * For tests. A source whose atomic operations are those of step.h is included
 * after this header; they then are steps of a simulated thread. explore_run()
 * runs the threads again and again, once for each order of their steps that
 * needs at most a number of preemptions, depth first.
 *
 * Memory is that of x86: what a thread stores without sequential consistency
 * stays in a buffer of its own until the explorer, at any later time, lets it
 * out, in order; exchanges and sequentially consistent stores empty it first.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS_MAX 4

struct explore_case {
	void (*setup)(void); /* before each run */
	void (*threads[EXPLORE_THREADS_MAX])(void);
	void (*enter)(unsigned thread); /* before it goes on; or NULL */
	void (*check)(void); /* after each, when all threads have ended */
	unsigned thread_count;
	unsigned preemptions; /* of a thread that could go on */
	bool weak; /* every store may stay in the buffer */
	bool strong; /* none does */
};

/* The number of runs. explore_failure is NULL, or says what went wrong in the
 * last one; explore_order then holds its choices. */
unsigned long explore_run(const struct explore_case *c);
extern const char *explore_failure;
extern char explore_order[512];

/* In a thread. */
unsigned explore_self(void);
void explore_step(void); /* others may go first */
void explore_wait(const bool *flag); /* until it is true */
unsigned explore_choose(unsigned count); /* each of 0 to @count - 1 */
void explore_fail(const char *why); /* does not return */
#define explore_assert(x) ((x) ? (void)0 : explore_fail("not true: " #x))

uint64_t explore_load(const volatile void *at, size_t bytes);
void
explore_store(volatile void *at, size_t bytes, uint64_t value, bool sequential);
void explore_drain(void);
void explore_changed(void); /* memory, by a step of another kind */
/* Until somebody else has taken a step that changes memory. */
void explore_spin(void);

#define step_load(at, order)                                                   \
	((__typeof__(atomic_load(at)))(uintptr_t)explore_load(                 \
	    (at), sizeof(*(at))))
#define step_store(at, value, order)                                           \
	explore_store((at), sizeof(*(at)), (uint64_t)(uintptr_t)(value),       \
	    (order) == memory_order_seq_cst)
#define step_exchange(at, value, order)                                        \
	({                                                                     \
		__typeof__(atomic_load(at)) old_;                              \
		explore_step();                                                \
		explore_drain();                                               \
		old_ = atomic_exchange((at), (value));                         \
		if (old_ != (value))                                           \
			explore_changed();                                     \
		old_;                                                          \
	})
#define step_compare_exchange(at, expected, value, order)                      \
	({                                                                     \
		bool done_;                                                    \
		explore_step();                                                \
		explore_drain();                                               \
		done_ =                                                        \
		    atomic_compare_exchange_strong((at), (expected), (value)); \
		if (done_)                                                     \
			explore_changed();                                     \
		done_;                                                         \
	})
#define step_spin(at) explore_spin()
