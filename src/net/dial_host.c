#include "net/dial_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/resolve.h"
#include "os/socket.h"
#include "runtime/runtime.h"

#define RACE_RESOLUTION_DELAY duration_ms(50)
#define RACE_ATTEMPT_DELAY    duration_ms(250)
#define RACE_ATTEMPTS_MAX     (2 * DIAL_HOST_ADDRESSES_MAX)

struct race;

struct race_attempt {
	struct race *race;
	struct net_address address;
	struct io_fd io;
	int result; /* 1: under way */
	int os_error;
};

/* The addresses of one family: found so far, tried so far. */
struct race_family {
	struct race *race;
	int family;
	bool resolving;
	int result;
	unsigned count, tried;
	struct net_address addresses[DIAL_HOST_ADDRESSES_MAX];
	struct resolve_error error;
};

struct race {
	struct bytes host;
	uint16_t port;
	const struct dial_host_options *options;
	instant deadline;
	struct scope scope;
	struct task *waiter; /* whoever wants to be told of news */
	struct race_family families[2]; /* IPv6, IPv4 */
	unsigned turn; /* the family whose address is next */
	instant next_attempt;
	instant ipv6_until; /* it may yet be begun with */
	unsigned attempt_count, live;
	struct race_attempt *winner;
	struct race_attempt attempts[RACE_ATTEMPTS_MAX];
};

static void
race_tell(struct race *race)
{
	if (race->waiter != NULL)
		task_wake(race->waiter);
}

static int
race_resolve_task(void *arg)
{
	struct race_family *family = arg;
	struct race *race = family->race;

	family->result = resolve_family(race->host, family->family, race->port,
	    family->addresses, DIAL_HOST_ADDRESSES_MAX, &family->count,
	    &family->error, race->deadline);
	if (family->result < 0)
		family->count = 0;
	family->resolving = false;
	if (family->family == AF_INET)
		race->ipv6_until = instant_after(
		    runtime_now(), race->options->resolution_delay);
	race_tell(race);
	return 0;
}

static instant
race_attempt_deadline(const struct race *race)
{
	if (race->options->attempt_timeout.ns == 0)
		return race->deadline;
	return instant_earlier(race->deadline,
	    instant_after(runtime_now(), race->options->attempt_timeout));
}

static int
race_attempt_task(void *arg)
{
	struct race_attempt *attempt = arg;
	struct race *race = attempt->race;
	struct dial_options options = {0};

	if (race->options->from != NULL) {
		options.from = &race->options->from->any;
		options.from_length = race->options->from->length;
	}
	attempt->result =
	    dial(&attempt->io, &attempt->address.any, attempt->address.length,
		&options, race_attempt_deadline(race), &attempt->os_error);
	race->live--;
	if (attempt->result == 0 && race->winner == NULL)
		race->winner = attempt;
	else if (attempt->result == 0)
		io_close(&attempt->io);
	/* Whoever fails makes room for the next at once. */
	race->next_attempt = runtime_now();
	race_tell(race);
	return 0;
}

/* ---- what to do next ---- */

static bool
race_has(const struct race_family *family)
{
	return family->tried < family->count;
}

/* The family of the next attempt, NULL when there is no address now. */
static struct race_family *
race_family_next(struct race *race)
{
	struct race_family *family = &race->families[race->turn];

	if (race_has(family))
		return family;
	family = &race->families[race->turn ^ 1];
	return race_has(family) ? family : NULL;
}

/* When the next attempt may start; in the past: now. */
static instant
race_attempt_when(const struct race *race)
{
	if (race->attempt_count == 0)
		return race->families[0].resolving ? race->ipv6_until
						   : instant_past();
	return race->live == 0 ? instant_past() : race->next_attempt;
}

static int
race_attempt_start(struct race *race, struct race_family *family)
{
	struct race_attempt *attempt = &race->attempts[race->attempt_count];
	int r;

	*attempt = (struct race_attempt){.race = race,
	    .address = family->addresses[family->tried],
	    .result = 1};
	r = task_start(&race->scope, "dial", race_attempt_task, attempt);
	if (r < 0)
		return r;
	family->tried++;
	race->turn = (unsigned)(family - race->families) ^ 1;
	race->attempt_count++;
	race->live++;
	race->next_attempt =
	    instant_after(runtime_now(), race->options->attempt_delay);
	return 0;
}

/* 0: somebody won or all have lost; < 0: it could not go on. */
static int
race_run(struct race *race)
{
	for (;;) {
		struct race_family *family = race_family_next(race);
		instant when = race_attempt_when(race), until = race->deadline;
		int r;

		if (race->winner != NULL)
			return 0;
		if (family == NULL && race->live == 0 &&
		    !race->families[0].resolving &&
		    !race->families[1].resolving)
			return 0;
		if (family != NULL && !instant_before(runtime_now(), when)) {
			r = race_attempt_start(race, family);
			if (r < 0)
				return r;
			continue;
		}
		if (family != NULL)
			until = instant_earlier(until, when);
		race->waiter = task_self();
		r = task_park("dial", until);
		race->waiter = NULL;
		if (r < 0 &&
		    (r != -ETIMEDOUT || task_cancelled() < 0 ||
			!instant_before(runtime_now(), race->deadline)))
			return r;
	}
}

/* ---- the end ---- */

static void
race_say(const struct race *race, struct appender *text)
{
	append_bytes(text,
	    bytes_of(race->host.at, min_of(race->host.length, (size_t)255)));
	append_format(text, " port %u", race->port);
	for (unsigned i = 0; i < race->attempt_count; i++) {
		const struct race_attempt *attempt = &race->attempts[i];

		append_text(text, i == 0 ? ": " : "; ");
		net_address_format(&attempt->address, text);
		append_literal(text, ": ");
		if (attempt->result == E_CONNECT_FAILED)
			append_text(text, error_text(-attempt->os_error));
		else
			append_text(text,
			    attempt->result == 1 ||
				    attempt->result == E_CONNECT_TIMEOUT
				? "no answer"
				: error_text(attempt->result));
	}
	for (unsigned i = 0; i < 2; i++)
		if (race->families[i].result < 0 &&
		    race->families[i].error.text[0] != '\0' &&
		    (race->attempt_count == 0 ||
			race->families[i].result != E_NO_ADDRESS)) {
			append_literal(text, "; ");
			append_text(text, race->families[i].error.text);
		}
}

/* Of the attempts, else of the look-ups, whichever tells more. */
static int
race_error(const struct race *race, int *os_error)
{
	int ipv6 = race->families[0].result, ipv4 = race->families[1].result;

	*os_error = 0;
	for (unsigned i = race->attempt_count; i > 0; i--)
		if (race->attempts[i - 1].result < 0) {
			*os_error = race->attempts[i - 1].os_error;
			return race->attempts[i - 1].result;
		}
	if (ipv4 == 0 || (ipv4 == E_NO_ADDRESS && ipv6 < 0))
		ipv4 = ipv6;
	return ipv4 < 0 ? ipv4 : E_NO_ADDRESS;
}

/* From the attempt's place to the caller's. */
static int
race_take(struct race *race, struct io_fd *io, struct net_address *ret_address)
{
	struct race_attempt *winner = race->winner;
	int fd = io_detach(&winner->io), r;

	if (fd < 0) {
		io_close(&winner->io);
		return fd;
	}
	r = io_attach_stream(io, fd);
	if (r < 0) {
		socket_close(fd);
		return r;
	}
	if (ret_address != NULL)
		*ret_address = winner->address;
	return 0;
}

static int
race_start(struct race *race)
{
	const struct net_address *from = race->options->from;
	static const int families[2] = {AF_INET6, AF_INET};
	int r = 0;

	race->ipv6_until = instant_never();
	for (unsigned i = 0; i < 2 && r == 0; i++) {
		struct race_family *family = &race->families[i];

		family->race = race;
		family->family = families[i];
		if (from != NULL && from->any.sa_family != families[i]) {
			family->result = E_NO_ADDRESS;
			continue;
		}
		family->resolving = true;
		r = task_start(
		    &race->scope, "dial resolve", race_resolve_task, family);
	}
	return r;
}

static int
race_end(struct race *race, int r, struct io_fd *io,
    struct net_address *ret_address, struct dial_host_error *error)
{
	struct appender text;

	scope_cancel(&race->scope, 0);
	(void)scope_fini(&race->scope);
	/* It may have won while the others were stopped. */
	if (race->winner != NULL && r == 0)
		return race_take(race, io, ret_address);
	if (race->winner != NULL)
		io_close(&race->winner->io);
	if (error != NULL) {
		text = appender_over(error->text, sizeof(error->text) - 1);
		race_say(race, &text);
		error->text[text.length] = '\0';
	}
	if (r == 0)
		r = race_error(race, error != NULL ? &error->os_error : &r);
	else if (error != NULL)
		error->os_error = 0;
	return r;
}

int
dial_host(struct io_fd *io, struct bytes host, uint16_t port,
    const struct dial_host_options *options, instant deadline,
    struct net_address *ret_address, struct dial_host_error *ret_error)
{
	struct dial_host_options wishes = *options;
	struct race *race;
	int r;

	if (wishes.resolution_delay.ns == 0)
		wishes.resolution_delay = RACE_RESOLUTION_DELAY;
	if (wishes.attempt_delay.ns == 0)
		wishes.attempt_delay = RACE_ATTEMPT_DELAY;
	race = calloc(1, sizeof(*race));
	if (race == NULL)
		return -ENOMEM;
	race->host = host;
	race->port = port;
	race->options = &wishes;
	race->deadline = deadline;
	scope_init(&race->scope, instant_never());
	r = race_start(race);
	if (r == 0)
		r = race_run(race);
	if (r == -ETIMEDOUT && task_cancelled() == 0)
		r = E_CONNECT_TIMEOUT;
	r = race_end(race, r, io, ret_address, ret_error);
	free(race);
	return r;
}
