/*
 * cc.h - what the compiler is told, and the assertions of the house
 *
 * Layer      base
 * Sources    STYLE: assertions; gcc and clang attribute manuals
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN          __attribute__((noreturn))
#define COLD              __attribute__((cold, noinline))
#define NOINLINE          __attribute__((noinline))

/*
 * SUSPENDS marks a function that may switch to another task before it
 * returns. Whatever its caller read from shared state is stale afterwards.
 */
#define SUSPENDS

#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)

#define array_count(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member)                                        \
	((type *)((char *)(ptr)-offsetof(type, member)))

#define min_of(a, b)                                                           \
	({                                                                     \
		__typeof__(a) a_ = (a);                                        \
		__typeof__(b) b_ = (b);                                        \
		a_ < b_ ? a_ : b_;                                             \
	})
#define max_of(a, b)                                                           \
	({                                                                     \
		__typeof__(a) a_ = (a);                                        \
		__typeof__(b) b_ = (b);                                        \
		a_ > b_ ? a_ : b_;                                             \
	})

/*
 * must(x) is always on, evaluates x once, and ends the process with a dump
 * when x is false: the manager restarts a role that died. Only our own
 * mistakes may trip it, never a peer.
 *
 * must_slow(x) is for checks that may cost O(n): on when WEIR_SLOW_CHECKS is
 * set (tests, fuzzers, sanitizers), not evaluated otherwise.
 *
 * never(x) guards a branch that we believe is dead: it ends the process when
 * WEIR_SLOW_CHECKS is set; in release it counts and says whether x held.
 */
#define must(x)                                                                \
	(likely(x) ? (void)0 : must_failed(#x, __FILE__, __LINE__, __func__))
#ifdef WEIR_SLOW_CHECKS
#	define must_slow(x) must(x)
#	define never(x)                                                       \
		(unlikely(x) ? (must_failed("never: " #x, __FILE__, __LINE__,  \
				    __func__),                                 \
				   true)                                       \
			     : false)
#else
#	define must_slow(x) ((void)sizeof(!(x)))
#	define never(x)     (unlikely(x) ? (never_happened(), true) : false)
#endif

COLD NORETURN void must_failed(
    const char *expression, const char *file, int line, const char *function);
COLD void never_happened(void);

/*
 * Called by must_failed() before it aborts, to add what the layers above know
 * (the task, its stack). Must be async-signal-safe; NULL for none.
 */
extern void (*must_failed_hook)(int fd);
