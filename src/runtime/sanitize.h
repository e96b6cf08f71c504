/*
 * sanitize.h - telling ASan, TSan and valgrind which stack is in use
 *
 * Layer      runtime, inside only
 * Cost       nothing in a build without them, but one load for valgrind's
 *            registration when a slot is used for the first time
 */
#pragma once

#include "base/cc.h"

#ifdef __has_feature
#	if __has_feature(address_sanitizer)
#		define SANITIZE_ADDRESS 1
#	endif
#	if __has_feature(thread_sanitizer)
#		define SANITIZE_THREAD 1
#	endif
#endif
#ifdef __SANITIZE_ADDRESS__
#	define SANITIZE_ADDRESS 1
#endif
#ifdef __SANITIZE_THREAD__
#	define SANITIZE_THREAD 1
#endif

#ifdef SANITIZE_ADDRESS
#	include <sanitizer/asan_interface.h>
#	include <sanitizer/common_interface_defs.h>
#endif
#ifdef SANITIZE_THREAD
#	include <sanitizer/tsan_interface.h>
#endif
#ifdef HAVE_VALGRIND
#	include <valgrind/valgrind.h>
#endif

/* Something that has a stack: a task, or the loop of a worker. */
struct context {
	void *sp;
#ifdef SANITIZE_ADDRESS
	const void *bottom;
	size_t bytes;
	void *fake_stack;
#endif
#ifdef SANITIZE_THREAD
	void *fiber;
	unsigned begun; /* how often it has begun anew */
#endif
};

/* A TSan fiber remembers 64 K frames and does not look whether they are more.
 * What has not returned when a task ends stays among them: a handful. */
#define SANITIZE_BEGUN_MAX 2048

/* @memory is about to become, or was, a stack: no red zones of old frames. */
static inline void
sanitize_stack_reset(void *memory, size_t bytes)
{
#ifdef SANITIZE_ADDRESS
	__asan_unpoison_memory_region(memory, bytes);
#endif
	(void)memory;
	(void)bytes;
}

static inline void
sanitize_stack_register(void *memory, size_t bytes)
{
#ifdef HAVE_VALGRIND
	(void)VALGRIND_STACK_REGISTER(memory, (char *)memory + bytes);
#endif
	(void)memory;
	(void)bytes;
}

static inline bool
sanitize_on_valgrind(void)
{
#ifdef HAVE_VALGRIND
	return RUNNING_ON_VALGRIND;
#else
	return false;
#endif
}

/* @context gets a stack of @bytes from @bottom up. A TSan fiber is kept for the
 * next tasks of the slot: a new one takes most of a millisecond. */
static inline void
sanitize_context_init(struct context *context, void *bottom, size_t bytes)
{
#ifdef SANITIZE_ADDRESS
	context->bottom = bottom;
	context->bytes = bytes;
	context->fake_stack = NULL;
#endif
#ifdef SANITIZE_THREAD
	if (context->fiber != NULL && context->begun == SANITIZE_BEGUN_MAX) {
		__tsan_destroy_fiber(context->fiber);
		context->fiber = NULL;
	}
	if (context->fiber == NULL) {
		context->fiber = __tsan_create_fiber(0);
		context->begun = 0;
	}
	context->begun++;
#endif
	(void)context;
	(void)bottom;
	(void)bytes;
}

/* @context stands for the thread that calls. */
void sanitize_context_thread(struct context *context);

/* A TSan fiber goes with its slot. */
static inline void
sanitize_context_fini(struct context *context)
{
#ifdef SANITIZE_THREAD
	if (context->fiber != NULL)
		__tsan_destroy_fiber(context->fiber);
	context->fiber = NULL;
#endif
	(void)context;
}

/* Just before the switch. @ends: @from will never run again. */
static inline void
sanitize_switch_start(struct context *from, struct context *to, bool ends)
{
#ifdef SANITIZE_ADDRESS
	__sanitizer_start_switch_fiber(
	    ends ? NULL : &from->fake_stack, to->bottom, to->bytes);
#endif
#ifdef SANITIZE_THREAD
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
	(void)from;
	(void)to;
	(void)ends;
}

/* First thing on the stack of @here. */
static inline void
sanitize_switch_finish(struct context *here)
{
#ifdef SANITIZE_ADDRESS
	__sanitizer_finish_switch_fiber(here->fake_stack, NULL, NULL);
#endif
	(void)here;
}
