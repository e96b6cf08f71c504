/*
 * http.h - one message head, whatever the version that carried it
 *
 * Layer      wire
 * Memory     a head owns no bytes: names and values point into the buffer it
 *            was parsed from or into memory of whoever added them; that memory
 *            must stay put while the head is used
 * Limits     HTTP_FIELDS_MAX fields; names 255 bytes, values 65,535
 * Sources    RFC 9110 (semantics)
 */
#pragma once

#include "base/bytes.h"

#define HTTP_FIELDS_MAX 128

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_CONNECT,
	HTTP_OPTIONS,
	HTTP_TRACE,
	HTTP_PATCH,
	HTTP_METHOD_OTHER, /* a token we have no name for */
};

enum http_field_id {
	FIELD_OTHER = 0,
#define FIELD(id, name, flags) FIELD_##id,
#include "wire/fields.tbl"
#undef FIELD
	FIELD_COUNT,
};

struct http_field {
	const char *name;
	const char *value;
	uint16_t value_length;
	uint8_t name_length; /* 0: removed, skip it */
	uint8_t id; /* enum http_field_id */
};

/* How the end of the body is known (RFC 9112 §6.3). */
enum http_framing {
	HTTP_BODY_NONE,
	HTTP_BODY_LENGTH, /* head.content_length bytes, may be 0 */
	HTTP_BODY_CHUNKED,
	HTTP_BODY_UNTIL_CLOSE, /* responses only */
};

struct http_head {
	/* request */
	uint8_t method; /* enum http_method */
	struct bytes method_name; /* as received; written if not empty */
	struct bytes target; /* as received, but for the path in it */
	struct bytes authority; /* host[:port], from the target or Host */
	struct bytes host; /* lower-case name or address, without the port */
	uint16_t port; /* 0: not given */
	struct bytes path; /* normalised: see url.h; "*" for OPTIONS * */
	struct bytes query; /* after '?', without it; at == NULL: no '?' */
	/* response */
	uint16_t status; /* 100-599 */
	struct bytes reason;
	/* both */
	uint8_t version; /* 10, 11, 20 */
	uint8_t framing; /* enum http_framing */
	bool keep_alive; /* the sender will keep the connection */
	bool expect_continue;
	bool upgrade; /* Connection: upgrade with an Upgrade field */
	bool te_trailers; /* TE: trailers */
	uint64_t content_length; /* also announced by answers without a body */
	uint16_t field_count;
	/* Bit i: field id i is present (ids are < 64). */
	uint64_t present;
	struct http_field fields[HTTP_FIELDS_MAX];
};
_Static_assert(FIELD_COUNT <= 64, "http_head.present has 64 bits");

void http_head_init(struct http_head *head);

static inline bool
http_head_has(const struct http_head *head, enum http_field_id id)
{
	return (head->present >> id & 1) != 0;
}

/* The first field with @id; absent: at == NULL. */
struct bytes http_head_get(const struct http_head *head, enum http_field_id id);

/* The first field of that name, any case; also finds known ones. */
struct bytes http_head_find(const struct http_head *head, struct bytes name);

/*
 * Append a field; name and value are borrowed. The value must hold no control
 * character but tab: it is checked, so nothing generated can smuggle a line.
 * Returns 0, -E2BIG (HTTP_FIELDS_MAX reached), -EINVAL (forbidden character).
 */
MUST_CHECK
int http_head_add(
    struct http_head *head, enum http_field_id id, struct bytes value);
MUST_CHECK
int http_head_add_named(
    struct http_head *head, struct bytes name, struct bytes value);

/* Remove every field with @id (of that name). */
void http_head_remove(struct http_head *head, enum http_field_id id);
void http_head_remove_named(struct http_head *head, struct bytes name);

/*
 * Remove what belongs to this hop alone: the hop-by-hop fields, and those
 * that Connection names (RFC 9110 §7.6.1). Naming a field that must not be
 * removed (Host, Content-Length, Authorization, Cookie, …) is refused.
 * Trailer and TE: trailers stay for the caller to decide.
 * Returns 0 or E_H1_BAD_CONNECTION.
 */
MUST_CHECK
int http_head_strip_hop(struct http_head *head);

/* Whether a comma-separated list (RFC 9110 §5.6.1) holds @token, any case. */
bool http_list_has(struct bytes list, struct bytes token);
/* Walk a comma-separated list; quoted strings are kept whole. */
bool http_list_next(struct bytes *rest, struct bytes *ret_item);

enum http_field_id http_field_lookup(const char *name, size_t length);
struct bytes http_field_name(enum http_field_id id);
bool http_field_in_trailer(enum http_field_id id);
/* A name that is a known one once its underscores are read as hyphens, as
 * CGI and its heirs read them. */
bool http_field_is_alias(struct bytes name);

enum http_method http_method_lookup(struct bytes name);
struct bytes http_method_text(enum http_method method);
bool http_method_safe(enum http_method method);
bool http_method_idempotent(enum http_method method);

/* "Not Found"; "" for an unknown status. */
struct bytes http_status_reason(unsigned status);

bool http_is_token(struct bytes text);
/* No control character but tab. */
bool http_is_field_value(struct bytes text);

/* The value of a cookie of that name in a Cookie field; at == NULL: absent. */
struct bytes http_cookie_find(struct bytes cookies, struct bytes name);

/* IMF-fixdate (RFC 9110 §5.6.7) of seconds since 1970: 29 bytes. */
#define HTTP_DATE_BYTES 29
void http_date_write(char into[HTTP_DATE_BYTES], int64_t unix_s);
/* All three forms of §5.6.7. Returns 0 or -EINVAL. */
MUST_CHECK
int http_date_parse(struct bytes text, int64_t *ret_unix_s);
