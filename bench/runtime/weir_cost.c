/*
 * weir_cost.c - what an operation of libweir costs: OPERATION COUNT
 */
#include <weir/weir.h>

#include "cost.h"

static long count;

static int
yielder(void *arg)
{
	for (long i = 0; i < *(long *)arg; i++) {
		if (weir_yield() < 0)
			return -ECANCELED;
	}
	return 0;
}

static int
cost_yield(long tasks)
{
	long turns = count / tasks;
	struct weir_scope scope;
	double start;
	int r = 0;

	weir_scope_init(&scope, WEIR_NEVER);
	start = cost_cpu_ns();
	for (long i = 0; i < tasks && r == 0; i++)
		r = weir_task_start(&scope, "yield", yielder, &turns);
	if (r == 0)
		r = weir_scope_wait(&scope);
	cost_print(start, (double)turns * (double)tasks);
	weir_scope_fini(&scope);
	return r;
}

static int
cost_yield_two(void)
{
	return cost_yield(2);
}

static int
cost_yield_many(void)
{
	return cost_yield(1000);
}

static int
nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int
cost_spawn(void)
{
	struct weir_scope scope;
	double start;
	int r = 0;

	weir_scope_init(&scope, WEIR_NEVER);
	start = cost_cpu_ns();
	for (long i = 0; i < count && r == 0; i++) {
		r = weir_task_start(&scope, "nothing", nothing, NULL);
		if (r == 0)
			r = weir_scope_wait(&scope);
	}
	cost_print(start, (double)count);
	weir_scope_fini(&scope);
	return r;
}

static int
sender(void *arg)
{
	for (long i = 0; i < count; i++) {
		int r = weir_channel_send(arg, &i, WEIR_NEVER);

		if (r < 0)
			return r;
	}
	weir_channel_close(arg);
	return 0;
}

static int
cost_channel(uint32_t capacity)
{
	const struct weir_channel_options options = {
	    .item_bytes = sizeof(long), .capacity = capacity};
	struct weir_channel *channel;
	struct weir_scope scope;
	double start;
	long item, got = 0;
	int r = weir_channel_new(&options, &channel);

	if (r < 0)
		return r;
	weir_scope_init(&scope, WEIR_NEVER);
	start = cost_cpu_ns();
	r = weir_task_start(&scope, "sender", sender, channel);
	while (r == 0) {
		r = weir_channel_recv(channel, &item, WEIR_NEVER);
		got += r == 0;
	}
	cost_print(start, (double)count);
	weir_scope_fini(&scope);
	weir_channel_unref(channel);
	return r == -EPIPE && got == count ? 0 : -EPROTO;
}

static int
cost_channel_meet(void)
{
	return cost_channel(0);
}

static int
cost_channel_buffer(void)
{
	return cost_channel(1024);
}

static int
parked(void *arg)
{
	volatile char frame[256];

	(void)arg;
	frame[0] = 1;
	return weir_sleep_until(WEIR_NEVER) + frame[0];
}

static int
cost_parked(void)
{
	long rss = cost_status_kb("VmRSS"), tables = cost_status_kb("VmPTE");
	struct weir_scope scope;
	int r = 0;

	weir_scope_init(&scope, WEIR_NEVER);
	for (long i = 0; i < count && r == 0; i++)
		r = weir_task_start(&scope, "parked", parked, NULL);
	if (r == 0)
		r = weir_yield();
	cost_print_parked(rss, tables, count);
	weir_scope_fini(&scope);
	return r;
}

static int
counter(struct weir_generator *generator, void *arg)
{
	int r = 0;

	for (intptr_t i = 0; r == 0 && i < count; i++)
		r = weir_generator_yield(generator, (void *)i, arg);
	return r;
}

static int
cost_generator(void)
{
	struct weir_generator generator;
	double start = cost_cpu_ns();
	long got = 0;
	void *value;
	int r;

	weir_generator_init(&generator, counter, NULL);
	while ((r = weir_generator_next(&generator, NULL, &value)) == 1)
		got++;
	cost_print(start, (double)count);
	weir_generator_fini(&generator);
	return r == 0 && got == count ? 0 : -EPROTO;
}

/* How long the worker stands still for a child, beside much memory. */
static int
cost_start(void)
{
	char *argv[] = {(char *)"/bin/true", NULL};
	struct weir_process_options options = {.argv = argv};
	double ns = 0;
	int r = 0;

	cost_fill();
	for (long i = 0; i < count && r == 0; i++) {
		struct weir_process *process;
		struct weir_exit end;
		double start = cost_wall_ns();

		r = weir_process_start(&options, &process, NULL);
		ns += cost_wall_ns() - start;
		if (r == 0)
			r = weir_process_wait(process, &end, WEIR_NEVER);
		if (r == 0)
			weir_process_drop(process);
	}
	printf("%.3f\n", ns / (double)count);
	return r;
}

static void
timer_fired(struct weir_timer *timer)
{
	(void)timer;
}

static int
cost_timer(void)
{
	static struct weir_timer timers[64];
	weir_time now = weir_now();
	double start;

	for (int i = 0; i < 64; i++)
		weir_timer_init(&timers[i], timer_fired);
	start = cost_cpu_ns();
	for (long i = 0; i < count; i++)
		weir_timer_start(&timers[i % 64],
		    now + (1000 + i % 59000) * WEIR_MILLISECOND);
	cost_print(start, (double)count);
	for (int i = 0; i < 64; i++)
		weir_timer_stop(&timers[i]);
	return 0;
}

static const struct operation {
	const char *name;
	int (*run)(void);
} operations[] = {
    {"yield", cost_yield_two},
    {"yield-1000", cost_yield_many},
    {"spawn", cost_spawn},
    {"channel", cost_channel_meet},
    {"channel-1024", cost_channel_buffer},
    {"generator", cost_generator},
    {"start", cost_start},
    {"timer", cost_timer},
    {"parked", cost_parked},
};

static int
root(void *arg)
{
	return ((const struct operation *)arg)->run();
}

int
main(int argc, char **argv)
{
	struct weir_options options = {
	    .worker_count = 1, .stall_ns = -1, .task_count_max = 1100000};

	if (argc == 3)
		count = strtol(argv[2], NULL, 10);
	for (size_t i = 0;
	     count > 0 && i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (strcmp(operations[i].name, argv[1]) == 0)
			return weir_run(
				   &options, root, (void *)&operations[i]) < 0;
	}
	fprintf(stderr, "usage: weir-cost OPERATION COUNT\n");
	return 2;
}
