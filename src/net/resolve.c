/*
 * resolve.c - from a text to addresses: literals, special names, the hosts
 * file, the search list, the name servers
 *
 * A question copies the configuration it was made under, so that a file may
 * change under it.
 */
#include "net/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/resolve_order.h"
#include "net/resolve_system.h"
#include "net/resolver.h"
#include "runtime/runtime.h"

/* ---- one name ---- */

/* The state of a look-up of one family, or of a service. */
struct resolve_walk {
	struct resolver *resolver;
	struct dns_name name; /* as given */
	bool absolute; /* a dot at the end, or no search list */
	struct resolv_conf conf;
	struct resolve_error *error;
	instant deadline;
};

static void
resolve_error_say(struct resolve_error *into, const struct dns_name *name,
    uint16_t type, const char *reason)
{
	struct appender text =
	    appender_over(into->text, sizeof(into->text) - 1);
	char room[DNS_WORD_BYTES];
	size_t keep;

	dns_name_to_text(name, &text);
	/* A name of bytes that need escapes may be longer than the room. */
	keep = min_of(text.length, (size_t)300);
	text = appender_over(into->text, sizeof(into->text) - 1);
	text.length = keep;
	append_format(&text, " (%s): ", dns_type_text(type, room));
	append_text(&text, reason);
	into->text[text.length] = '\0';
}

static uint16_t
resolve_other(uint16_t type)
{
	return type == DNS_A ? DNS_AAAA : DNS_A;
}

/* The entry of @name when it is known. The caller releases it. */
static int
resolve_entry_get(struct resolve_walk *walk, const struct dns_name *name,
    uint16_t type, struct resolve_entry **ret_entry)
{
	struct resolve_entry *entry;
	int r;

	r = resolve_cache_begin(
	    &walk->resolver->cache, &walk->conf, name, type, &entry);
	if (r < 0) {
		resolve_error_say(walk->error, name, type, error_text(r));
		return r;
	}
	r = resolve_cache_wait(entry, walk->deadline);
	if (r < 0) {
		resolve_error_say(walk->error, name, type,
		    r == -ETIMEDOUT ? "not answered before the deadline"
				    : "given up");
		resolve_cache_release(&walk->resolver->cache, entry);
		return r;
	}
	if (entry->result < 0)
		resolve_error_say(walk->error, name, type, entry->failure.text);
	*ret_entry = entry;
	return 0;
}

/* Ask without waiting. What cannot be asked now is asked when it is waited
 * for. */
static void
resolve_entry_start(
    struct resolve_walk *walk, const struct dns_name *name, uint16_t type)
{
	struct resolve_entry *entry;

	if (resolve_cache_begin(
		&walk->resolver->cache, &walk->conf, name, type, &entry) == 0)
		resolve_cache_release(&walk->resolver->cache, entry);
}

/* Whether the other family has what this one lacks. */
static int
resolve_other_has(
    struct resolve_walk *walk, const struct dns_name *name, uint16_t type)
{
	struct resolve_error kept = *walk->error;
	struct resolve_entry *entry;
	int r;

	r = resolve_entry_get(walk, name, resolve_other(type), &entry);
	if (r < 0)
		return r;
	r = entry->result == 0;
	resolve_cache_release(&walk->resolver->cache, entry);
	*walk->error = kept;
	return r;
}

/* 1: that is the name, *ret_entry is known; 0: try the next one; < 0. */
static int
resolve_candidate(struct resolve_walk *walk, const struct dns_name *name,
    uint16_t type, struct resolve_entry **ret_entry)
{
	struct resolve_entry *entry;
	bool exists;
	int r;

	if (type != DNS_SRV) {
		resolve_entry_start(walk, name, DNS_AAAA);
		resolve_entry_start(walk, name, DNS_A);
	}
	r = resolve_entry_get(walk, name, type, &entry);
	if (r < 0)
		return r;
	r = entry->result;
	exists = entry->name_exists;
	if (r == 0) {
		*ret_entry = entry;
		return 1;
	}
	resolve_cache_release(&walk->resolver->cache, entry);
	if (r != E_NO_ADDRESS || !exists || type == DNS_SRV)
		return r == E_NO_ADDRESS ? 0 : r;
	r = resolve_other_has(walk, name, type);
	return r == 1 ? E_NO_ADDRESS : r;
}

/* The i-th name to try, in the order of resolv.conf(5). */
static bool
resolve_candidate_name(
    const struct resolve_walk *walk, unsigned i, struct dns_name *ret_name)
{
	unsigned dots = dns_name_labels(&walk->name) - 1;
	unsigned search = walk->absolute ? 0 : walk->conf.search_count;
	unsigned as_is = dots >= walk->conf.ndots ? 0 : search;

	if (i > search)
		return false;
	*ret_name = walk->name;
	if (i == as_is)
		return true;
	/* One that gets too long with it is passed over as one that does not
	 * exist: as it is it may do. */
	if (dns_name_join(
		ret_name, &walk->conf.search[as_is == 0 ? i - 1 : i]) < 0)
		*ret_name = walk->name;
	return true;
}

static int
resolve_walk_run(
    struct resolve_walk *walk, uint16_t type, struct resolve_entry **ret_entry)
{
	struct dns_name name;

	for (unsigned i = 0; resolve_candidate_name(walk, i, &name); i++) {
		int r = resolve_candidate(walk, &name, type, ret_entry);

		if (r != 0)
			return r < 0 ? r : 0;
	}
	return E_NO_ADDRESS;
}

/* ---- names that nobody is asked for ---- */

static bool
resolve_ends(const struct dns_name *name, struct bytes last)
{
	struct dns_name zone;

	return dns_name_from_text(last, &zone) == 0 &&
	    dns_name_within(name, &zone);
}

/* 1: found; 0: not special; E_NO_ADDRESS. */
static int
resolve_special(const struct dns_name *name, int family,
    struct net_address *addresses, unsigned *count, struct resolve_error *error)
{
	static const uint8_t ipv4[4] = {127, 0, 0, 1};
	static const uint8_t ipv6[16] = {[15] = 1};

	if (resolve_ends(name, BYTES("localhost"))) {
		*count = 0;
		if (family != AF_INET)
			addresses[(*count)++] = net_address_ipv6(ipv6, 0);
		if (family != AF_INET6)
			addresses[(*count)++] = net_address_ipv4(ipv4, 0);
		return 1;
	}
	if (resolve_ends(name, BYTES("invalid")) ||
	    resolve_ends(name, BYTES("onion"))) {
		resolve_error_say(error, name,
		    family == AF_INET6 ? DNS_AAAA : DNS_A,
		    "such names do not exist in the DNS (RFC 6761, 7686)");
		return E_NO_ADDRESS;
	}
	return 0;
}

static unsigned
resolve_family_only(struct net_address *addresses, unsigned count, int family)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < count; i++)
		if (family == AF_UNSPEC || addresses[i].any.sa_family == family)
			addresses[kept++] = addresses[i];
	return kept;
}

/* 1 and the addresses; 0: ask; < 0. A name of the hosts file has no other
 * addresses than those. */
static int
resolve_known(struct resolver *resolver, struct bytes text,
    const struct dns_name *name, int family, struct net_address *found,
    unsigned *count, struct resolve_error *error)
{
	int r = resolve_special(name, family, found, count, error);
	unsigned all;

	if (r != 0)
		return r;
	all = hosts_find(
	    &resolver->hosts, text, found, 2 * RESOLVE_ADDRESSES_MAX);
	if (all == 0)
		return 0;
	*count = resolve_family_only(found, all, family);
	if (*count > 0)
		return 1;
	resolve_error_say(error, name, family == AF_INET6 ? DNS_AAAA : DNS_A,
	    "the hosts file has no address of that family");
	return E_NO_ADDRESS;
}

/* ---- the calls ---- */

static int
resolve_walk_init(struct resolve_walk *walk, struct bytes text,
    struct resolve_error *error, instant deadline)
{
	int r = task_cancelled();

	if (r < 0)
		return r;
	error->text[0] = '\0';
	if (text.length > 0 && text.at[0] == '[') {
		snprintf(error->text, sizeof(error->text),
		    "not a host name: \"%.*s\"; an address stands in brackets "
		    "in a URL or before a port only",
		    (int)min_of(text.length, (size_t)RESOLVE_NAME_BYTES),
		    text.at);
		return E_NO_ADDRESS;
	}
	if (text.length > RESOLVE_NAME_BYTES ||
	    bytes_find(text, '\0') != text.length ||
	    dns_name_from_text(text, &walk->name) < 0 ||
	    walk->name.length == 1) {
		snprintf(error->text, sizeof(error->text),
		    "not a host name: \"%.*s\"",
		    (int)min_of(text.length, (size_t)RESOLVE_NAME_BYTES),
		    text.at != NULL ? text.at : "");
		return E_NO_ADDRESS;
	}
	walk->resolver = resolver_here();
	if (walk->resolver == NULL)
		return -ENOMEM;
	walk->absolute = text.at[text.length - 1] == '.';
	walk->conf = walk->resolver->conf;
	walk->error = error;
	walk->deadline = deadline;
	return 0;
}

static unsigned
resolve_entry_addresses(
    const struct resolve_entry *entry, struct net_address *into)
{
	const uint8_t *at = entry->records;

	for (unsigned i = 0; i < entry->count; i++)
		into[i] = entry->type == DNS_A
		    ? net_address_ipv4(at + 4 * i, 0)
		    : net_address_ipv6(at + 16 * i, 0);
	return entry->count;
}

static int
resolve_ask_family(struct resolve_walk *walk, uint16_t type,
    struct net_address *found, unsigned *count)
{
	struct resolve_entry *entry;
	int r = resolve_walk_run(walk, type, &entry);

	if (r < 0)
		return r;
	*count += resolve_entry_addresses(entry, found + *count);
	resolve_cache_release(&walk->resolver->cache, entry);
	return 0;
}

/* Each family's addresses, as far as there are any. A failure counts only when
 * there is nothing else to give. */
static int
resolve_ask_both(
    struct resolve_walk *walk, struct net_address *found, unsigned *count)
{
	struct resolve_error kept;
	int r6, r4;

	*count = 0;
	r6 = resolve_ask_family(walk, DNS_AAAA, found, count);
	if (r6 < 0 && (r6 == -ETIMEDOUT || task_cancelled() < 0))
		return r6;
	kept = *walk->error;
	r4 = resolve_ask_family(walk, DNS_A, found, count);
	if (r6 == 0 || r4 == 0)
		return 0;
	if (r4 != E_NO_ADDRESS || r6 == E_NO_ADDRESS)
		return r4;
	*walk->error = kept;
	return r6;
}

/* All addresses of @family (AF_UNSPEC: both), with port 0. */
static int
resolve_find(struct resolve_walk *walk, struct bytes text, int family,
    struct net_address *found, unsigned *count)
{
	int r = resolve_known(walk->resolver, text, &walk->name, family, found,
	    count, walk->error);

	if (r != 0)
		return r < 0 ? r : 0;
	if (walk->resolver->system)
		return resolve_system(text, family, found,
		    2 * RESOLVE_ADDRESSES_MAX, count, walk->error,
		    walk->deadline);
	if (family == AF_UNSPEC)
		return resolve_ask_both(walk, found, count);
	*count = 0;
	return resolve_ask_family(
	    walk, family == AF_INET ? DNS_A : DNS_AAAA, found, count);
}

static int
resolve_literal(const struct net_address *literal, int family,
    struct net_address *ret_address, struct resolve_error *error)
{
	int r = task_cancelled();

	if (r < 0)
		return r;
	if (family != AF_UNSPEC && literal->any.sa_family != family) {
		snprintf(error->text, sizeof(error->text),
		    "an address of another family");
		return E_NO_ADDRESS;
	}
	*ret_address = *literal;
	return 0;
}

static int
resolve_any(struct bytes name, int family, uint16_t port,
    struct net_address *addresses, unsigned max, unsigned *ret_count,
    struct resolve_error *error, instant deadline)
{
	struct resolve_walk walk;
	struct net_address *found, literal;
	unsigned count = 0;
	int r;

	must(max >= 1);
	if (net_address_literal(name, port, &literal) == 0) {
		r = resolve_literal(&literal, family, addresses, error);
		if (r == 0)
			*ret_count = 1;
		return r;
	}
	r = resolve_walk_init(&walk, name, error, deadline);
	if (r < 0)
		return r;
	/* 17 KB: not on the stack of a task. */
	found = malloc(2 * RESOLVE_ADDRESSES_MAX * sizeof(*found));
	if (found == NULL)
		return -ENOMEM;
	r = resolve_find(&walk, name, family, found, &count);
	if (r == 0) {
		count = resolve_order(found, count);
		*ret_count = min_of(count, max);
		for (unsigned i = 0; i < *ret_count; i++) {
			addresses[i] = found[i];
			net_address_port_set(&addresses[i], port);
		}
	}
	free(found);
	return r;
}

int
resolve_addresses(struct bytes name, uint16_t port,
    struct net_address *addresses, unsigned max, unsigned *ret_count,
    struct resolve_error *ret_error, instant deadline)
{
	struct resolve_error error;

	return resolve_any(name, AF_UNSPEC, port, addresses, max, ret_count,
	    ret_error != NULL ? ret_error : &error, deadline);
}

int
resolve_family(struct bytes name, int family, uint16_t port,
    struct net_address *addresses, unsigned max, unsigned *ret_count,
    struct resolve_error *ret_error, instant deadline)
{
	struct resolve_error error;

	must(family == AF_INET || family == AF_INET6);
	return resolve_any(name, family, port, addresses, max, ret_count,
	    ret_error != NULL ? ret_error : &error, deadline);
}

socklen_t
resolve_address_length(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

int
resolve_name(struct bytes name, uint16_t port,
    struct sockaddr_storage *addresses, unsigned max, unsigned *ret_count,
    instant deadline)
{
	struct net_address *found;
	int r;

	max = min_of(max, (unsigned)RESOLVE_ADDRESSES_MAX);
	found = malloc(max * sizeof(*found));
	if (found == NULL)
		return -ENOMEM;
	r = resolve_addresses(
	    name, port, found, max, ret_count, NULL, deadline);
	if (r == 0)
		for (unsigned i = 0; i < *ret_count; i++)
			addresses[i] = found[i].storage;
	free(found);
	return r;
}

static int
resolve_services_give(const struct resolve_entry *entry,
    struct resolve_service *services, unsigned max, unsigned *ret_count)
{
	struct resolve_srv *order =
	    malloc(entry->count * sizeof(struct resolve_srv));
	unsigned count = 0;

	if (order == NULL)
		return -ENOMEM;
	memcpy(order, entry->records, entry->count * sizeof(*order));
	resolve_order_services(order, entry->count);
	for (unsigned i = 0; i < entry->count && count < max; i++) {
		struct appender host =
		    appender_over(services[count].host, RESOLVE_NAME_BYTES);

		dns_name_to_text(&order[i].target, &host);
		/* The root: "decidedly not available" (RFC 2782). One that
		 * needs more room is no host name. */
		if (order[i].target.length == 1 || host.overflowed)
			continue;
		services[count].host[host.length] = '\0';
		services[count].port = order[i].port;
		services[count].priority = order[i].priority;
		services[count].weight = order[i].weight;
		count++;
	}
	free(order);
	if (count == 0)
		return E_NO_ADDRESS;
	*ret_count = count;
	return 0;
}

int
resolve_services(struct bytes name, struct resolve_service *services,
    unsigned max, unsigned *ret_count, struct resolve_error *ret_error,
    instant deadline)
{
	struct resolve_error error;
	struct resolve_walk walk;
	struct resolve_entry *entry;
	int r;

	must(max >= 1);
	r = resolve_walk_init(
	    &walk, name, ret_error != NULL ? ret_error : &error, deadline);
	if (r < 0)
		return r;
	walk.absolute = true;
	r = resolve_walk_run(&walk, DNS_SRV, &entry);
	if (r < 0)
		return r;
	r = resolve_services_give(entry, services, max, ret_count);
	if (r == E_NO_ADDRESS)
		resolve_error_say(walk.error, &walk.name, DNS_SRV,
		    "the service is not offered (RFC 2782: target \".\")");
	resolve_cache_release(&walk.resolver->cache, entry);
	return r;
}
