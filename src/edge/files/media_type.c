#include "edge/files/media_type.h"

/* Longer than any extension of the table. */
#define MEDIA_EXTENSION_BYTES 16

struct media_row {
	struct bytes extension;
	struct bytes type;
};

static const struct media_row media_rows[] = {
#define MEDIA_TYPE(extension, type)                                            \
	{{extension, sizeof(extension) - 1}, {type, sizeof(type) - 1}},
#include "edge/files/media_types.tbl"
#undef MEDIA_TYPE
};

static int
media_compare(struct bytes a, struct bytes b)
{
	int order = memcmp(a.at, b.at, min_of(a.length, b.length));

	if (order != 0)
		return order;
	return (a.length > b.length) - (a.length < b.length);
}

/* What follows the last dot of the last part, unless the dot begins it. */
static struct bytes
media_extension(struct bytes name)
{
	for (size_t i = name.length; i > 1 && name.at[i - 1] != '/'; i--) {
		if (name.at[i - 1] == '.' && name.at[i - 2] != '/')
			return bytes_skip(name, i);
	}
	return bytes_of("", 0);
}

struct bytes
media_type_of(struct bytes name)
{
	struct bytes extension = media_extension(name);
	char lower[MEDIA_EXTENSION_BYTES];
	size_t low = 0, high = array_count(media_rows);

	if (extension.length > sizeof(lower))
		return BYTES("application/octet-stream");
	for (size_t i = 0; i < extension.length; i++) {
		char c = extension.at[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	extension.at = lower;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order =
		    media_compare(extension, media_rows[middle].extension);

		if (order == 0)
			return media_rows[middle].type;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return BYTES("application/octet-stream");
}
