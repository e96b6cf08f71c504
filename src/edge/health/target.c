#include "edge/health/target.h"

#include <errno.h>
#include <netinet/in.h>

static void
target_set_port(struct config_address *address, uint16_t port)
{
	struct sockaddr_in in;

	if (port == 0 || address->socket.ss_family == AF_UNIX)
		return;
	address->port = port;
	if (address->length == 0)
		return;
	/* sin6_port lies where sin_port does. */
	memcpy(&in, &address->socket, sizeof(in));
	in.sin_port = htons(port);
	memcpy(&address->socket, &in, sizeof(in));
}

struct health_target
health_target_of(
    const struct config_pool *pool, const struct config_server *server)
{
	struct health_target target = {
	    .pool = pool->name,
	    .server = server->name,
	    .address = server->address,
	    .check = pool->health,
	    .resolve_every = pool->resolve_every,
	};

	target_set_port(&target.address, pool->health.port);
	return target;
}

static bool
target_copy_bytes(struct arena *arena, struct bytes *bytes)
{
	if (bytes->at == NULL)
		return true;
	*bytes = arena_copy(arena, *bytes);
	return bytes->at != NULL;
}

int
health_target_copy(struct arena *arena, const struct health_target *from,
    struct health_target *ret_copy)
{
	struct health_target copy = *from;

	if (!target_copy_bytes(arena, &copy.pool) ||
	    !target_copy_bytes(arena, &copy.server) ||
	    !target_copy_bytes(arena, &copy.address.text) ||
	    !target_copy_bytes(arena, &copy.address.name) ||
	    !target_copy_bytes(arena, &copy.check.path) ||
	    !target_copy_bytes(arena, &copy.check.method) ||
	    !target_copy_bytes(arena, &copy.check.host) ||
	    !target_copy_bytes(arena, &copy.check.body))
		return -ENOMEM;
	*ret_copy = copy;
	return 0;
}

static bool
target_address_equal(
    const struct config_address *a, const struct config_address *b)
{
	return bytes_equal(a->text, b->text) && bytes_equal(a->name, b->name) &&
	    a->port == b->port && a->length == b->length &&
	    memcmp(&a->socket, &b->socket, a->length) == 0;
}

static bool
target_check_equal(const struct config_health *a, const struct config_health *b)
{
	return a->kind == b->kind && bytes_equal(a->path, b->path) &&
	    bytes_equal(a->method, b->method) &&
	    bytes_equal(a->host, b->host) && bytes_equal(a->body, b->body) &&
	    a->status_min == b->status_min && a->status_max == b->status_max &&
	    a->port == b->port && a->every.ns == b->every.ns &&
	    a->timeout.ns == b->timeout.ns && a->fall == b->fall &&
	    a->rise == b->rise && a->jitter_percent == b->jitter_percent;
}

bool
health_target_equal(
    const struct health_target *a, const struct health_target *b)
{
	return bytes_equal(a->pool, b->pool) &&
	    bytes_equal(a->server, b->server) &&
	    target_address_equal(&a->address, &b->address) &&
	    target_check_equal(&a->check, &b->check) &&
	    a->resolve_every.ns == b->resolve_every.ns;
}
