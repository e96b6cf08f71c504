#include "config/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define ADDRESS_NAME_MAX  253
#define ADDRESS_LABEL_MAX 63

static int
address_refuse(struct address_error *error, const char *text)
{
	error->text = text;
	error->remedy[0] = '\0';
	return -EINVAL;
}

static int
address_refuse_as(struct address_error *error, const char *text,
    const char *remedy, struct bytes given)
{
	error->text = text;
	snprintf(error->remedy, sizeof(error->remedy), remedy,
	    (int)min_of(given.length, (size_t)100), given.at);
	return -EINVAL;
}

bool
address_port(struct bytes text, uint16_t *ret_port)
{
	uint64_t port;

	if (text.length > 5 || bytes_to_u64(text, UINT16_MAX, &port) < 0 ||
	    port == 0)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static bool
address_is_label(struct bytes label)
{
	if (label.length == 0 || label.length > ADDRESS_LABEL_MAX ||
	    label.at[0] == '-' || label.at[label.length - 1] == '-')
		return false;
	for (size_t i = 0; i < label.length; i++) {
		char c = label.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
	}
	return true;
}

bool
address_is_name(struct bytes text)
{
	struct bytes label, last = bytes_of(NULL, 0);

	if (text.length == 0 || text.length > ADDRESS_NAME_MAX)
		return false;
	while (bytes_split(&text, '.', &label)) {
		if (!address_is_label(label))
			return false;
		last = label;
	}
	/* "10.0.0" and "10.0.0.256" are slips, not names. */
	for (size_t i = 0; i < last.length; i++) {
		if (last.at[i] < '0' || last.at[i] > '9')
			return true;
	}
	return false;
}

/* ---- the socket address ---- */

static int
address_text_set(
    struct config_address *a, struct arena *arena, const char *text)
{
	a->text = arena_copy(arena, bytes_from(text));
	return a->text.at != NULL ? 0 : -ENOMEM;
}

static int
address_v4_set(struct config_address *a, struct in_addr in, uint16_t port,
    struct arena *arena)
{
	struct sockaddr_in *sin = (void *)&a->socket;
	char host[INET_ADDRSTRLEN], text[INET_ADDRSTRLEN + 8];

	sin->sin_family = AF_INET;
	sin->sin_port = htons(port);
	sin->sin_addr = in;
	a->length = sizeof(*sin);
	a->port = port;
	inet_ntop(AF_INET, &in, host, sizeof(host));
	snprintf(text, sizeof(text), "%s:%u", host, port);
	return address_text_set(a, arena, text);
}

static int
address_v6_set(struct config_address *a, struct in6_addr in, uint16_t port,
    struct arena *arena)
{
	struct sockaddr_in6 *sin6 = (void *)&a->socket;
	char host[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 10];

	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	sin6->sin6_addr = in;
	a->length = sizeof(*sin6);
	a->port = port;
	inet_ntop(AF_INET6, &in, host, sizeof(host));
	snprintf(text, sizeof(text), "[%s]:%u", host, port);
	return address_text_set(a, arena, text);
}

int
address_any(
    int family, uint16_t port, struct arena *arena, struct config_address *ret)
{
	*ret = (struct config_address){0};
	if (family == AF_INET)
		return address_v4_set(
		    ret, (struct in_addr){INADDR_ANY}, port, arena);
	return address_v6_set(ret, in6addr_any, port, arena);
}

static int
address_name_set(struct config_address *a, struct bytes name, uint16_t port,
    struct arena *arena)
{
	char text[ADDRESS_NAME_MAX + 8];

	snprintf(
	    text, sizeof(text), "%.*s:%u", (int)name.length, name.at, port);
	for (char *c = text; *c != '\0'; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	}
	if (address_text_set(a, arena, text) < 0)
		return -ENOMEM;
	a->name = arena_copy(arena, bytes_of(a->text.at, name.length));
	a->port = port;
	return a->name.at != NULL ? 0 : -ENOMEM;
}

static int
address_unix_set(struct config_address *a, struct bytes path,
    struct bytes folder, struct arena *arena, struct address_error *error)
{
	struct sockaddr_un *un = (void *)&a->socket;
	bool abstract = path.length > 1 && path.at[0] == '@';
	struct appender text;

	if (path.length == 0 || (path.length == 1 && path.at[0] == '@'))
		return address_refuse(error, "a path is missing after unix:");
	if (!abstract)
		path = path_absolute(path, folder, arena);
	if (path.at == NULL)
		return -ENOMEM;
	if (path.length >= sizeof(un->sun_path))
		return address_refuse(
		    error, "a Unix socket's path is at most 107 bytes long");
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.at, path.length);
	if (abstract)
		un->sun_path[0] = '\0';
	a->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    path.length + !abstract);
	text =
	    appender_over(arena_alloc(arena, path.length + 8), path.length + 8);
	if (text.at == NULL)
		return -ENOMEM;
	append_literal(&text, "unix:");
	append_bytes(&text, path);
	a->text = appender_bytes(&text);
	append_char(&text, '\0');
	return 0;
}
_Static_assert(sizeof(((struct sockaddr_un *)0)->sun_path) == 108,
    "the message says how long a path may be");

/* ---- parsing ---- */

static bool
address_v4(struct bytes text, struct in_addr *ret)
{
	char copy[INET_ADDRSTRLEN];

	if (text.length >= sizeof(copy) || text.length == 0)
		return false;
	memcpy(copy, text.at, text.length);
	copy[text.length] = '\0';
	return strlen(copy) == text.length &&
	    inet_pton(AF_INET, copy, ret) == 1;
}

static bool
address_v6(struct bytes text, struct in6_addr *ret)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.length >= sizeof(copy) || text.length == 0)
		return false;
	memcpy(copy, text.at, text.length);
	copy[text.length] = '\0';
	return strlen(copy) == text.length &&
	    inet_pton(AF_INET6, copy, ret) == 1;
}

/* [ADDRESS]:PORT */
static int
address_parse_brackets(struct bytes text, struct arena *arena,
    struct config_address *a, struct address_error *error)
{
	size_t end = bytes_find(text, ']');
	struct in6_addr in6;
	uint16_t port;

	if (end == text.length)
		return address_refuse(error, "the bracket is not closed");
	if (!address_v6(bytes_of(text.at + 1, end - 1), &in6))
		return address_refuse(
		    error, "what stands in brackets is not an IPv6 address");
	if (end + 1 == text.length)
		return address_refuse_as(
		    error, "a port is missing", "write %.*s:80", text);
	if (text.at[end + 1] != ':' ||
	    !address_port(bytes_skip(text, end + 2), &port))
		return address_refuse(error, "a port is 1 to 65535");
	return address_v6_set(a, in6, port, arena);
}

static int
address_parse_host(struct bytes text, bool names, struct arena *arena,
    struct config_address *a, struct address_error *error)
{
	size_t colon = bytes_find(text, ':');
	struct bytes host = bytes_of(text.at, colon);
	struct in6_addr in6;
	struct in_addr in;
	uint16_t port;

	if (address_v6(text, &in6))
		return address_refuse_as(error,
		    "an IPv6 address needs brackets and a port",
		    "write [%.*s]:80", text);
	if (colon == text.length &&
	    bytes_to_u64(text, UINT64_MAX, &(uint64_t){0}) == 0)
		return address_refuse_as(error,
		    "an address is missing in front of the port",
		    "write 127.0.0.1:%.*s", text);
	if (colon == text.length)
		return address_refuse_as(
		    error, "a port is missing", "write %.*s:80", text);
	if (!address_port(bytes_skip(text, colon + 1), &port))
		return address_refuse(error, "a port is 1 to 65535");
	if (address_v4(host, &in))
		return address_v4_set(a, in, port, arena);
	if (!address_is_name(host))
		return address_refuse(
		    error, "neither an IP address nor a host name");
	if (!names)
		return address_refuse(
		    error, "a host name cannot stand here, an IP address can");
	return address_name_set(a, host, port, arena);
}

int
address_parse(struct bytes text, struct bytes folder, bool names,
    struct arena *arena, struct config_address *ret,
    struct address_error *ret_error)
{
	struct config_address address = {0};
	int r;

	if (text.length == 0)
		return address_refuse(ret_error, "an address is missing");
	if (bytes_starts_with(text, BYTES("unix:")))
		r = address_unix_set(
		    &address, bytes_skip(text, 5), folder, arena, ret_error);
	else if (text.at[0] == '/')
		r = address_refuse_as(ret_error,
		    "a Unix socket is written with unix:", "write unix:%.*s",
		    text);
	else if (text.at[0] == '[')
		r = address_parse_brackets(text, arena, &address, ret_error);
	else if (bytes_starts_with(text, BYTES("http://")) ||
	    bytes_starts_with(text, BYTES("https://")))
		r = address_refuse(
		    ret_error, "this is a URL; HOST:PORT is wanted");
	else
		r = address_parse_host(text, names, arena, &address, ret_error);
	if (r == 0)
		*ret = address;
	return r;
}

bool
address_is_loopback(const struct config_address *address)
{
	const struct sockaddr_in *sin = (const void *)&address->socket;
	const struct sockaddr_in6 *sin6 = (const void *)&address->socket;

	if (address->socket.ss_family == AF_INET)
		return ntohl(sin->sin_addr.s_addr) >> 24 == 127;
	return address->socket.ss_family == AF_INET6 &&
	    IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
}

/* ---- networks ---- */

/* Bits beyond the prefix are a slip: 10.0.0.1/8 may mean 10.0.0.0/8 or
 * 10.0.0.1 alone. */
static bool
network_has_host_bits(const struct config_network *network)
{
	for (unsigned bit = network->bits; bit < 128; bit++) {
		if ((network->address[bit / 8] >> (7 - bit % 8) & 1) != 0)
			return true;
	}
	return false;
}

int
network_parse(struct bytes text, struct config_network *ret,
    struct address_error *ret_error)
{
	size_t slash = bytes_find(text, '/');
	struct bytes host = bytes_of(text.at, slash);
	struct config_network network = {.bits = 128};
	unsigned most = 128;
	struct in_addr in;
	uint64_t bits;

	if (address_v4(host, &in)) {
		network.address[10] = network.address[11] = 0xff;
		memcpy(network.address + 12, &in, 4);
		most = 32;
	} else if (!address_v6(host, (void *)network.address)) {
		return address_refuse(ret_error,
		    "neither an IP address nor a network (10.0.0.0/8)");
	}
	if (slash == text.length) {
		*ret = network;
		return 0;
	}
	if (bytes_to_u64(bytes_skip(text, slash + 1), most, &bits) < 0)
		return address_refuse(ret_error,
		    most == 32 ? "the bits of an IPv4 network are 0 to 32"
			       : "the bits of an IPv6 network are 0 to 128");
	network.bits = (uint8_t)(bits + 128 - most);
	if (network_has_host_bits(&network))
		return address_refuse(
		    ret_error, "the address has bits beyond its network's");
	*ret = network;
	return 0;
}

/* ---- paths ---- */

struct bytes
path_absolute(struct bytes path, struct bytes folder, struct arena *arena)
{
	size_t capacity = folder.length + path.length + 3;
	struct appender into =
	    appender_over(arena_alloc(arena, capacity), capacity);
	struct bytes segment;

	if (into.at == NULL)
		return bytes_of(NULL, 0);
	if (path.length == 0 || path.at[0] != '/') {
		append_bytes(&into, folder);
		if (bytes_equal(folder, BYTES("/")))
			into.length = 0;
	}
	while (bytes_split(&path, '/', &segment)) {
		if (segment.length == 0 || bytes_equal(segment, BYTES(".")))
			continue;
		append_char(&into, '/');
		append_bytes(&into, segment);
	}
	if (into.length == 0)
		append_char(&into, '/');
	append_char(&into, '\0');
	return bytes_of(into.at, into.length - 1);
}
