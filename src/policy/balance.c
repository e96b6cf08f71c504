/*
 * balance.c - the table of policies, the life of a balancer, shared steps
 */
#include "policy/balance_inner.h"

#include <errno.h>
#include <stdlib.h>

static const struct balance_policy balance_policies[] = {
#define BALANCE(name, module, bytes, rebuild, summary)                         \
	{#name, summary, bytes, rebuild, balance_##module##_pick},
#include "policy/balance.tbl"
#undef BALANCE
};

const struct balance_policy *
balance_policy_at(unsigned i)
{
	return i < array_count(balance_policies) ? &balance_policies[i] : NULL;
}

const struct balance_policy *
balance_policy_find(struct bytes name)
{
	for (size_t i = 0; i < array_count(balance_policies); i++) {
		if (bytes_equal(name, bytes_from(balance_policies[i].name)))
			return &balance_policies[i];
	}
	return NULL;
}

int
balancer_init(struct balancer *balancer, const struct balance_policy *policy,
    unsigned count)
{
	if (count > BALANCE_SERVERS_MAX)
		return -EINVAL;
	*balancer = (struct balancer){.policy = policy, .count = count};
	if (count == 0)
		return 0;
	balancer->servers = calloc(count, sizeof(*balancer->servers));
	if (balancer->servers == NULL)
		return -ENOMEM;
	if (policy->state_bytes == 0)
		return 0;
	balancer->state = calloc(count, policy->state_bytes);
	if (balancer->state == NULL) {
		balancer_fini(balancer);
		return -ENOMEM;
	}
	return 0;
}

void
balancer_fini(struct balancer *balancer)
{
	free(balancer->servers);
	free(balancer->state);
	*balancer = (struct balancer){.policy = balancer->policy};
}

void
balancer_rebuild(struct balancer *balancer)
{
	const struct balance_policy *policy = balancer->policy;

	if (balancer->state != NULL)
		memset(
		    balancer->state, 0, balancer->count * policy->state_bytes);
	balancer->used = 0;
	if (policy->rebuild != NULL)
		policy->rebuild(balancer);
}

uint32_t
balance_slow_start_weight(
    uint32_t weight, int64_t up_for_ns, int64_t slow_start_ns)
{
	uint32_t least = weight / 10;

	if (slow_start_ns <= 0 || up_for_ns >= slow_start_ns || weight == 0)
		return weight;
	if (up_for_ns > 0)
		least += (uint32_t)((unsigned __int128)(weight - least) *
		    (uint64_t)up_for_ns / (uint64_t)slow_start_ns);
	return max_of(least, 1u);
}

uint64_t
balance_weight_total(const struct balancer *balancer)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < balancer->count; i++) {
		if (balance_takes(&balancer->servers[i]))
			total += balancer->servers[i].weight;
	}
	return total;
}

int
balance_draw(const struct balancer *balancer, uint64_t point, int except)
{
	for (unsigned i = 0; i < balancer->count; i++) {
		const struct balance_server *server = &balancer->servers[i];

		if (!balance_takes(server) || (int)i == except)
			continue;
		if (point < server->weight)
			return (int)i;
		point -= server->weight;
	}
	return -1;
}

void
balance_bound_set(struct balance_bound *bound, const struct balancer *balancer,
    const struct balance_request *request)
{
	uint64_t load = 0, weight = 0;

	*bound = (struct balance_bound){0};
	if (request->bound_percent == 0)
		return;
	for (unsigned i = 0; i < balancer->count; i++) {
		if (!balance_takes(&balancer->servers[i]))
			continue;
		load += balancer->servers[i].load;
		weight += balancer->servers[i].weight;
	}
	/* Below 100 % there might be no server under the bound. */
	bound->load_factor = (unsigned __int128)weight * 100;
	bound->weight_factor = (unsigned __int128)(load + 1) *
	    max_of(request->bound_percent, 100u);
}
