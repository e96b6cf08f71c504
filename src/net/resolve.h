/*
 * resolve.h - host names to addresses, by the system's resolver
 *
 * Layer      net
 * Threads    any worker; getaddrinfo(3) runs on the offload pool, since it
 *            blocks and needs more stack than a task has
 * Limits     RESOLVE_NAME_BYTES for the name; @max addresses, the rest is
 *            left out
 */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/time.h"

#define RESOLVE_NAME_BYTES    255
#define RESOLVE_ADDRESSES_MAX 64

/*
 * resolve_name - the addresses of @name, each with @port
 *
 * A numeric address is read without asking anybody. Addresses come in an
 * order that does not change from one answer to the next though the servers
 * rotate them: the family that the system prefers first (RFC 6724), then by
 * value; none twice.
 *
 * @addresses  room for @max (at most RESOLVE_ADDRESSES_MAX)
 * @ret_count  written on success, >= 1
 *
 * Suspends   unless @name is numeric
 * Returns    0; E_NO_ADDRESS; -ETIMEDOUT; the cancel error; -EAGAIN (too many
 *            look-ups wait), -ENOMEM
 */
SUSPENDS
MUST_CHECK
int resolve_name(struct bytes name, uint16_t port,
    struct sockaddr_storage *addresses, unsigned max, unsigned *ret_count,
    instant deadline);

/* The length that connect(2) wants for an address of its family. */
socklen_t resolve_address_length(const struct sockaddr_storage *address);
