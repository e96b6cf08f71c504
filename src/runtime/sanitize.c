#include "runtime/sanitize.h"

#include <pthread.h>

void
sanitize_context_thread(struct context *context)
{
#ifdef SANITIZE_ADDRESS
	pthread_attr_t attr;
	void *bottom;

	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &bottom, &context->bytes);
		context->bottom = bottom;
		pthread_attr_destroy(&attr);
	}
	context->fake_stack = NULL;
#endif
#ifdef SANITIZE_THREAD
	context->fiber = __tsan_get_current_fiber();
#endif
	(void)context;
}
