/*
 * public/net.h - what lies behind the addresses of <weir/net.h>, and errors
 *
 * Layer      public
 */
#pragma once

#include <errno.h>

#include <weir/net.h>

#include "base/error.h"
#include "net/net_address.h"
#include "public/inner.h"

/* Arrays of them are passed through. */
_Static_assert(sizeof(struct net_address) == sizeof(struct weir_address), "");

static inline struct net_address *
inner_address(struct weir_address *address)
{
	return (struct net_address *)address;
}

static inline const struct net_address *
inner_address_const(const struct weir_address *address)
{
	return (const struct net_address *)address;
}

/* Of the resolver and the dialler, as -errno. */
static inline int
inner_net_error(int error, int os_error)
{
	switch (error) {
	case E_CONNECT_FAILED:
		return os_error != 0 ? -os_error : -ECONNREFUSED;
	case E_CONNECT_TIMEOUT:
		return -ETIMEDOUT;
	case E_NO_ADDRESS:
		return -ENOENT;
	case E_RESOLVER_FAILED:
	case E_RESOLVER_TIMEOUT:
		return -EAGAIN;
	default:
		return error;
	}
}
