/*
 * address.h - socket addresses and networks, as the file has them
 *
 * Layer      config
 */
#pragma once

#include "base/arena.h"
#include "config/snapshot.h"

/* What is wrong with a text; remedy.at == NULL: nothing to say. */
struct address_error {
	const char *text;
	char remedy[160]; /* or "" */
};

/*
 * address_parse - "127.0.0.1:80", "[::1]:80", "name:80", "unix:PATH",
 *                 "unix:@NAME" (abstract)
 *
 * @folder  what a relative PATH is relative to
 * @names   whether a host name may stand there
 * Returns  0, -EINVAL (*ret_error says why), -ENOMEM
 */
MUST_CHECK
int address_parse(struct bytes text, struct bytes folder, bool names,
    struct arena *arena, struct config_address *ret,
    struct address_error *ret_error);

/* The wildcard address of IPv4 or IPv6. Returns 0, -ENOMEM. */
MUST_CHECK
int address_any(
    int family, uint16_t port, struct arena *arena, struct config_address *ret);

/* A decimal port, 1-65535. */
bool address_port(struct bytes text, uint16_t *ret_port);

bool address_is_loopback(const struct config_address *address);

/* A host name: letters, digits, '-' and '_' in labels; any case. */
bool address_is_name(struct bytes text);

/* "10.0.0.0/8", "::1", "127.0.0.1". Returns 0 or -EINVAL. */
MUST_CHECK
int network_parse(struct bytes text, struct config_network *ret,
    struct address_error *ret_error);

/* @path itself when absolute, else beneath @folder; "." and empty segments
 * are left out. at == NULL: no memory. */
struct bytes
path_absolute(struct bytes path, struct bytes folder, struct arena *arena);
