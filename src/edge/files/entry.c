#include "edge/files/entry.h"

#include "edge/files/media_type.h"

#include <errno.h>
#include <stdlib.h>

/* Two stamps this close may be equal (a tick is at most 10 ms). */
#define ENTRY_STAMP_NS 100000000

/* Two numbers of 16 digits, a dash, a coding, quotes. */
#define ENTRY_ETAG_BYTES 64

static size_t
entry_strings_bytes(const struct entry_options *options)
{
	return options->key.path.length + options->cache_control.length +
	    ENTRY_ETAG_BYTES + HTTP_DATE_BYTES;
}

static struct bytes
entry_string(struct appender *strings, struct bytes text)
{
	const char *at = strings->at + strings->length;

	append_bytes(strings, text);
	return bytes_of(at, text.length);
}

/* Modification time and size, as nginx has them, but to the nanosecond; and
 * the coding, so that no two variants share a tag. */
static struct bytes
entry_etag(
    struct appender *strings, const struct file_stat *stat, struct bytes coding)
{
	const char *at = strings->at + strings->length;

	append_char(strings, '"');
	append_hex(strings, (uint64_t)stat->modified_ns);
	append_char(strings, '-');
	append_hex(strings, stat->size);
	if (coding.at != NULL) {
		append_char(strings, '-');
		append_bytes(strings, coding);
	}
	append_char(strings, '"');
	return bytes_of(at, (size_t)(strings->at + strings->length - at));
}

static struct bytes
entry_date(struct appender *strings, int64_t unix_s)
{
	char date[HTTP_DATE_BYTES];

	http_date_write(date, unix_s);
	return entry_string(strings, bytes_of(date, sizeof(date)));
}

/* Rounds down, also before 1970. */
static int64_t
entry_seconds(int64_t ns)
{
	return ns / 1000000000 - (ns % 1000000000 < 0);
}

/* Adds nothing when there is nothing to say. */
static int
entry_field(struct http_head *head, enum http_field_id id, struct bytes value)
{
	return value.at != NULL ? http_head_add(head, id, value) : 0;
}

static int
entry_fields_make(struct files_entry *entry,
    const struct entry_options *options, struct appender *strings)
{
	struct http_head head;
	struct bytes vary =
	    options->vary ? BYTES("Accept-Encoding") : bytes_of(NULL, 0);
	struct bytes control = bytes_of(NULL, 0), modified;
	int r;

	http_head_init(&head);
	if (options->cache_control.at != NULL)
		control = entry_string(strings, options->cache_control);
	entry->validators.etag =
	    entry_etag(strings, &entry->stat, options->coding);
	entry->validators.modified_s = entry_seconds(entry->stat.modified_ns);
	modified = entry_date(strings, entry->validators.modified_s);
	must(!strings->overflowed);

	if ((r = entry_field(&head, FIELD_CACHE_CONTROL, control)) < 0 ||
	    (r = entry_field(&head, FIELD_VARY, vary)) < 0 ||
	    (r = entry_field(&head, FIELD_ETAG, entry->validators.etag)) < 0 ||
	    (r = entry_field(&head, FIELD_LAST_MODIFIED, modified)) < 0)
		return r;
	entry->validator_count = (uint8_t)head.field_count;
	if ((r = entry_field(&head, FIELD_ACCEPT_RANGES, BYTES("bytes"))) < 0 ||
	    (r = entry_field(&head, FIELD_CONTENT_ENCODING, options->coding)) <
		0 ||
	    (r = entry_field(&head, FIELD_CONTENT_TYPE, entry->type)) < 0)
		return r;
	must(head.field_count <= ENTRY_FIELDS_MAX);
	entry->field_count = (uint8_t)head.field_count;
	memcpy(entry->fields, head.fields,
	    head.field_count * sizeof(head.fields[0]));
	return 0;
}

/*
 * The whole body, or -EAGAIN when it is not the file that @stat describes: a
 * byte more is asked for than there should be, and the stamps must not have
 * moved meanwhile.
 */
static int
entry_body_read(struct files_entry *entry, int fd, char *into)
{
	struct file_stat after;
	ssize_t n = file_read_at(fd, into, entry->stat.size + 1, 0);
	int r;

	if (n < 0)
		return (int)n;
	r = file_stat_get(fd, &after);
	if (r < 0)
		return r;
	if ((uint64_t)n != entry->stat.size || !entry_fresh(entry, &after))
		return -EAGAIN;
	entry->body = bytes_of(into, (size_t)n);
	return 0;
}

int
entry_new(const struct entry_options *options, int fd_take,
    const struct file_stat *stat, struct files_entry **ret_entry)
{
	bool small = stat->size <= ENTRY_BODY_BYTES_MAX;
	size_t strings_bytes = entry_strings_bytes(options);
	size_t bytes = sizeof(struct files_entry) + strings_bytes +
	    (small ? stat->size + 1 : 0);
	struct files_entry *entry = malloc(bytes);
	struct appender strings;
	int r;

	if (entry == NULL) {
		file_close(fd_take);
		return -ENOMEM;
	}
	*entry = (struct files_entry){
	    .references = 1,
	    .key = options->key,
	    .stat = *stat,
	    .fd = fd_take,
	    .type = media_type_of(options->name),
	    .bytes = bytes,
	};
	list_init(&entry->node);
	strings = appender_over(entry + 1, strings_bytes);
	entry->key.path = entry_string(&strings, options->key.path);
	r = entry_fields_make(entry, options, &strings);
	if (r >= 0 && small)
		r = entry_body_read(
		    entry, fd_take, (char *)(entry + 1) + strings_bytes);
	if (r < 0) {
		entry_unref(entry);
		return r;
	}
	if (small) {
		file_close(fd_take);
		entry->fd = -1;
	}
	*ret_entry = entry;
	return 0;
}

bool
entry_stable(const struct files_entry *entry, int64_t wall_ns)
{
	return wall_ns - entry->stat.modified_ns > ENTRY_STAMP_NS &&
	    wall_ns - entry->stat.changed_ns > ENTRY_STAMP_NS;
}

bool
entry_fresh(const struct files_entry *entry, const struct file_stat *stat)
{
	const struct file_stat *known = &entry->stat;

	return known->inode == stat->inode && known->device == stat->device &&
	    known->size == stat->size && known->kind == stat->kind &&
	    known->modified_ns == stat->modified_ns &&
	    known->changed_ns == stat->changed_ns;
}

void
entry_unref(struct files_entry *entry)
{
	must(entry->references > 0);
	if (--entry->references != 0)
		return;
	must(!entry->cached);
	file_close(entry->fd);
	free(entry);
}

int
entry_fields_add(
    const struct files_entry *entry, unsigned count, struct http_head *head)
{
	must(count <= entry->field_count);
	if (head->field_count + count > HTTP_FIELDS_MAX)
		return -E2BIG;
	memcpy(&head->fields[head->field_count], entry->fields,
	    count * sizeof(entry->fields[0]));
	head->field_count = (uint16_t)(head->field_count + count);
	for (unsigned i = 0; i < count; i++)
		head->present |= UINT64_C(1) << entry->fields[i].id;
	return 0;
}
