#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "runtime/sim/sim_inner.h"

struct link_rule {
	struct in6_addr from; /* IPv4 as ::ffff:a.b.c.d; :: for any */
	struct in6_addr to;
	struct sim_link link;
};

static struct {
	struct link_rule rules[SIM_RULES_MAX];
	unsigned count;
} links;

void
sim_links_reset(void)
{
	links.count = 0;
}

static struct in6_addr
link_host(const struct sockaddr *address)
{
	const struct sockaddr_in *in = (const void *)address;
	struct in6_addr host = {0};

	if (address->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)address)
		    ->sin6_addr;
	host.s6_addr[10] = host.s6_addr[11] = 0xff;
	memcpy(&host.s6_addr[12], &in->sin_addr, 4);
	return host;
}

static bool
link_inet(const struct sockaddr *address)
{
	return address->sa_family == AF_INET || address->sa_family == AF_INET6;
}

static bool
link_matches(const struct in6_addr *rule, const struct in6_addr *host)
{
	return IN6_IS_ADDR_UNSPECIFIED(rule) || IN6_ARE_ADDR_EQUAL(rule, host);
}

int
sim_link_set(const struct sockaddr *from, const struct sockaddr *to,
    const struct sim_link *link)
{
	struct link_rule rule = {.link = *link};

	if ((from != NULL && !link_inet(from)) ||
	    (to != NULL && !link_inet(to)))
		return -EINVAL;
	if (from != NULL)
		rule.from = link_host(from);
	if (to != NULL)
		rule.to = link_host(to);
	for (unsigned i = 0; i < links.count; i++) {
		if (!IN6_ARE_ADDR_EQUAL(&links.rules[i].from, &rule.from) ||
		    !IN6_ARE_ADDR_EQUAL(&links.rules[i].to, &rule.to))
			continue;
		/* The newest is the last. */
		links.count--;
		memmove(&links.rules[i], &links.rules[i + 1],
		    (links.count - i) * sizeof(rule));
		break;
	}
	if (links.count == SIM_RULES_MAX)
		return -ENOSPC;
	links.rules[links.count++] = rule;
	return 0;
}

const struct sim_link *
sim_link_between(const struct sockaddr *from, const struct sockaddr *to)
{
	static const struct sim_link at_once;
	struct in6_addr source, target;

	if (!link_inet(from) || !link_inet(to))
		return &at_once;
	source = link_host(from);
	target = link_host(to);
	for (unsigned i = links.count; i > 0; i--) {
		const struct link_rule *rule = &links.rules[i - 1];

		if (link_matches(&rule->from, &source) &&
		    link_matches(&rule->to, &target))
			return &rule->link;
	}
	return &sim_here.options.link;
}

/* The time that @bytes take the link for. */
static int64_t
link_transmit_ns(const struct sim_link *link, size_t bytes)
{
	if (link->bytes_per_second == 0)
		return 0;
	return (int64_t)((unsigned __int128)bytes * 1000000000 /
	    link->bytes_per_second);
}

enum sim_fate
sim_packet(const struct sim_link *link, size_t bytes, instant *busy_until,
    duration *ret_after)
{
	instant leaves = sim_here.now;
	int64_t ns;

	if (link->state == SIM_SILENT)
		return SIM_LOST;
	if (instant_before(leaves, *busy_until))
		leaves = *busy_until;
	leaves =
	    instant_after(leaves, duration_ns(link_transmit_ns(link, bytes)));
	*busy_until = leaves;
	ns = instant_since(leaves, sim_here.now).ns + link->latency.ns;
	if (link->jitter.ns > 0)
		ns += sim_between(0, link->jitter.ns);
	*ret_after = duration_ns(ns);
	if (link->state == SIM_UNREACHABLE)
		return SIM_REFUSED;
	return sim_fault(link->loss_ppm, "lost") ? SIM_LOST : SIM_ARRIVES;
}
