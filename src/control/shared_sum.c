#include "control/shared_sum.h"

/* Blocks of counters are nothing but words. */
_Static_assert(sizeof(struct counters) % sizeof(uint64_t) == 0, "words");
_Static_assert(sizeof(struct server_counters) % sizeof(uint64_t) == 0, "words");

static void
sum_words(void *sum, const void *block, size_t bytes)
{
	uint64_t *to = sum;
	const uint64_t *from = block;

	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static unsigned
sum_threads(void)
{
	return min_of((unsigned)atomic_load(&shared->worker_threads),
	    (unsigned)RUNTIME_WORKERS_MAX);
}

void
counters_sum(struct counters *ret_sum)
{
	memset(ret_sum, 0, sizeof(*ret_sum));
	for (unsigned t = 0; t < sum_threads(); t++)
		sum_words(ret_sum, &shared->threads[t], sizeof(*ret_sum));
}

void
server_counters_sum(int slot, struct server_counters *ret_sum)
{
	memset(ret_sum, 0, sizeof(*ret_sum));
	for (unsigned t = 0; t < sum_threads(); t++)
		sum_words(ret_sum, &shared->servers[t][slot], sizeof(*ret_sum));
}

bool
verdict_key(int slot, struct bytes *ret_pool, struct bytes *ret_server)
{
	const struct verdict *v = &shared->verdicts[slot];
	struct bytes key;

	if (atomic_load(&v->used) == 0)
		return false;
	key = bytes_of(v->key, strnlen(v->key, sizeof(v->key)));
	*ret_server = key;
	return bytes_split(ret_server, '/', ret_pool);
}
