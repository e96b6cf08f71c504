/*
 * async-sleep.c - a thousand sleepers take as long as the longest
 *
 *   cc async-sleep.c $(pkg-config --cflags --libs weir)
 *
 * A task that sleeps holds no thread: one worker has room for all of them. One
 * after the other they would take 50 seconds.
 */
#include <weir/weir.h>

#include <assert.h>
#include <stdio.h>

#define SLEEPERS 1000

static int
sleeper(void *arg)
{
	return weir_sleep(*(int *)arg * WEIR_MILLISECOND);
}

static int
root(void *arg)
{
	static int ms[SLEEPERS];
	struct weir_scope scope;
	int64_t took_ms, sum_ms = 0;
	weir_time start;

	(void)arg;
	weir_scope_init(&scope, WEIR_NEVER);
	for (int i = 0; i < SLEEPERS; i++) {
		ms[i] = 1 + i % 100;
		sum_ms += ms[i];
		assert(
		    weir_task_start(&scope, "sleeper", sleeper, &ms[i]) == 0);
	}
	/* They begin when this one waits. */
	start = weir_after(0);
	assert(weir_scope_wait(&scope) == 0);
	weir_scope_fini(&scope);
	took_ms = (weir_after(0) - start) / WEIR_MILLISECOND;
	assert(took_ms >= 100 && took_ms < sum_ms / 10);
	printf("%d sleepers, %lld ms of sleep: done after %lld ms\n", SLEEPERS,
	    (long long)sum_ms, (long long)took_ms);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) < 0;
}
