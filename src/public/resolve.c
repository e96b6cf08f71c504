/*
 * public/resolve.c - <weir/resolve.h> over the resolver
 */
#include <weir/resolve.h>

#include "net/resolve.h"
#include "public/net.h"

_Static_assert(sizeof(struct weir_resolve_error) == RESOLVE_ERROR_BYTES, "");
_Static_assert(
    sizeof(struct weir_service) == sizeof(struct resolve_service), "");
_Static_assert(offsetof(struct weir_service, weight) ==
	offsetof(struct resolve_service, weight),
    "");

int
weir_resolve_configure(const struct weir_resolve_options *options)
{
	struct resolve_options inner = {0};

	if (options != NULL)
		inner = (struct resolve_options){
		    .resolv_conf = options->resolv_conf,
		    .hosts = options->hosts,
		    .system = options->system};
	return resolve_configure(&inner);
}

int
weir_resolve(const char *name, uint16_t port,
    struct weir_address *ret_addresses, unsigned max, unsigned *ret_count,
    struct weir_resolve_error *ret_error, weir_time deadline)
{
	(void)task_required(__func__);
	if (max == 0)
		return -EINVAL;
	return inner_net_error(
	    resolve_addresses(bytes_from(name), port,
		inner_address(ret_addresses), max, ret_count,
		(struct resolve_error *)ret_error, inner_time(deadline)),
	    0);
}

int
weir_resolve_services(const char *name, struct weir_service *ret_services,
    unsigned max, unsigned *ret_count, struct weir_resolve_error *ret_error,
    weir_time deadline)
{
	(void)task_required(__func__);
	if (max == 0)
		return -EINVAL;
	return inner_net_error(
	    resolve_services(bytes_from(name),
		(struct resolve_service *)ret_services, max, ret_count,
		(struct resolve_error *)ret_error, inner_time(deadline)),
	    0);
}
