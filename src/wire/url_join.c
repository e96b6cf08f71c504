/*
 * url_join.c - references in the light of the URL they stand in
 */
#include <errno.h>

#include "base/error.h"
#include "wire/url.h"

static void
join_authority(struct appender *into, const struct url *url)
{
	append_literal(into, "//");
	if (url->userinfo.at != NULL) {
		append_bytes(into, url->userinfo);
		append_char(into, '@');
	}
	if (url->host_is_ipv6)
		append_char(into, '[');
	append_bytes(into, url->host);
	if (url->host_is_ipv6)
		append_char(into, ']');
	if (url->port != 0) {
		append_char(into, ':');
		append_u64(into, url->port);
	}
}

/* Everything of @path up to its last slash. */
static struct bytes
join_folder(struct bytes path)
{
	while (path.length > 0 && path.at[path.length - 1] != '/')
		path.length--;
	return path;
}

/* RFC 3986 §5.2.2: which path and query. */
static int
join_path(
    struct appender *into, const struct url *base, const struct url *reference)
{
	size_t start = into->length;
	struct bytes query = reference->query;
	ssize_t length;

	if (reference->host.at != NULL ||
	    bytes_starts_with(reference->path, BYTES("/"))) {
		append_bytes(into, reference->path);
	} else if (reference->path.length == 0) {
		append_bytes(into, base->path);
		if (query.at == NULL)
			query = base->query;
	} else {
		append_bytes(into, join_folder(base->path));
		if (into->length == start)
			append_char(into, '/');
		append_bytes(into, reference->path);
	}
	if (into->length == start)
		append_char(into, '/');
	if (into->overflowed)
		return -ENAMETOOLONG;
	length = url_path_normalise(into->at + start, into->length - start);
	if (length < 0)
		return (int)length;
	into->length = start + (size_t)length;
	if (query.at != NULL) {
		append_char(into, '?');
		append_bytes(into, query);
	}
	return into->overflowed ? -ENAMETOOLONG : 0;
}

int
url_join(const struct url *base, struct bytes reference, struct appender *into)
{
	struct url url;
	int error = url_parse(reference, &url);

	if (error < 0)
		return error;
	append_bytes(into, url.scheme.at != NULL ? url.scheme : base->scheme);
	append_char(into, ':');
	if (url.scheme.at != NULL && url.host.at == NULL)
		return E_URL_BAD_AUTHORITY;
	join_authority(into, url.host.at != NULL ? &url : base);
	return join_path(into, base, &url);
}
