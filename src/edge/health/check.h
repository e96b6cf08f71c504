/*
 * check.h - one look at one server
 *
 * Layer      edge, health only
 */
#pragma once

#include "edge/health/target.h"
#include "runtime/io.h"

enum check_outcome {
	OUTCOME_PASSED,
	OUTCOME_FAILED,
	/* We were stopped or lack something: nothing is known of the server. */
	OUTCOME_NONE,
};

#define CHECK_ADDRESSES_MAX 8

/* What the name of a server stood for when it was last looked up. */
struct check_addresses {
	instant resolved;
	unsigned count; /* 0: not looked up yet */
	struct sockaddr_storage known[CHECK_ADDRESSES_MAX];
};

/*
 * check_run - connect to the server and, with CHECK_HTTP, ask it
 *
 * @addresses  kept between checks of the same server, zeroed at first
 * @reason     appended: why, in a few words
 *
 * A server with several addresses is asked at the first that accepts a
 * connection. The timeout of the check covers all of it.
 */
SUSPENDS
enum check_outcome check_run(const struct health_target *target,
    struct check_addresses *addresses, struct appender *reason);

/* The part of it that speaks HTTP, on a connection. */
SUSPENDS
enum check_outcome check_http(const struct health_target *target,
    struct io_fd *io, instant deadline, struct appender *reason);

/* @what, then the timeout: "1 s", "250 ms". */
void check_say_timeout(const struct health_target *target, const char *what,
    struct appender *reason);
