/*
 * deployment.h - a configuration at work: the snapshot and what is built on it
 *
 * Layer      http
 * Threads    made on worker 0; immutable afterwards but for its use counts
 * Memory     freed when it is no worker's current one and the last exchange
 *            on it has ended, and every worker has since looked through its
 *            inbox
 * Invariant  uses[w] is written by worker w alone
 */
#pragma once

#include <stdatomic.h>

#include "config/snapshot.h"
#include "http/router.h"
#include "net/upstream.h"
#include "runtime/runtime.h"

#define LISTENERS_MAX 256

struct deployment_use {
	uint32_t exchanges;
	bool left;
	struct inbox_item barrier;
	struct deployment *deployment;
} __attribute__((aligned(64)));

struct deployment {
	struct snapshot *snapshot;
	struct router router;
	struct upstream_pool **pools; /* by config_pool.index */
	/* Index in the snapshot by listener id (listener.h), -1: not there. */
	int16_t listener_of[LISTENERS_MAX];
	struct deployment_use uses[RUNTIME_WORKERS_MAX];
	_Atomic unsigned workers_in; /* have not left */
	_Atomic unsigned barriers; /* still to run before it is freed */
	void (*released)(struct deployment *deployment);
};

/* @released  called on some worker's loop just before it is freed
 * Returns 0, -ENOMEM, -ENOENT (a server without a verdict slot). Takes the
 * snapshot on success only. */
MUST_CHECK
int deployment_new(struct snapshot *snapshot,
    void (*released)(struct deployment *), struct deployment **ret);
/* One that never became current. */
void deployment_discard(struct deployment *deployment);

/* The calling worker's current one; NULL before the first commit. */
struct deployment *deployment_current(void);
/* Make it the calling worker's current one; NULL: none any more. */
void deployment_enter(struct deployment *deployment);

static inline void
deployment_use(struct deployment *deployment)
{
	deployment->uses[worker_self()].exchanges++;
}
void deployment_unuse(struct deployment *deployment);
