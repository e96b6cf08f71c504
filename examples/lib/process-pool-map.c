/*
 * process-pool-map.c - the same function for many inputs, in other processes
 *
 *   cc process-pool-map.c $(pkg-config --cflags --libs weir)
 *
 * The job counts primes, and does not survive the number 13. That is an error
 * of this one job; the pool puts another process in the place of the dead one.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ssize_t
count_primes(const void *in, size_t in_length, void *out, size_t out_capacity)
{
	int below, count = 0;

	if (in_length != sizeof(below) || out_capacity < sizeof(count))
		return -1;
	memcpy(&below, in, sizeof(below));
	if (below == 13)
		abort();
	for (int n = 2; n < below; n++) {
		int divisor = 2;

		while (divisor * divisor <= n && n % divisor != 0)
			divisor++;
		count += divisor * divisor > n;
	}
	memcpy(out, &count, sizeof(count));
	return sizeof(count);
}

static const weir_job_fn jobs[] = {count_primes};
static int inputs[] = {10, 100, 13, 1000, 200000, 20};
#define INPUTS (sizeof(inputs) / sizeof(inputs[0]))

static int
told(void *context, size_t index, const struct weir_job_result *result)
{
	char text[64];
	int count;

	(void)context;
	printf("below %6d: ", inputs[index]);
	if (result->result == sizeof(count)) {
		memcpy(&count, result->out, sizeof(count));
		printf("%d primes\n", count);
	} else {
		printf("its process %s\n",
		    weir_exit_text(&result->exit, text, sizeof(text)));
	}
	return 0;
}

static int
root(void *arg)
{
	struct weir_process_pool_options options = {.process_count = 3};
	struct weir_process_pool *pool;
	struct iovec parts[INPUTS];
	struct weir_process_map map = {.job = 0,
	    .inputs = parts,
	    .count = INPUTS,
	    .each = told,
	    .ordered = true};
	int r;

	(void)arg;
	for (size_t i = 0; i < INPUTS; i++)
		parts[i] = (struct iovec){&inputs[i], sizeof(inputs[i])};
	r = weir_process_pool_new(&options, &pool);
	if (r < 0)
		return r;
	r = weir_process_pool_map(pool, &map, weir_after(60 * WEIR_SECOND));
	weir_process_pool_close(pool);
	return r;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	/* In a process of the pool this serves jobs and does not return. */
	weir_process_pool_child(jobs, 1);
	return weir_run(&options, root, NULL) != 0;
}
