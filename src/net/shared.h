/*
 * shared.h - the memory that the roles share: verdicts and counters
 *
 * Layer      net
 * Threads    each field names its writer; readers take no lock
 * Memory     one memfd, mapped by every role, sparse: touched as it is used.
 *            It outlives a role, so a restarted worker finds the verdicts.
 * Limits     SHARED_SERVERS_MAX servers over all pools; a configuration with
 *            more is refused by the manager
 *
 * The verdict table is the one truth of health: `health` writes the active
 * state, workers add passive evidence, the manager writes what the operator
 * asked for, and everybody asks verdict_usable().
 */
#pragma once

#include <stdatomic.h>

#include "base/bytes.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/time.h"
#include "policy/health_state.h"
#include "runtime/runtime.h"

#define SHARED_SERVERS_MAX  4096
#define SHARED_KEY_BYTES    192 /* "pool/server" */
#define SHARED_REASON_BYTES 96
#define SHARED_ROLES_MAX    8

enum verdict_admin { ADMIN_READY, ADMIN_DRAINED, ADMIN_DOWN };

/* Counters of one server in one worker thread; the thread is the writer. */
struct server_counters {
	uint64_t requests;
	uint64_t failures; /* no usable answer */
	uint64_t retries; /* requests that left for another server */
	uint64_t connects;
	uint64_t responses[6]; /* by class; [0] other */
	uint64_t bytes_out, bytes_in; /* to and from the server */
	uint64_t latency_sum_us; /* to the head of the answer */
} __attribute__((aligned(64)));

struct verdict {
	/* manager; key[0] == 0: free. Written before `used` is set. */
	char key[SHARED_KEY_BYTES];
	_Atomic uint32_t used;
	_Atomic uint32_t admin; /* enum verdict_admin */
	_Atomic uint32_t weight; /* operator's; UINT32_MAX: configuration's */

	/* health: the last note is notes[sequence % 2]; the next is written
	 * into the other one and then made the last, so that a writer that
	 * dies or sleeps half-way holds nobody up. */
	_Atomic uint32_t sequence;
	_Atomic uint32_t state; /* enum health_state, as in the last note */
	_Atomic int64_t since_ns; /* CLOCK_MONOTONIC of the last change */
	struct verdict_note {
		int64_t since_ns;
		uint64_t state;
		char reason[SHARED_REASON_BYTES];
	} notes[2];
	_Atomic uint64_t checks, check_failures;

	/* workers, any thread: passive evidence and load */
	_Atomic uint32_t failures_in_row __attribute__((aligned(64)));
	_Atomic uint32_t ejections_in_row;
	_Atomic int64_t ejected_until_ns; /* 0: not ejected */
	_Atomic int64_t trial_until_ns; /* one request has the trial so long */
	_Atomic uint32_t in_flight;
} __attribute__((aligned(64)));

/* What the manager knows of a role, for status and metrics. */
struct role_state {
	char name[16];
	_Atomic int32_t pid; /* 0: not running */
	_Atomic uint32_t restarts;
	_Atomic int64_t started_ns;
	_Atomic int32_t last_exit; /* wait status of the last end */
};

struct shared {
	uint32_t magic;
	uint32_t bytes;
	_Atomic uint64_t config_version;
	_Atomic int64_t config_loaded_wall_ns;
	_Atomic uint32_t reloads_ok, reloads_failed;
	_Atomic uint32_t draining; /* set: answer with Connection: close */
	_Atomic uint32_t worker_threads;
	_Atomic uint64_t worker_backend; /* 8 characters of its name */
	/* manager: slots below this were claimed at some time */
	_Atomic uint32_t verdict_count;
	uint32_t verdict_claim_next;
	int64_t started_wall_ns;
	struct hash_key hash_key; /* for what clients choose, in all roles */
	struct role_state roles[SHARED_ROLES_MAX];
	struct counters threads[RUNTIME_WORKERS_MAX];
	struct verdict verdicts[SHARED_SERVERS_MAX];
	struct server_counters servers[RUNTIME_WORKERS_MAX][SHARED_SERVERS_MAX];
};

/* The mapping of this process; NULL before shared_map(). */
extern struct shared *shared;

/* A new one, in a memfd (close-on-exec). Returns the descriptor or -errno. */
MUST_CHECK
int shared_create(void);
/* Map it and set `shared`. Returns 0 or -errno (-EINVAL: not ours). */
MUST_CHECK
int shared_map(int fd);
/* A private mapping without a descriptor, for tests and tools. */
MUST_CHECK
int shared_map_private(void);

/* manager: the slot of "pool/server", claimed if it is new. A slot that was
 * released is used again as late as possible: others may still hold it.
 * Returns the index, -ENOSPC, or -ENAMETOOLONG (SHARED_KEY_BYTES). */
MUST_CHECK
int verdict_claim(struct bytes pool, struct bytes server);
/* manager: no server of the configuration has this slot any more. */
void verdict_release(int slot);
/* Any role: the slot, or -ENOENT. */
int verdict_find(struct bytes pool, struct bytes server);
/* Whether the slot still is that of "pool/server". */
bool verdict_is(int slot, struct bytes pool, struct bytes server);

/* health: publish a state with its reason (cut at SHARED_REASON_BYTES).
 * One thread of one process at a time. */
void verdict_publish(
    int slot, enum health_state state, const char *reason, instant now);
/* A consistent copy of state, since and reason. */
struct verdict_view {
	enum health_state state;
	enum verdict_admin admin;
	instant since;
	bool ejected;
	uint32_t in_flight;
	char reason[SHARED_REASON_BYTES];
};
void verdict_read(int slot, instant now, struct verdict_view *ret_view);

/* workers: may this server get a request now? An unknown state counts as up
 * only when the pool has no active check. */
bool verdict_usable(int slot, bool checked, instant now);
/* workers: where no server is usable: may an ejected one be tried before its
 * time? Its server may be back long before that. */
bool verdict_triable(int slot, bool checked, instant now);
/* workers: a usable server was chosen and a request is about to go there.
 * After an ejection one request at a time is let through, until one succeeds;
 * false: another has the trial just now, choose another server. A trial that
 * ends without evidence is free again after VERDICT_TRIAL. */
#define VERDICT_TRIAL duration_s(1)
bool verdict_try(int slot, instant now);
/* workers: a request succeeded or failed (no usable answer, or 5xx when it is
 * counted). Returns true when this failure ejected the server. */
void verdict_success(int slot);
bool verdict_failure(int slot, const struct ejection *ejection, instant now);
