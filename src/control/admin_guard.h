/*
 * admin_guard.h - who may ask over TCP
 *
 * Layer      control
 * Sources    RFC 6454 (Origin), RFC 6750 §2.1 (Bearer); DNS rebinding is what
 *            the check of Host is for: a page of evil.example whose name was
 *            turned to 127.0.0.1 still sends Host: evil.example
 */
#pragma once

#include "base/bytes.h"

/* "localhost", 127.0.0.0/8, "::1" with or without brackets. */
bool guard_host_is_loopback(struct bytes host);

/* Whether @origin is that of a page served by us: http:// and @authority. */
bool guard_origin_is_ours(struct bytes origin, struct bytes authority);

/*
 * Whether @authorization is "Bearer " and @token; false for an empty token.
 * The time depends on the lengths alone.
 */
bool guard_token_matches(struct bytes token, struct bytes authorization);
