/*
 * http1_judge.c - what a whole head says: where it goes, how its body ends,
 * whether the connection stays
 */
#include "base/error.h"
#include "wire/chars.h"
#include "wire/http1_lines.h"
#include "wire/url.h"

#define BIT(id) (UINT64_C(1) << FIELD_##id)

/* Heads point into a buffer that the caller gave us to change. */
static inline char *
writable(const char *at)
{
	return (char *)(uintptr_t)at;
}

struct place {
	struct bytes authority, host;
	uint16_t port;
};

/*
 * host[:port]; the host becomes lower-case where it stands, and loses the dot
 * of a fully qualified name: "a." and "A" are one host.
 */
static int
place_parse(struct bytes authority, struct place *ret_place)
{
	struct bytes host;
	uint16_t port;
	bool ipv6;
	int r;

	r = url_parse_authority(authority, &host, &ipv6, &port);
	if (r < 0)
		return r;
	chars_lower(writable(host.at), host.length);
	if (host.at[host.length - 1] == '.')
		host.length--;
	*ret_place = (struct place){authority, host, port};
	return 0;
}

/*
 * path[?query], the path brought into normal form. When it shrinks, what
 * stands before it in the target moves up, so that the target stays one run
 * and says the same as the path.
 */
static int
head_take_path(struct http_head *head, struct bytes text)
{
	size_t length = bytes_find(text, '?');
	size_t before = (size_t)(text.at - head->target.at);
	ssize_t normal;
	size_t gap;

	if (length < text.length)
		head->query = bytes_skip(text, length + 1);
	normal = url_path_normalise(writable(text.at), length);
	if (normal < 0)
		return (int)normal;
	gap = length - (size_t)normal;
	if (gap != 0) {
		memmove(writable(head->target.at) + gap, head->target.at,
		    before + (size_t)normal);
		head->target = bytes_skip(head->target, gap);
	}
	head->path = bytes_of(text.at + gap, (size_t)normal);
	return 0;
}

/* The scheme of an absolute form: its length with "://", or 0. */
static size_t
target_scheme(struct bytes target, uint16_t *ret_default_port)
{
	if (target.length > 7 &&
	    bytes_equal_nocase(bytes_of(target.at, 7), BYTES("http://"))) {
		*ret_default_port = 80;
		return 7;
	}
	if (target.length > 8 &&
	    bytes_equal_nocase(bytes_of(target.at, 8), BYTES("https://"))) {
		*ret_default_port = 443;
		return 8;
	}
	return 0;
}

/* RFC 9112 §3.2.2 */
static int
target_take_absolute(
    struct http_head *head, struct place *place, uint16_t *ret_default_port)
{
	size_t scheme = target_scheme(head->target, ret_default_port);
	struct bytes rest = bytes_skip(head->target, scheme);
	size_t authority = 0;
	int r = 0;

	if (scheme == 0)
		return E_URL_BAD_FORM;
	while (authority < rest.length && rest.at[authority] != '/' &&
	    rest.at[authority] != '?')
		authority++;
	rest = bytes_skip(rest, authority);
	if (rest.length > 0 && rest.at[0] == '/') {
		r = head_take_path(head, rest);
	} else {
		/* RFC 9112 §3.2.4: OPTIONS without path and query is "*". */
		head->path = head->method == HTTP_OPTIONS && rest.length == 0
		    ? BYTES("*")
		    : BYTES("/");
		if (rest.length > 0)
			head->query = bytes_skip(rest, 1);
	}
	/* Only now: a path that shrank has moved the authority. */
	return r < 0
	    ? r
	    : place_parse(bytes_of(head->target.at + scheme, authority), place);
}

/* RFC 9112 §3.2.3: the port is part of it. */
static int
target_take_authority(struct http_head *head, struct place *place)
{
	int r = place_parse(head->target, place);

	if (r < 0)
		return r;
	head->path = bytes_skip(head->target, head->target.length);
	return place->port != 0 ? 0 : E_URL_BAD_AUTHORITY;
}

/* place->host.at stays NULL when the target names none. */
static int
request_judge_target(
    struct http_head *head, struct place *place, uint16_t *ret_default_port)
{
	if (head->method == HTTP_CONNECT)
		return target_take_authority(head, place);
	if (likely(head->target.at[0] == '/'))
		return head_take_path(head, head->target);
	if (bytes_equal(head->target, BYTES("*"))) {
		head->path = head->target;
		return head->method == HTTP_OPTIONS ? 0 : E_URL_BAD_FORM;
	}
	return target_take_absolute(head, place, ret_default_port);
}

/* Whether @host, from Host, names the place that the target names. */
static bool
place_agrees(const struct http_head *head, const struct place *target,
    const struct place *host, uint16_t default_port)
{
	if (!bytes_equal(target->host, host->host))
		return false;
	/* A client may leave the port of CONNECT out of Host. */
	if (head->method == HTTP_CONNECT && host->port == 0)
		return true;
	return (target->port != 0 ? target->port : default_port) ==
	    (host->port != 0 ? host->port : default_port);
}

/*
 * RFC 9112 §3.2: exactly one valid Host, in HTTP/1.0 at most one. §3.2.2 lets
 * the target's authority win over Host; a client that names two places is
 * refused, because somebody behind us may look at the other one.
 */
static int
request_judge_host(struct http_head *head, struct place *place,
    uint64_t repeated, uint16_t default_port)
{
	struct bytes value = http_head_get(head, FIELD_HOST);
	struct place host;

	if (value.at == NULL) {
		if (head->version != 10)
			return E_H1_BAD_HOST;
	} else {
		if ((repeated & BIT(HOST)) != 0 ||
		    place_parse(value, &host) < 0)
			return E_H1_BAD_HOST;
		if (place->host.at == NULL)
			*place = host;
		else if (!place_agrees(head, place, &host, default_port))
			return E_H1_HOST_MISMATCH;
	}
	head->authority = place->authority;
	head->host = place->host;
	head->port = place->port;
	return 0;
}

struct options {
	bool close, keep_alive, upgrade;
};

static void
options_take(struct options *options, struct bytes list)
{
	struct bytes option;

	while (http_list_next(&list, &option)) {
		options->close |= bytes_equal_nocase(option, BYTES("close"));
		options->keep_alive |=
		    bytes_equal_nocase(option, BYTES("keep-alive"));
		options->upgrade |=
		    bytes_equal_nocase(option, BYTES("upgrade"));
	}
}

/* Connection, Upgrade and TE (RFC 9110 §7.6.1, §7.8, §10.1.4). */
static void
head_judge_connection(struct http_head *head)
{
	struct options options = {0};

	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (field->id == FIELD_CONNECTION)
			options_take(&options,
			    bytes_of(field->value, field->value_length));
		else if (field->id == FIELD_TE)
			head->te_trailers |= http_list_has(
			    bytes_of(field->value, field->value_length),
			    BYTES("trailers"));
	}
	head->keep_alive =
	    !options.close && (head->version == 11 || options.keep_alive);
	head->upgrade = options.upgrade && head->version == 11 &&
	    http_head_has(head, FIELD_UPGRADE);
}

/*
 * The framing that the fields announce (RFC 9112 §6); HTTP_BODY_NONE when
 * they announce none. Each case refused here has been read in two ways by two
 * servers in a row.
 */
static int
head_judge_framing(struct http_head *head, uint64_t repeated)
{
	if (http_head_has(head, FIELD_TRANSFER_ENCODING)) {
		if (head->version == 10)
			return E_H1_CODING_IN_10;
		if (http_head_has(head, FIELD_CONTENT_LENGTH))
			return E_H1_LENGTH_AND_CHUNKED;
		if ((repeated & BIT(TRANSFER_ENCODING)) != 0 ||
		    !bytes_equal_nocase(
			http_head_get(head, FIELD_TRANSFER_ENCODING),
			BYTES("chunked")))
			return E_H1_BAD_CODING;
		head->framing = HTTP_BODY_CHUNKED;
	} else if (http_head_has(head, FIELD_CONTENT_LENGTH)) {
		/* Signed arithmetic on it elsewhere must not overflow. */
		if ((repeated & BIT(CONTENT_LENGTH)) != 0 ||
		    bytes_to_u64(http_head_get(head, FIELD_CONTENT_LENGTH),
			INT64_MAX, &head->content_length) < 0)
			return E_H1_BAD_LENGTH;
		head->framing = HTTP_BODY_LENGTH;
	}
	return 0;
}

/* RFC 9110 §10.1.1: HTTP/1.0 has no expectations. */
static int
request_judge_expect(struct http_head *head, uint64_t repeated)
{
	if (!http_head_has(head, FIELD_EXPECT) || head->version == 10)
		return 0;
	if ((repeated & BIT(EXPECT)) != 0 ||
	    !bytes_equal_nocase(
		http_head_get(head, FIELD_EXPECT), BYTES("100-continue")))
		return E_H1_BAD_EXPECT;
	/* Without a body there is nothing to go on with. */
	head->expect_continue = head->framing == HTTP_BODY_CHUNKED ||
	    (head->framing == HTTP_BODY_LENGTH && head->content_length > 0);
	return 0;
}

int
http1_request_judge(struct http_head *head, uint64_t repeated)
{
	struct place place = {0};
	uint16_t default_port = 0;
	int r;

	r = request_judge_target(head, &place, &default_port);
	if (r == 0)
		r = request_judge_host(head, &place, repeated, default_port);
	if (r == 0)
		r = head_judge_framing(head, repeated);
	if (r == 0)
		r = request_judge_expect(head, repeated);
	if (r == 0 && (head->present & (BIT(CONNECTION) | BIT(TE))) == 0)
		head->keep_alive = head->version == 11;
	else if (r == 0)
		head_judge_connection(head);
	return r;
}

/* Answers that have no body, whatever their fields say (RFC 9112 §6.3). */
static bool
response_is_bodiless(const struct http_head *head, enum http_method method)
{
	return head->status < 200 || head->status == 204 ||
	    head->status == 304 || method == HTTP_HEAD ||
	    (method == HTTP_CONNECT && head->status < 300);
}

/* RFC 9110 §8.6, RFC 9112 §6.1: a body where there can be none. */
static bool
response_contradicts(const struct http_head *head)
{
	return (head->status < 200 || head->status == 204) &&
	    (head->framing == HTTP_BODY_CHUNKED || head->content_length > 0);
}

int
http1_response_judge(
    struct http_head *head, uint64_t repeated, enum http_method method)
{
	int r = head_judge_framing(head, repeated);

	if (r < 0)
		return r;
	head_judge_connection(head);
	if (response_is_bodiless(head, method)) {
		/* An interim answer has the final one behind it, which must
		 * begin where we look for it; a 204 only ends a connection. */
		if (response_contradicts(head)) {
			if (head->status < 200)
				return E_H1_BAD_LENGTH;
			head->keep_alive = false;
		}
		head->framing = HTTP_BODY_NONE;
	} else if (head->framing == HTTP_BODY_NONE) {
		head->framing = HTTP_BODY_UNTIL_CLOSE;
		head->keep_alive = false;
	}
	return 0;
}
