#include "http/exchange_fake.h"

#include <stdlib.h>

#include "os/file.h"

static struct exchange_fake *
fake_of(struct exchange *ex)
{
	return container_of(ex, struct exchange_fake, ex);
}

static void
fake_meanwhile(struct exchange_fake *fake)
{
	if (fake->meanwhile != NULL)
		fake->meanwhile(fake);
}

static int
fake_send_body(struct exchange *ex, struct bytes data)
{
	struct exchange_fake *fake = fake_of(ex);

	must(ex->head_sent);
	fake_meanwhile(fake);
	if (ex->request.method == HTTP_HEAD)
		return 0;
	must(data.length <= FAKE_BODY_BYTES - fake->body_length);
	memcpy(fake->body + fake->body_length, data.at, data.length);
	fake->body_length += data.length;
	return 0;
}

static int
fake_send_head(struct exchange *ex, const struct http_head *head,
    struct bytes body, bool last)
{
	struct exchange_fake *fake = fake_of(ex);
	struct appender fields =
	    appender_over(fake->fields, sizeof(fake->fields));

	must(!ex->head_sent);
	ex->head_sent = true;
	fake->status = head->status;
	fake->length = head->framing == HTTP_BODY_LENGTH
	    ? (int64_t)head->content_length
	    : -1;
	for (unsigned i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (field->name_length == 0)
			continue;
		append(&fields, field->name, field->name_length);
		append_literal(&fields, ": ");
		append(&fields, field->value, field->value_length);
		append_char(&fields, '\n');
	}
	must(!fields.overflowed);
	fake->fields_length = fields.length;
	fake->ended = last;
	return body.length != 0 ? fake_send_body(ex, body) : 0;
}

static int
fake_send_file(struct exchange *ex, int file, off_t offset, uint64_t length)
{
	struct exchange_fake *fake = fake_of(ex);
	ssize_t n;

	must(ex->head_sent);
	fake_meanwhile(fake);
	if (ex->request.method == HTTP_HEAD)
		return 0;
	must(length <= FAKE_BODY_BYTES - fake->body_length);
	n = file_read_at(file, fake->body + fake->body_length, length, offset);
	if (n < 0)
		return (int)n;
	fake->body_length += (size_t)n;
	return (uint64_t)n == length ? 0 : -5;
}

static int
fake_send_end(struct exchange *ex, const struct http_head *trailers)
{
	fake_of(ex)->ended = true;
	return 0;
}

static const struct exchange_ops fake_ops = {
    .send_head = fake_send_head,
    .send_body = fake_send_body,
    .send_file = fake_send_file,
    .send_end = fake_send_end,
};

static void
fake_request(
    struct exchange_fake *fake, enum http_method method, const char *path)
{
	struct http_head *request = &fake->ex.request;
	struct bytes rest = bytes_from(path);

	http_head_init(request);
	http_head_init(&fake->ex.response);
	request->method = (uint8_t)method;
	request->version = 11;
	request->target = rest;
	bytes_split(&rest, '?', &request->path);
	request->query = rest;
	request->host = BYTES("example.com");
	fake->ex.head_sent = false;
	fake->body_length = 0;
	fake->fields_length = 0;
	fake->status = 0;
	fake->ended = false;
}

void
fake_init(struct exchange_fake *fake, enum http_method method, const char *path)
{
	memset(fake, 0, sizeof(*fake));
	fake->body = malloc(FAKE_BODY_BYTES);
	must(fake->body != NULL);
	fake->ex.ops = &fake_ops;
	fake->ex.route = &fake->route;
	fake->ex.scheme = BYTES("http");
	fake->ex.deadline = instant_never();
	arena_init(&fake->ex.arena, NULL, 0, 0);
	fake_request(fake, method, path);
}

void
fake_fini(struct exchange_fake *fake)
{
	arena_reset(&fake->ex.arena);
	free(fake->body);
}

void
fake_again(
    struct exchange_fake *fake, enum http_method method, const char *path)
{
	arena_reset(&fake->ex.arena);
	fake_request(fake, method, path);
}

void
fake_ask(struct exchange_fake *fake, enum http_field_id id, const char *value)
{
	must(http_head_add(&fake->ex.request, id, bytes_from(value)) == 0);
}

const char *
fake_field(const struct exchange_fake *fake, const char *name)
{
	static char value[1024];
	struct bytes rest = bytes_of(fake->fields, fake->fields_length), line;

	while (bytes_split(&rest, '\n', &line)) {
		struct bytes key = bytes_of(line.at, bytes_find(line, ':'));

		if (!bytes_equal_nocase(key, bytes_from(name)))
			continue;
		line = bytes_skip(line, key.length + 2);
		must(line.length < sizeof(value));
		memcpy(value, line.at, line.length);
		value[line.length] = '\0';
		return value;
	}
	return NULL;
}

bool
fake_body_is(const struct exchange_fake *fake, const char *text)
{
	return bytes_equal(
	    bytes_of(fake->body, fake->body_length), bytes_from(text));
}
