#include "http/forwarded.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* ---- addresses as text ---- */

static void
address_append_v4(struct appender *into, const uint8_t *v4)
{
	for (unsigned i = 0; i < 4; i++) {
		if (i != 0)
			append_char(into, '.');
		append_u64(into, v4[i]);
	}
}

static void
address_append(struct appender *into, const union conn_address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char text[INET6_ADDRSTRLEN];

	if (address->family == AF_INET) {
		address_append_v4(into, (const uint8_t *)&address->v4.sin_addr);
	} else if (address->family == AF_INET6) {
		const uint8_t *raw = address->v6.sin6_addr.s6_addr;

		/* A dual-stack listener shows IPv4 clients as mapped. */
		if (memcmp(raw, mapped, sizeof(mapped)) == 0)
			address_append_v4(into, raw + 12);
		else
			append_text(
			    into, inet_ntop(AF_INET6, raw, text, sizeof(text)));
	} else {
		append_literal(into, "unix:");
	}
}

/* As 16 bytes, IPv4 mapped. */
static void
address_raw(const union conn_address *address, uint8_t raw[16])
{
	memset(raw, 0, 16);
	if (address->family == AF_INET6) {
		memcpy(raw, address->v6.sin6_addr.s6_addr, 16);
	} else {
		raw[10] = raw[11] = 0xff;
		memcpy(raw + 12, &address->v4.sin_addr, 4);
	}
}

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]:80", "192.0.2.1:80". */
static bool
address_parse(struct bytes text, union conn_address *ret)
{
	char copy[INET6_ADDRSTRLEN + 8];
	size_t end;

	text = bytes_trim(text);
	memset(ret, 0, sizeof(*ret));
	if (text.length > 0 && text.at[0] == '[') {
		text = bytes_skip(text, 1);
		end = bytes_find(text, ']');
		if (end == text.length)
			return false;
		text.length = end;
	} else if (memchr(text.at, ':', text.length) != NULL &&
	    memchr(text.at, '.', text.length) != NULL) {
		text.length = bytes_find(text, ':');
	}
	if (text.length == 0 || text.length >= sizeof(copy))
		return false;
	memcpy(copy, text.at, text.length);
	copy[text.length] = '\0';
	if (inet_pton(AF_INET, copy, &ret->v4.sin_addr) == 1) {
		ret->family = AF_INET;
		return true;
	}
	ret->family = AF_INET6;
	return inet_pton(AF_INET6, copy, &ret->v6.sin6_addr) == 1;
}

static bool
network_holds(const struct config_network *network, const uint8_t raw[16])
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (memcmp(network->address, raw, whole) != 0)
		return false;
	return rest == 0 ||
	    (network->address[whole] ^ raw[whole]) >> (8 - rest) == 0;
}

static bool
address_trusted(
    const struct snapshot *snapshot, const union conn_address *address)
{
	uint8_t raw[16];

	/* Whoever may open our Unix socket was let in by its mode. */
	if (address->family == AF_UNIX)
		return true;
	address_raw(address, raw);
	for (unsigned i = 0; i < snapshot->trusted_count; i++) {
		if (network_holds(&snapshot->trusted[i], raw))
			return true;
	}
	return false;
}

/* ---- reading ---- */

static struct bytes
address_text(struct exchange *ex, const union conn_address *address)
{
	char text[INET6_ADDRSTRLEN + 8];
	struct appender a = appender_over(text, sizeof(text));

	address_append(&a, address);
	return arena_copy(&ex->arena, appender_bytes(&a));
}

/* The last item of the list; *@list keeps what is before it. */
static struct bytes
list_take_last(struct bytes *list)
{
	struct bytes last = *list;

	for (size_t i = list->length; i > 0; i--) {
		if (list->at[i - 1] == ',') {
			last = bytes_skip(*list, i);
			list->length = i - 1;
			return bytes_trim(last);
		}
	}
	list->length = 0;
	return bytes_trim(last);
}

/*
 * From the right: every trusted address is a proxy of ours; the first that is
 * not is the client. Several field lines are one list (RFC 9110 §5.3), so the
 * last line comes first here.
 */
static bool
forwarded_client(const struct exchange *ex, union conn_address *client)
{
	bool found = false;

	for (unsigned i = ex->request.field_count; i-- > 0;) {
		const struct http_field *field = &ex->request.fields[i];
		struct bytes list = bytes_of(field->value, field->value_length);

		if (field->name_length == 0 ||
		    field->id != FIELD_X_FORWARDED_FOR)
			continue;
		while (list.length > 0) {
			union conn_address address;

			if (!address_parse(list_take_last(&list), &address))
				return found;
			*client = address;
			found = true;
			if (!address_trusted(ex->snapshot, &address))
				return true;
		}
	}
	return found;
}

int
forwarded_read(struct exchange *ex, const union conn_address *peer)
{
	union conn_address client = *peer;
	struct bytes proto;

	ex->scheme = BYTES("http");
	ex->peer = address_text(ex, peer);
	if (ex->peer.at == NULL)
		return -ENOMEM;
	ex->client = ex->peer;
	ex->peer_trusted =
	    (ex->snapshot->trusted_count != 0 || peer->family == AF_UNIX) &&
	    address_trusted(ex->snapshot, peer);
	if (!ex->peer_trusted)
		return 0;
	proto = http_head_get(&ex->request, FIELD_X_FORWARDED_PROTO);
	if (bytes_equal(proto, BYTES("https")))
		ex->scheme = BYTES("https");
	if (http_head_has(&ex->request, FIELD_X_FORWARDED_FOR) &&
	    forwarded_client(ex, &client)) {
		ex->client = address_text(ex, &client);
		if (ex->client.at == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* ---- writing ---- */

static void
forwarded_strip(struct http_head *head)
{
	http_head_remove(head, FIELD_X_FORWARDED_FOR);
	http_head_remove(head, FIELD_X_FORWARDED_HOST);
	http_head_remove(head, FIELD_X_FORWARDED_PORT);
	http_head_remove(head, FIELD_X_FORWARDED_PROTO);
	http_head_remove(head, FIELD_X_REAL_IP);
	http_head_remove(head, FIELD_FORWARDED);
}

static int
forwarded_add_for(struct exchange *ex)
{
	struct http_head *head = &ex->request;

	/* A trusted peer's list goes on; another line is the same list. */
	return http_head_add(head, FIELD_X_FORWARDED_FOR, ex->peer);
}

static int
forwarded_add_rfc7239(struct exchange *ex)
{
	bool v6 = memchr(ex->peer.at, ':', ex->peer.length) != NULL;
	bool unix_peer = bytes_equal(ex->peer, BYTES("unix:"));
	struct bytes value;

	/* §6: IPv6 in brackets and quotes; "unknown" for what has none. */
	value = exchange_format(ex, "for=%s%.*s%s;proto=%.*s;host=\"%.*s\"",
	    unix_peer ? "unknown"
		: v6  ? "\"["
		      : "",
	    unix_peer ? 0 : (int)ex->peer.length, ex->peer.at,
	    v6 && !unix_peer ? "]\"" : "", (int)ex->scheme.length,
	    ex->scheme.at, (int)ex->request.authority.length,
	    ex->request.authority.at);
	if (value.at == NULL)
		return -ENOMEM;
	return http_head_add(&ex->request, FIELD_FORWARDED, value);
}

int
forwarded_write(struct exchange *ex, bool forwarded_too)
{
	struct http_head *head = &ex->request;
	const uint64_t any = (uint64_t)1 << FIELD_X_FORWARDED_FOR |
	    (uint64_t)1 << FIELD_X_FORWARDED_HOST |
	    (uint64_t)1 << FIELD_X_FORWARDED_PORT |
	    (uint64_t)1 << FIELD_X_FORWARDED_PROTO |
	    (uint64_t)1 << FIELD_X_REAL_IP | (uint64_t)1 << FIELD_FORWARDED;
	int r;

	if (!ex->peer_trusted && (head->present & any) != 0)
		forwarded_strip(head);
	r = forwarded_add_for(ex);
	if (r == 0 && !http_head_has(head, FIELD_X_FORWARDED_PROTO))
		r = http_head_add(head, FIELD_X_FORWARDED_PROTO, ex->scheme);
	if (r == 0 && !http_head_has(head, FIELD_X_FORWARDED_HOST) &&
	    head->authority.length != 0)
		r = http_head_add(
		    head, FIELD_X_FORWARDED_HOST, head->authority);
	if (r == 0 && forwarded_too)
		r = forwarded_add_rfc7239(ex);
	return r;
}
