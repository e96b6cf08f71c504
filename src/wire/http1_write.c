/*
 * http1_write.c - messages as HTTP/1.1 writes them
 *
 * Framing is written from what the head says, never copied from fields, so
 * what leaves here has exactly one meaning whatever came in.
 */
#include "wire/chars.h"
#include "wire/http1.h"

#define BIT(id) (UINT64_C(1) << FIELD_##id)
#define FRAMING_FIELDS                                                         \
	(BIT(CONNECTION) | BIT(CONTENT_LENGTH) | BIT(TRANSFER_ENCODING))

static inline char *
put(char *at, struct bytes text)
{
	if (text.length != 0)
		memcpy(at, text.at, text.length);
	return at + text.length;
}

static inline void
write_field(struct appender *into, struct bytes name, struct bytes value)
{
	size_t length = name.length + value.length + 4;
	char *at = into->at + into->length;

	must_slow(http_is_token(name) && http_is_field_value(value));
	if (unlikely(into->overflowed || length > appender_room(into))) {
		into->overflowed = true;
		return;
	}
	at = put(at, name);
	at = put(at, BYTES(": "));
	at = put(at, value);
	put(at, BYTES("\r\n"));
	into->length += length;
}

static void
write_fields(
    struct appender *into, const struct http_head *head, uint64_t skipped)
{
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (field->name_length != 0 && (skipped >> field->id & 1) == 0)
			write_field(into,
			    bytes_of(field->name, field->name_length),
			    bytes_of(field->value, field->value_length));
	}
}

static void
write_framing(struct appender *into, const struct http_head *head)
{
	char digits[20];
	struct appender length = appender_over(digits, sizeof(digits));

	if (head->framing == HTTP_BODY_CHUNKED) {
		append_literal(into, "Transfer-Encoding: chunked\r\n");
	} else if (head->framing == HTTP_BODY_LENGTH) {
		append_u64(&length, head->content_length);
		write_field(
		    into, BYTES("Content-Length"), appender_bytes(&length));
	}
}

struct option {
	bool present;
	struct bytes text;
};

static void
write_connection(
    struct appender *into, const struct option *options, size_t count)
{
	char text[64];
	struct appender list = appender_over(text, sizeof(text));

	for (size_t i = 0; i < count; i++) {
		if (!options[i].present)
			continue;
		if (list.length != 0)
			append_literal(&list, ", ");
		append_bytes(&list, options[i].text);
	}
	if (list.length != 0)
		write_field(into, BYTES("Connection"), appender_bytes(&list));
}

static void
write_target(struct appender *into, const struct http_head *head)
{
	if (head->method == HTTP_CONNECT) {
		append_bytes(into, head->authority);
		return;
	}
	append_bytes(into, head->path);
	if (head->query.at != NULL) {
		append_char(into, '?');
		append_bytes(into, head->query);
	}
}

void
http1_write_request(struct appender *into, const struct http_head *head)
{
	const struct option options[] = {
	    {!head->keep_alive, BYTES("close")},
	    {head->upgrade, BYTES("upgrade")},
	    /* RFC 9110 §10.1.4: TE is for the next hop, and says so. */
	    {http_head_has(head, FIELD_TE), BYTES("TE")},
	};

	append_bytes(into,
	    head->method_name.length != 0 ? head->method_name
					  : http_method_text(head->method));
	append_char(into, ' ');
	write_target(into, head);
	append_literal(into, " HTTP/1.1\r\n");
	write_field(into, BYTES("Host"), head->authority);
	write_fields(into, head, FRAMING_FIELDS | BIT(HOST));
	write_framing(into, head);
	write_connection(into, options, array_count(options));
	append_literal(into, "\r\n");
}

void
http1_write_response(struct appender *into, const struct http_head *head)
{
	bool interim = head->status < 200;
	const struct option options[] = {
	    {!interim && !head->keep_alive, BYTES("close")},
	    {!interim && head->keep_alive && head->version == 10,
		BYTES("keep-alive")},
	    {head->upgrade, BYTES("upgrade")},
	};

	must(head->status >= 100 && head->status <= 599);
	append_literal(into, "HTTP/1.1 ");
	append_u64(into, head->status);
	append_char(into, ' ');
	append_bytes(into,
	    head->reason.length != 0 ? head->reason
				     : http_status_reason(head->status));
	append_literal(into, "\r\n");
	write_fields(into, head, FRAMING_FIELDS);
	/* RFC 9110 §8.6, RFC 9112 §6.1: these have no framing fields. */
	if (!interim && head->status != 204)
		write_framing(into, head);
	write_connection(into, options, array_count(options));
	append_literal(into, "\r\n");
}

void
http1_write_chunk_start(struct appender *into, uint64_t length)
{
	/* A chunk of no bytes would end the body. */
	must(length != 0);
	append_hex(into, length);
	append_literal(into, "\r\n");
}

void
http1_write_chunk_end(struct appender *into)
{
	append_literal(into, "\r\n");
}

void
http1_write_last_chunk(struct appender *into, const struct http_head *trailers)
{
	append_literal(into, "0\r\n");
	if (trailers != NULL)
		write_fields(into, trailers, FRAMING_FIELDS);
	append_literal(into, "\r\n");
}
