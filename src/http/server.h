/*
 * server.h - the data plane of a worker process: listeners, connections, the
 * configuration that is live
 *
 * Layer      http
 * Threads    every function is called from a task of worker 0; the work is
 *            spread to the other workers inside
 *
 * A reload is prepare, then commit or abort. Nothing changes for anybody
 * before commit; requests in flight finish on the configuration they began
 * with, connections stay open and use the new one from their next request.
 */
#pragma once

#include "base/cc.h"
#include "base/time.h"
#include "config/snapshot.h"
#include "http/exchange.h"

/*
 * A feature serves one kind of action. The program registers them once,
 * before the first prepare.
 */
struct feature {
	enum config_action action;
	exchange_handler handle;
	/* State the feature keeps per configuration; each may be NULL.
	 * prepare returns 0 or an error that refuses the configuration and
	 * appends why to @why. */
	int (*prepare)(const struct snapshot *snapshot, struct appender *why);
	void (*release)(const struct snapshot *snapshot);
};
#define ACTION_COUNT (ACTION_REDIRECT + 1)
void server_feature_register(const struct feature *feature);

/*
 * server_prepare - make a configuration ready beside the live one
 *
 * @snapshot_take  owned from here on, also on error
 * @fds            listening sockets, snapshot->listener_count x @threads,
 *                 listener-major; -1: none for that thread. They are taken:
 *                 those of a listener that is already served (same address)
 *                 are closed, as are all on error.
 * @why            appended to: the reason of a refusal, one line
 *
 * Returns 0, -ENOMEM, -EBUSY (a prepared one waits), or what a feature said.
 */
SUSPENDS
MUST_CHECK
int server_prepare(struct snapshot *snapshot_take, const int *fds,
    unsigned threads, struct appender *why);
/* Live on every worker when it returns. */
SUSPENDS
void server_commit(void);
void server_abort(void);

/*
 * server_drain - stop accepting, close idle connections, answer what is in
 * flight with Connection: close; return when no connection is left or
 * @deadline has passed (what is left is then cut).
 */
SUSPENDS
void server_drain(instant deadline);

/* On each worker, after the drain: free what it keeps for later requests. */
void server_thread_end(void);
