/*
 * weir/api.h - what every header of the library begins with
 *
 * Results    0 or more: success; below: -errno. -ETIMEDOUT: a deadline came,
 *            the call's or the scope's; -ECANCELED or another error given to
 *            weir_scope_cancel(): the scope of the calling task was stopped.
 * Suspends   a function whose comment says so may let other tasks run before
 *            it returns. What was read from shared state is stale afterwards;
 *            so is errno, which no function here uses.
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
