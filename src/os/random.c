#include "os/random.h"

#include <errno.h>
#include <sys/random.h>

void
random_fill(void *into, size_t length)
{
	char *at = into;

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
	static __thread struct random random;
	static __thread bool seeded;

	if (unlikely(!seeded)) {
		random_fill(&random, sizeof(random));
		/* All zero is the one state it cannot leave. */
		random.s[0] |= 1;
		seeded = true;
	}
	return random_next(&random);
}
