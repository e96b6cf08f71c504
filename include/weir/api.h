/*
 * weir/api.h - what every header of the library begins with
 *
 * Results    0 or more: success; below: -errno, and strerror(-result) says what
 *            that means. -ETIMEDOUT: a deadline came, the call's or the
 *            scope's; -ECANCELED or another error given to
 *            weir_scope_cancel(): the scope of the calling task was stopped.
 *            "Why the task was stopped" means these.
 * Arguments  times are nanoseconds, sizes bytes. ret_x is written on success
 *            alone unless said otherwise. What is given stays the caller's, and
 *            may go when the call has returned, unless said otherwise. A struct
 *            of options is all zero but for what is chosen; "NULL: all zero".
 * Suspends   a function whose comment says so may let other tasks run before
 *            it returns; it is called in a task. What was read from shared
 *            state is stale afterwards; so is errno, which no function here
 *            uses.
 */
#ifndef WEIR_API_H
#define WEIR_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#	define WEIR_API        __attribute__((visibility("default")))
#	define WEIR_MUST_CHECK __attribute__((warn_unused_result))
#else
#	define WEIR_API
#	define WEIR_MUST_CHECK
#endif

#ifdef __cplusplus
#	define WEIR_BEGIN extern "C" {
#	define WEIR_END   }
#else
#	define WEIR_BEGIN
#	define WEIR_END
#endif

#endif
