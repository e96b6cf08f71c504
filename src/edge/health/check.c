/*
 * check.c - one look at one server: name, connection, question
 *
 * Whose fault a failure is decides what becomes of it: what the server or the
 * way there did is OUTCOME_FAILED; being stopped, or lacking descriptors or
 * memory, is OUTCOME_NONE and changes no verdict.
 */
#include "edge/health/check.h"

#include <errno.h>

#include "base/error.h"
#include "net/dial.h"
#include "net/resolve.h"
#include "runtime/runtime.h"

void
check_say_timeout(const struct health_target *target, const char *what,
    struct appender *reason)
{
	int64_t ms = duration_to_ms(target->check.timeout);

	append_text(reason, what);
	append_u64(reason, (uint64_t)(ms % 1000 == 0 ? ms / 1000 : ms));
	append_text(reason, ms % 1000 == 0 ? " s" : " ms");
}

static enum check_outcome
check_unresolved(
    const struct health_target *target, int error, struct appender *reason)
{
	if (task_cancelled() < 0)
		return OUTCOME_NONE;
	append_literal(reason, "look up ");
	append_bytes(reason,
	    bytes_of(target->address.name.at,
		min_of(target->address.name.length, (size_t)40)));
	append_literal(reason, ": ");
	if (error == -ETIMEDOUT) {
		check_say_timeout(target, "no answer in ", reason);
		return OUTCOME_FAILED;
	}
	append_text(reason, error_text(error));
	return error == E_NO_ADDRESS || error == E_RESOLVER_FAILED ||
		error == E_RESOLVER_TIMEOUT
	    ? OUTCOME_FAILED
	    : OUTCOME_NONE;
}

/* The addresses to try. A look-up that fails leaves those that are known. */
static enum check_outcome
check_resolve(const struct health_target *target,
    struct check_addresses *addresses, instant deadline,
    struct appender *reason)
{
	int r;

	if (target->address.length != 0) {
		addresses->known[0] = target->address.socket;
		addresses->count = 1;
		return OUTCOME_PASSED;
	}
	if (addresses->count != 0 &&
	    instant_before(runtime_now(),
		instant_after(addresses->resolved, target->resolve_every)))
		return OUTCOME_PASSED;
	r = resolve_name(target->address.name, target->address.port,
	    addresses->known, CHECK_ADDRESSES_MAX, &addresses->count, deadline);
	addresses->resolved = runtime_now();
	if (r == 0 || addresses->count != 0)
		return OUTCOME_PASSED;
	return check_unresolved(target, r, reason);
}

static enum check_outcome
check_unconnected(const struct health_target *target, int error, int os_error,
    struct appender *reason)
{
	append_literal(reason, "connect: ");
	if (error == E_CONNECT_TIMEOUT)
		check_say_timeout(target, "no answer in ", reason);
	else if (error == E_CONNECT_FAILED)
		append_text(reason, error_text(-os_error));
	else
		append_text(reason, error_text(error));
	return error == E_CONNECT_TIMEOUT || error == E_CONNECT_FAILED
	    ? OUTCOME_FAILED
	    : OUTCOME_NONE;
}

/* An address that does not answer may use its share of the time only. */
static instant
check_share(instant deadline, unsigned addresses_left)
{
	duration left = instant_since(deadline, runtime_now());

	return instant_after(
	    runtime_now(), duration_ns(left.ns / addresses_left));
}

static enum check_outcome
check_connect(const struct health_target *target,
    const struct check_addresses *addresses, struct io_fd *io, instant deadline,
    struct appender *reason)
{
	int r = E_CONNECT_FAILED, os_error = 0;

	for (unsigned i = 0; i < addresses->count; i++) {
		const struct sockaddr_storage *to = &addresses->known[i];
		socklen_t length = target->address.length != 0
		    ? target->address.length
		    : resolve_address_length(to);

		r = dial(io, (const struct sockaddr *)to, length,
		    &(struct dial_options){0},
		    check_share(deadline, addresses->count - i), &os_error);
		if (r == 0)
			return OUTCOME_PASSED;
		if (r != E_CONNECT_TIMEOUT && r != E_CONNECT_FAILED)
			break;
	}
	return check_unconnected(target, r, os_error, reason);
}

enum check_outcome
check_run(const struct health_target *target, struct check_addresses *addresses,
    struct appender *reason)
{
	instant deadline = instant_after(runtime_now(), target->check.timeout);
	enum check_outcome outcome;
	struct io_fd io;

	outcome = check_resolve(target, addresses, deadline, reason);
	if (outcome != OUTCOME_PASSED)
		return outcome;
	outcome = check_connect(target, addresses, &io, deadline, reason);
	if (outcome != OUTCOME_PASSED)
		return outcome;
	if (target->check.kind == CHECK_HTTP)
		outcome = check_http(target, &io, deadline, reason);
	else
		append_literal(reason, "accepts connections");
	io_close(&io);
	return outcome;
}
