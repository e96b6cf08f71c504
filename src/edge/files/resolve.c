#include "edge/files/resolve.h"

#include <errno.h>

#include "base/error.h"
#include "wire/url.h"

/* The longest suffix of a coding, and the NUL. */
#define RESOLVE_SUFFIX_BYTES 5

int
resolve_error(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -ELOOP:
	case -EXDEV:
	case -ENAMETOOLONG:
	case -ENXIO:
	case -ENODEV:
	case -EINVAL:
		return E_NO_FILE;
	default:
		return error;
	}
}

static struct bytes
resolve_suffix(struct bytes coding)
{
	if (bytes_equal(coding, BYTES("gzip")))
		return BYTES(".gz");
	if (bytes_equal(coding, BYTES("zstd")))
		return BYTES(".zst");
	return BYTES(".br");
}

/* Whether no part of the path is hidden, nor "." or "..": those cannot come
 * from a normalised path, and the kernel would not let them out. */
static bool
resolve_visible(struct bytes path, bool hidden)
{
	bool first = true;
	struct bytes part;

	while (bytes_split(&path, '/', &part)) {
		bool well_known =
		    first && bytes_equal(part, BYTES(".well-known"));

		first = false;
		if (part.length == 0 || part.at[0] != '.' || well_known)
			continue;
		if (!hidden || bytes_equal(part, BYTES(".")) ||
		    bytes_equal(part, BYTES("..")))
			return false;
	}
	return true;
}

/*
 * Unescape @path into @name. An escape may not bring in a separator or an
 * end: what was one part of the path when it was routed stays one.
 */
static int
resolve_unescape(struct bytes path, struct appender *name)
{
	size_t slashes = 0, unescaped = 0;
	int r = url_unescape(path, name);

	if (r < 0)
		return r;
	for (size_t i = 0; i < path.length; i++)
		slashes += path.at[i] == '/';
	for (size_t i = 0; i < name->length; i++) {
		if (name->at[i] == '\0')
			return E_URL_NUL;
		unescaped += name->at[i] == '/';
	}
	return slashes == unescaped ? 0 : E_URL_ESCAPED_SLASH;
}

/* Open the name (NUL added behind it) and say what it is. */
static int
resolve_open(const struct config_files *config, int root, struct appender *name,
    struct resolved *ret)
{
	unsigned flags = config->symlinks ? FILE_FOLLOW : 0;
	int r;

	must(appender_room(name) > 0);
	name->at[name->length] = '\0';
	ret->fd = file_open_beneath(root, name->at, flags);
	if (ret->fd < 0)
		return resolve_error(ret->fd);
	r = file_stat_get(ret->fd, &ret->stat);
	if (r >= 0 && ret->stat.kind == FILE_REGULAR)
		return 0;
	file_close(ret->fd);
	ret->fd = -1;
	if (r < 0)
		return r;
	return ret->stat.kind == FILE_DIRECTORY ? -EISDIR : E_NO_FILE;
}

/* A precompressed sibling instead of the file, when the client prefers one
 * that is there. One that cannot be opened is passed over. */
static void
resolve_coding(const struct config_files *config, int root,
    coding_order codings, struct appender *name, struct resolved *ret)
{
	size_t length = name->length;

	ret->coding = -1;
	for (unsigned i = 0; coding_at(codings, i) >= 0; i++) {
		struct resolved coded = *ret;
		int r;

		append_bytes(name,
		    resolve_suffix(
			config->precompressed[coding_at(codings, i)]));
		r = resolve_open(config, root, name, &coded);
		name->length = length;
		if (r < 0)
			continue;
		file_close(ret->fd);
		ret->fd = coded.fd;
		ret->stat = coded.stat;
		ret->coding = coding_at(codings, i);
		return;
	}
}

/* The first index that is there, or the directory itself for a listing. */
static int
resolve_directory(const struct config_files *config, int root,
    struct appender *name, struct resolved *ret)
{
	size_t length = name->length;
	unsigned flags = config->symlinks ? FILE_FOLLOW : 0;

	for (unsigned i = 0; i < config->index_count; i++) {
		int r;

		append_bytes(name, config->index[i]);
		r = resolve_open(config, root, name, ret);
		if (r != E_NO_FILE && r != -EISDIR)
			return r;
		name->length = length;
	}
	if (!config->listing)
		return E_NO_FILE;
	if (length == 0)
		append_char(name, '.');
	name->at[name->length] = '\0';
	ret->fd = file_open_beneath(root, name->at, flags | FILE_LIST);
	name->length = length;
	if (ret->fd < 0)
		return resolve_error(ret->fd);
	ret->kind = RESOLVED_LISTING;
	return 0;
}

static size_t
resolve_name_bytes(const struct config_files *config, struct bytes path)
{
	size_t index = 1;

	for (unsigned i = 0; i < config->index_count; i++)
		index = max_of(index, config->index[i].length);
	return path.length + index + RESOLVE_SUFFIX_BYTES;
}

int
resolve_path(const struct config_files *config, int root, struct bytes path,
    coding_order codings, struct arena *arena, struct resolved *ret)
{
	size_t capacity = resolve_name_bytes(config, path);
	char *memory = arena_alloc(arena, capacity);
	struct appender name = appender_over(memory, capacity);
	int r;

	*ret = (struct resolved){.fd = -1, .coding = -1};
	if (memory == NULL)
		return -ENOMEM;
	r = resolve_unescape(path, &name);
	if (r < 0)
		return r;
	if (!resolve_visible(appender_bytes(&name), config->hidden))
		return E_NO_FILE;
	if (name.length == 0 || name.at[name.length - 1] == '/')
		r = resolve_directory(config, root, &name, ret);
	else
		r = resolve_open(config, root, &name, ret);
	if (r == -EISDIR) {
		ret->kind = RESOLVED_SLASH;
		return 0;
	}
	if (r < 0)
		return r;
	ret->name = appender_bytes(&name);
	if (ret->kind == RESOLVED_FILE)
		resolve_coding(config, root, codings, &name, ret);
	return 0;
}
