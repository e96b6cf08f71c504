/*
 * process_pool_inner.h - what a pool and its children say to each other
 *
 * A request is a head and its bytes, an answer likewise; both ends are of the
 * same program on the same machine. The child has its end as POOL_CHILD_FD.
 */
#pragma once

#include "base/cc.h"

#define POOL_CHILD_FD       3
#define POOL_CHILD_VARIABLE "WEIR_PROCESS_POOL_CHILD"

struct pool_request {
	uint32_t job;
	uint32_t zero;
	uint64_t length;
	uint64_t out_capacity;
};

struct pool_answer {
	int64_t result; /* and so many bytes behind, when >= 0 */
};
