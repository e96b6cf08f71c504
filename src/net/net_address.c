#include "net/net_address.h"

#include <arpa/inet.h>
#include <errno.h>

#include "os/socket.h"

struct net_address
net_address_ipv4(const uint8_t octets[4], uint16_t port)
{
	struct net_address address = {.length = sizeof(address.in)};

	address.in.sin_family = AF_INET;
	address.in.sin_port = htons(port);
	memcpy(&address.in.sin_addr, octets, 4);
	return address;
}

struct net_address
net_address_ipv6(const uint8_t octets[16], uint16_t port)
{
	struct net_address address = {.length = sizeof(address.in6)};

	address.in6.sin6_family = AF_INET6;
	address.in6.sin6_port = htons(port);
	memcpy(&address.in6.sin6_addr, octets, 16);
	return address;
}

/* A number, or the name of an interface of this machine. */
static int
net_scope_parse(struct bytes text, uint32_t *ret_scope)
{
	char name[32];
	uint64_t number;
	unsigned index;

	if (text.length == 0 || text.length >= sizeof(name))
		return -EINVAL;
	if (bytes_to_u64(text, UINT32_MAX, &number) == 0) {
		*ret_scope = (uint32_t)number;
		return 0;
	}
	memcpy(name, text.at, text.length);
	name[text.length] = '\0';
	index = socket_interface_index(name);
	if (index == 0)
		return -ENODEV;
	*ret_scope = index;
	return 0;
}

int
net_address_literal(
    struct bytes text, uint16_t port, struct net_address *ret_address)
{
	size_t end = bytes_find(text, '%');
	char literal[INET6_ADDRSTRLEN];
	uint8_t octets[16];
	uint32_t scope = 0;

	if (end >= sizeof(literal) || bytes_find(text, '\0') != text.length)
		return -EINVAL;
	memcpy(literal, text.at, end);
	literal[end] = '\0';
	if (end == text.length && inet_pton(AF_INET, literal, octets) == 1) {
		*ret_address = net_address_ipv4(octets, port);
		return 0;
	}
	if (inet_pton(AF_INET6, literal, octets) != 1)
		return -EINVAL;
	if (end < text.length) {
		int r = net_scope_parse(bytes_skip(text, end + 1), &scope);

		if (r < 0)
			return r;
	}
	*ret_address = net_address_ipv6(octets, port);
	ret_address->in6.sin6_scope_id = scope;
	return 0;
}

static int
net_address_unix(struct bytes path, struct net_address *ret_address)
{
	struct net_address address = {.un.sun_family = AF_UNIX};
	bool abstract = path.length > 0 && path.at[0] == '@';

	if (path.length < 1u + abstract ||
	    bytes_find(path, '\0') != path.length)
		return -EINVAL;
	/* A path has a NUL behind it, an abstract name one before it. */
	if (path.length + !abstract > sizeof(address.un.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.un.sun_path, path.at, path.length);
	if (abstract)
		address.un.sun_path[0] = '\0';
	address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    path.length + !abstract);
	*ret_address = address;
	return 0;
}

int
net_address_parse(struct bytes text, struct net_address *ret_address)
{
	struct bytes host = text, rest = {0};
	uint64_t port = 0;

	if (bytes_starts_with(text, BYTES("unix:")))
		return net_address_unix(bytes_skip(text, 5), ret_address);
	if (text.length > 0 && text.at[0] == '[') {
		size_t end = bytes_find(text, ']');

		if (end == text.length)
			return -EINVAL;
		host = bytes_of(text.at + 1, end - 1);
		rest = bytes_skip(text, end + 1);
		if (bytes_find(host, ':') == host.length)
			return -EINVAL;
	} else if (bytes_find(text, ':') < text.length &&
	    memrchr(text.at, ':', text.length) ==
		text.at + bytes_find(text, ':')) {
		/* One colon: it stands before a port. */
		host = bytes_of(text.at, bytes_find(text, ':'));
		rest = bytes_skip(text, host.length);
	}
	if (rest.length > 0 &&
	    (rest.at[0] != ':' ||
		bytes_to_u64(bytes_skip(rest, 1), UINT16_MAX, &port) < 0))
		return -EINVAL;
	return net_address_literal(host, (uint16_t)port, ret_address);
}

static void
net_format_ip(const struct net_address *a, struct appender *into)
{
	char text[INET6_ADDRSTRLEN];

	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, text, sizeof(text));
		append_format(into, "%s:%u", text, net_address_port(a));
		return;
	}
	inet_ntop(AF_INET6, &a->in6.sin6_addr, text, sizeof(text));
	append_format(into, "[%s", text);
	if (a->in6.sin6_scope_id != 0)
		append_format(into, "%%%u", a->in6.sin6_scope_id);
	append_format(into, "]:%u", net_address_port(a));
}

static void
net_format_unix(const struct net_address *a, struct appender *into)
{
	const char *path = a->un.sun_path;
	size_t length = a->length - offsetof(struct sockaddr_un, sun_path);

	append_literal(into, "unix:");
	if (length == 0)
		return;
	if (path[0] == '\0') {
		append_char(into, '@');
		append(into, path + 1, length - 1);
	} else {
		append(into, path, strnlen(path, length));
	}
}

void
net_address_format(const struct net_address *a, struct appender *into)
{
	if (a->length == 0)
		append_char(into, '-');
	else if (a->any.sa_family == AF_UNIX)
		net_format_unix(a, into);
	else
		net_format_ip(a, into);
}

int
net_address_from(const struct sockaddr *from, socklen_t length,
    struct net_address *ret_address)
{
	if (length < sizeof(from->sa_family) ||
	    length > sizeof(ret_address->storage))
		return -EINVAL;
	*ret_address = (struct net_address){.length = length};
	memcpy(&ret_address->storage, from, length);
	return 0;
}

bool
net_address_equal(const struct net_address *a, const struct net_address *b)
{
	if (a->length != b->length || a->any.sa_family != b->any.sa_family)
		return false;
	switch (a->any.sa_family) {
	case AF_INET:
		return a->in.sin_port == b->in.sin_port &&
		    a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	case AF_INET6:
		return a->in6.sin6_port == b->in6.sin6_port &&
		    a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
		    memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
	default:
		return memcmp(&a->storage, &b->storage, a->length) == 0;
	}
}

uint16_t
net_address_port(const struct net_address *a)
{
	/* sin6_port lies where sin_port does. */
	return a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6
	    ? ntohs(a->in.sin_port)
	    : 0;
}

void
net_address_port_set(struct net_address *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET || a->any.sa_family == AF_INET6)
		a->in.sin_port = htons(port);
}
