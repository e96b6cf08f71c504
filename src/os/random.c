#include "os/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static __thread struct random random_here;
static __thread bool random_seeded;
static __thread bool random_repeatable;

void
random_simulate(const uint64_t *seed)
{
	random_repeatable = seed != NULL;
	random_seeded = seed != NULL;
	if (seed != NULL)
		random_seed(&random_here, *seed);
}

static void
random_fill_repeatable(char *at, size_t length)
{
	while (length > 0) {
		uint64_t bits = random_next(&random_here);
		size_t bytes = min_of(length, sizeof(bits));

		memcpy(at, &bits, bytes);
		at += bytes;
		length -= bytes;
	}
}

void
random_fill(void *into, size_t length)
{
	char *at = into;

	if (unlikely(random_repeatable)) {
		random_fill_repeatable(at, length);
		return;
	}
	while (length > 0) {
		ssize_t got = getrandom(at, length, 0);

		if (got < 0) {
			/* EFAULT and ENOSYS are our own mistake or a kernel
			 * that cannot run this program. */
			must(errno == EINTR);
			continue;
		}
		at += got;
		length -= (size_t)got;
	}
}

uint64_t
random_u64(void)
{
	if (unlikely(!random_seeded)) {
		random_fill(&random_here, sizeof(random_here));
		/* All zero is the one state it cannot leave. */
		random_here.s[0] |= 1;
		random_seeded = true;
	}
	return random_next(&random_here);
}
