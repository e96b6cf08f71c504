#include "base/counters.h"

static __thread struct counters counters_private;
__thread struct counters *counters_here;

__attribute__((constructor)) static void
counters_main_thread(void)
{
	counters_here = &counters_private;
}

void
counters_use(struct counters *block)
{
	counters_here = block != NULL ? block : &counters_private;
}
