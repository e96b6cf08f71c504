/*
 * http1_write.c - heads and chunks as text
 */
#include "base/error.h"
#include "wire/http1.h"

void
http1_write_field(struct appender *into, struct bytes name, struct bytes value)
{
	append_bytes(into, name);
	append_literal(into, ": ");
	append_bytes(into, value);
	append_literal(into, "\r\n");
}

static void
write_fields(
    struct appender *into, const struct http_head *head, uint64_t without)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *f = &head->fields[i];

		if (f->name_length == 0 || (without >> f->id & 1) != 0)
			continue;
		http1_write_field(into, bytes_of(f->name, f->name_length),
		    bytes_of(f->value, f->value_length));
	}
}

#define FIELD_BIT(id) ((uint64_t)1 << FIELD_##id)
#define FRAMING_FIELDS                                                         \
	(FIELD_BIT(CONTENT_LENGTH) | FIELD_BIT(TRANSFER_ENCODING) |            \
	    FIELD_BIT(CONNECTION))

static void
write_framing(struct appender *into, const struct http_head *head)
{
	if (head->framing == HTTP_BODY_LENGTH) {
		append_literal(into, "Content-Length: ");
		append_u64(into, head->content_length);
		append_literal(into, "\r\n");
	} else if (head->framing == HTTP_BODY_CHUNKED) {
		append_literal(into, "Transfer-Encoding: chunked\r\n");
	}
}

static void
write_connection(
    struct appender *into, const struct http_head *head, bool say_keep_alive)
{
	if (head->upgrade)
		append_literal(into, "Connection: upgrade\r\n");
	else if (!head->keep_alive)
		append_literal(into, "Connection: close\r\n");
	else if (say_keep_alive)
		append_literal(into, "Connection: keep-alive\r\n");
}

void
http1_write_request(struct appender *into, const struct http_head *head)
{
	append_bytes(into, head->method_name);
	append_char(into, ' ');
	append_bytes(into, head->path);
	if (head->query.at != NULL) {
		append_char(into, '?');
		append_bytes(into, head->query);
	}
	append_literal(into, " HTTP/1.1\r\n");
	http1_write_field(into, BYTES("Host"), head->authority);
	write_fields(into, head, FRAMING_FIELDS | FIELD_BIT(HOST));
	write_framing(into, head);
	write_connection(into, head, false);
	append_literal(into, "\r\n");
}

void
http1_write_response(struct appender *into, const struct http_head *head)
{
	struct bytes reason = head->reason;

	if (reason.at == NULL)
		reason = http_status_reason(head->status);
	append_literal(into, "HTTP/1.1 ");
	append_u64(into, head->status);
	append_char(into, ' ');
	append_bytes(into, reason);
	append_literal(into, "\r\n");
	write_fields(into, head, FRAMING_FIELDS);
	write_framing(into, head);
	write_connection(into, head, head->version == 10);
	append_literal(into, "\r\n");
}

void
http1_write_chunk_start(struct appender *into, uint64_t length)
{
	must(length != 0); /* 0 would end the body */
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
