#include "edge/files/answer.h"

#include <errno.h>

#include "edge/files/range.h"
#include "os/clock.h"
#include "os/random.h"

#define ANSWER_BOUNDARY_BYTES 24

/* Whatever makes a GET more than "send the file". */
#define ANSWER_SPECIAL                                                         \
	(UINT64_C(1) << FIELD_RANGE | UINT64_C(1) << FIELD_IF_MATCH |          \
	    UINT64_C(1) << FIELD_IF_NONE_MATCH |                               \
	    UINT64_C(1) << FIELD_IF_MODIFIED_SINCE |                           \
	    UINT64_C(1) << FIELD_IF_UNMODIFIED_SINCE)

/* Some bytes of the file as (a part of) the body. */
SUSPENDS
static int
answer_write(struct exchange *ex, const struct files_entry *entry,
    uint64_t first, uint64_t length)
{
	if (entry->fd >= 0)
		return exchange_send_file(ex, entry->fd, (off_t)first, length);
	return exchange_write(ex, bytes_of(entry->body.at + first, length));
}

/* The head is complete: the bytes first .. first + length - 1 are the body. */
SUSPENDS
static int
answer_part(struct exchange *ex, const struct files_entry *entry,
    uint64_t first, uint64_t length)
{
	int r;

	if (entry->fd < 0)
		return exchange_respond(
		    ex, bytes_of(entry->body.at + first, length));
	r = exchange_begin(ex, (int64_t)length);
	if (r < 0)
		return r;
	r = answer_write(ex, entry, first, length);
	if (r < 0)
		return r;
	return exchange_end(ex);
}

SUSPENDS
static int
answer_whole(struct exchange *ex, const struct files_entry *entry)
{
	int r = entry_fields_add(entry, entry->field_count, &ex->response);

	if (r < 0)
		return r;
	ex->response.status = 200;
	return answer_part(ex, entry, 0, entry->stat.size);
}

SUSPENDS
static int
answer_not_modified(struct exchange *ex, const struct files_entry *entry)
{
	int r = entry_fields_add(entry, entry->validator_count, &ex->response);

	if (r < 0)
		return r;
	ex->response.status = 304;
	return exchange_respond(ex, bytes_of(NULL, 0));
}

/* A short text of our own. */
SUSPENDS
static int
answer_text(struct exchange *ex, uint16_t status, struct bytes text)
{
	int r = http_head_add(&ex->response, FIELD_CONTENT_TYPE,
	    BYTES("text/plain; charset=utf-8"));

	if (r < 0)
		return r;
	ex->response.status = status;
	return exchange_respond(ex, text);
}

SUSPENDS
static int
answer_unsatisfiable(struct exchange *ex, const struct files_entry *entry)
{
	struct bytes range = exchange_format(
	    ex, "bytes */%llu", (unsigned long long)entry->stat.size);
	int r;

	if (range.at == NULL)
		return -ENOMEM;
	r = http_head_add(&ex->response, FIELD_CONTENT_RANGE, range);
	if (r < 0)
		return r;
	return answer_text(
	    ex, 416, BYTES("The file has no byte of the range asked for.\n"));
}

static struct bytes
answer_content_range(struct exchange *ex, const struct files_entry *entry,
    const struct range *range)
{
	return exchange_format(ex, "bytes %llu-%llu/%llu",
	    (unsigned long long)range->first,
	    (unsigned long long)(range->first + range->length - 1),
	    (unsigned long long)entry->stat.size);
}

SUSPENDS
static int
answer_range(struct exchange *ex, const struct files_entry *entry,
    const struct range *range)
{
	struct bytes text = answer_content_range(ex, entry, range);
	int r;

	if (text.at == NULL)
		return -ENOMEM;
	r = entry_fields_add(entry, entry->field_count, &ex->response);
	if (r < 0)
		return r;
	r = http_head_add(&ex->response, FIELD_CONTENT_RANGE, text);
	if (r < 0)
		return r;
	ex->response.status = 206;
	return answer_part(ex, entry, range->first, range->length);
}

/* multipart/byteranges: what stands before each part, and behind the last. */
struct answer_parts {
	char boundary[ANSWER_BOUNDARY_BYTES];
	struct bytes heads[RANGE_COUNT_MAX];
	struct bytes end;
	uint64_t length; /* of the whole body */
};

/* Random, so that nobody can write a file that holds it. */
static void
answer_boundary(char into[ANSWER_BOUNDARY_BYTES])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	unsigned char random[ANSWER_BOUNDARY_BYTES];

	random_fill(random, sizeof(random));
	for (size_t i = 0; i < ANSWER_BOUNDARY_BYTES; i++)
		into[i] = digits[random[i] % 32];
}

static int
answer_parts_make(struct exchange *ex, const struct files_entry *entry,
    const struct range_set *set, struct answer_parts *parts)
{
	answer_boundary(parts->boundary);
	parts->length = 0;
	for (unsigned i = 0; i < set->count; i++) {
		struct bytes range =
		    answer_content_range(ex, entry, &set->ranges[i]);

		if (range.at == NULL)
			return -ENOMEM;
		parts->heads[i] = exchange_format(ex,
		    "%s--%.*s\r\nContent-Type: %.*s\r\n"
		    "Content-Range: %.*s\r\n\r\n",
		    i == 0 ? "" : "\r\n", ANSWER_BOUNDARY_BYTES,
		    parts->boundary, (int)entry->type.length, entry->type.at,
		    (int)range.length, range.at);
		if (parts->heads[i].at == NULL)
			return -ENOMEM;
		parts->length += parts->heads[i].length + set->ranges[i].length;
	}
	parts->end = exchange_format(
	    ex, "\r\n--%.*s--\r\n", ANSWER_BOUNDARY_BYTES, parts->boundary);
	parts->length += parts->end.length;
	return parts->end.at != NULL ? 0 : -ENOMEM;
}

/* All fields of the file but its type, which each part names instead. */
static int
answer_parts_head(struct exchange *ex, const struct files_entry *entry,
    const struct answer_parts *parts)
{
	struct bytes type =
	    exchange_format(ex, "multipart/byteranges; boundary=%.*s",
		ANSWER_BOUNDARY_BYTES, parts->boundary);
	int r;

	if (type.at == NULL)
		return -ENOMEM;
	r = entry_fields_add(entry, entry->field_count - 1, &ex->response);
	if (r < 0)
		return r;
	ex->response.status = 206;
	return http_head_add(&ex->response, FIELD_CONTENT_TYPE, type);
}

SUSPENDS
static int
answer_ranges(struct exchange *ex, const struct files_entry *entry,
    const struct range_set *set)
{
	struct answer_parts parts;
	int r = answer_parts_make(ex, entry, set, &parts);

	if (r < 0)
		return r;
	r = answer_parts_head(ex, entry, &parts);
	if (r < 0)
		return r;
	r = exchange_begin(ex, (int64_t)parts.length);
	for (unsigned i = 0; r >= 0 && i < set->count; i++) {
		r = exchange_write(ex, parts.heads[i]);
		if (r >= 0)
			r = answer_write(ex, entry, set->ranges[i].first,
			    set->ranges[i].length);
	}
	if (r >= 0)
		r = exchange_write(ex, parts.end);
	return r < 0 ? r : exchange_end(ex);
}

/* Range counts for GET alone (RFC 9110 §14.2). */
static enum range_verdict
answer_range_asked(const struct exchange *ex, const struct files_entry *entry,
    struct range_set *ret_set)
{
	struct bytes text = condition_single(&ex->request, FIELD_RANGE);

	if (text.at == NULL || ex->request.method != HTTP_GET ||
	    !condition_range_holds(
		&ex->request, &entry->validators, clock_wall_ns() / 1000000000))
		return RANGE_WHOLE;
	return range_parse(text, entry->stat.size, ret_set);
}

SUSPENDS
static int
answer_special(struct exchange *ex, const struct files_entry *entry)
{
	struct range_set set;

	switch (condition_check(&ex->request, &entry->validators)) {
	case CONDITION_NOT_MODIFIED:
		return answer_not_modified(ex, entry);
	case CONDITION_FAILED:
		return answer_text(
		    ex, 412, BYTES("The file is not the one you mean.\n"));
	case CONDITION_HOLDS:
		break;
	}
	switch (answer_range_asked(ex, entry, &set)) {
	case RANGE_UNSATISFIABLE:
		return answer_unsatisfiable(ex, entry);
	case RANGE_SOME:
		return set.count == 1 ? answer_range(ex, entry, set.ranges)
				      : answer_ranges(ex, entry, &set);
	case RANGE_WHOLE:
		break;
	}
	return answer_whole(ex, entry);
}

/* The entry may go before the exchange does. */
static void
answer_forget(struct exchange *ex)
{
	ex->response.field_count = 0;
	ex->response.present = 0;
}

int
answer_file(struct exchange *ex, const struct files_entry *entry)
{
	int r = likely((ex->request.present & ANSWER_SPECIAL) == 0)
	    ? answer_whole(ex, entry)
	    : answer_special(ex, entry);

	answer_forget(ex);
	return r;
}

int
answer_page(
    struct exchange *ex, const struct files_entry *entry, uint16_t status)
{
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < entry->field_count; i++) {
		const struct http_field *field = &entry->fields[i];

		if (field->id == FIELD_VARY ||
		    field->id == FIELD_CONTENT_ENCODING ||
		    field->id == FIELD_CONTENT_TYPE)
			r = http_head_add(&ex->response,
			    (enum http_field_id)field->id,
			    bytes_of(field->value, field->value_length));
	}
	if (r >= 0) {
		ex->response.status = status;
		r = answer_part(ex, entry, 0, entry->stat.size);
	}
	answer_forget(ex);
	return r;
}
