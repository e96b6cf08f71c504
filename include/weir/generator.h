/*
 * weir/generator.h - a function that hands out values one at a time
 *
 *	static int
 *	squares(struct weir_generator *generator, void *arg)
 *	{
 *		for (intptr_t i = 0; i < 10; i++) {
 *			int error = weir_generator_yield(
 *			    generator, (void *)(i * i), NULL);
 *			if (error < 0)
 *				return error;
 *		}
 *		return 0;
 *	}
 *
 * The body runs on a stack of its own, and only while its owner, the task that
 * called weir_generator_init(), waits in weir_generator_next(): like a call
 * that goes back and forth. It may suspend, also on I/O, it is stopped when its
 * owner is, and it may have generators of its own.
 */
#ifndef WEIR_GENERATOR_H
#define WEIR_GENERATOR_H

#include <weir/api.h>

WEIR_BEGIN

/* In the caller's memory, in place until weir_generator_fini(). */
struct weir_generator {
	uint64_t opaque[32];
};

typedef int (*weir_generator_fn)(struct weir_generator *generator, void *arg);

/* By the task that owns it from here on. @body does not run yet. */
WEIR_API void weir_generator_init(
    struct weir_generator *generator, weir_generator_fn body, void *arg);

/*
 * Suspends the owner until the body yields or ends. @sent is what the body's
 * yield returns (the first one, before there is a yield, is not seen);
 * *@ret_value is what it yields.
 *
 * Returns 1: a value. 0: the body has ended. Else the error that the body
 * ended with, or its start failed with (-EAGAIN, -ENOMEM), or why the owner was
 * stopped; -EPERM: not called by the owner.
 */
WEIR_API WEIR_MUST_CHECK int weir_generator_next(
    struct weir_generator *generator, void *sent, void **ret_value);

/*
 * For the body: hands out @value and waits for the next call of the owner;
 * *@ret_sent (may be NULL) is what that sends.
 *
 * Returns 0; -ECANCELED: nobody wants more, clean up and return; -EPERM: not
 * called by the body.
 */
WEIR_API WEIR_MUST_CHECK int weir_generator_yield(
    struct weir_generator *generator, void *value, void **ret_sent);

/*
 * By the owner, once. A body that has not ended sees its yield fail and is
 * waited for; one that has not begun never runs. Suspends.
 *
 * Returns what the body returned, 0 if it never ran; -EPERM.
 */
WEIR_API int weir_generator_fini(struct weir_generator *generator);

WEIR_END

#endif
