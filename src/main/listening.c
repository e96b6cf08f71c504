#include "main/listening.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/listen.h"

/* Everybody may connect to a site; only our own user to the admin plane. */
#define LISTENING_SITE_MODE  0666
#define LISTENING_ADMIN_MODE 0600

void
listening_set_init(struct listening_set *set)
{
	list_init(&set->all);
}

static bool
listening_same(
    const struct listening *listening, const struct config_address *address)
{
	return listening->length == address->length &&
	    memcmp(&listening->address, &address->socket, address->length) == 0;
}

static unsigned
listening_port(const struct sockaddr_storage *address)
{
	switch (address->ss_family) {
	case AF_INET:
		return ((const struct sockaddr_in *)address)->sin_port;
	case AF_INET6:
		return ((const struct sockaddr_in6 *)address)->sin6_port;
	default:
		return 0;
	}
}

static int
listening_open(struct listening_set *set, const struct config_address *address,
    unsigned backlog, struct listening *listening)
{
	struct listen_options options = {
	    .address = (const struct sockaddr *)&address->socket,
	    .length = address->length,
	    .backlog = (int)backlog,
	    .unix_mode = listening->use == LISTENING_ADMIN
		? LISTENING_ADMIN_MODE
		: LISTENING_SITE_MODE,
	    .unix_folder = listening->use == LISTENING_ADMIN,
	};
	unsigned port = listening_port(&address->socket);

	list_each (node, &set->all) {
		const struct listening *other =
		    container_of(node, struct listening, node);

		if (port != 0 && port == listening_port(&other->address) &&
		    !listening_same(other, address))
			options.overlaps = true;
	}
	return listen_open(&options, listening->fds, listening->count);
}

static struct listening *
listening_find(struct listening_set *set, const struct config_address *address,
    enum listening_use use)
{
	list_each (node, &set->all) {
		struct listening *listening =
		    container_of(node, struct listening, node);

		if (listening->use == use && listening_same(listening, address))
			return listening;
	}
	return NULL;
}

static struct listening *
listening_new(const struct config_address *address, enum listening_use use,
    unsigned count)
{
	struct listening *listening =
	    calloc(1, sizeof(*listening) + count * sizeof(int));

	if (listening == NULL)
		return NULL;
	listening->refs = 1;
	listening->use = use;
	listening->count = count;
	memcpy(&listening->address, &address->socket, address->length);
	listening->length = address->length;
	return listening;
}

int
listening_acquire(struct listening_set *set,
    const struct config_address *address, enum listening_use use,
    unsigned backlog, unsigned count, struct listening **ret)
{
	struct listening *listening = listening_find(set, address, use);
	int r;

	if (listening != NULL) {
		for (unsigned i = 0; i < listening->count; i++)
			if (listening->fds[i] >= 0)
				listen_backlog_set(
				    listening->fds[i], (int)backlog);
		listening->refs++;
		*ret = listening;
		return 0;
	}
	listening = listening_new(address, use, count);
	if (listening == NULL)
		return -ENOMEM;
	r = listening_open(set, address, backlog, listening);
	if (r < 0) {
		free(listening);
		return r;
	}
	list_push_back(&set->all, &listening->node);
	*ret = listening;
	return 0;
}

int
listening_acquire_none(struct listening_set *set,
    const struct config_address *address, unsigned count,
    struct listening **ret)
{
	struct listening *listening =
	    listening_new(address, LISTENING_SITE, count);

	if (listening == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++)
		listening->fds[i] = -1;
	list_push_back(&set->all, &listening->node);
	*ret = listening;
	return 0;
}

static void
listening_close(struct listening *listening)
{
	for (unsigned i = 0; i < listening->count; i++) {
		if (listening->fds[i] >= 0)
			close(listening->fds[i]);
		listening->fds[i] = -1;
	}
}

void
listening_release(struct listening *listening)
{
	const struct sockaddr_un *un = (const void *)&listening->address;

	must(listening->refs > 0);
	if (--listening->refs > 0)
		return;
	listening_close(listening);
	if (un->sun_family == AF_UNIX && un->sun_path[0] != '\0')
		(void)unlink(un->sun_path);
	list_remove(&listening->node);
	free(listening);
}

void
listening_set_shut(struct listening_set *set)
{
	list_each (node, &set->all) {
		struct listening *listening =
		    container_of(node, struct listening, node);

		if (listening->use == LISTENING_SITE)
			listening_close(listening);
	}
}
