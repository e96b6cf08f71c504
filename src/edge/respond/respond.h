/*
 * respond.h - fixed answers and redirects
 *
 * Layer      edge/respond
 * Threads    any
 * Limits     a Location has at most REDIRECT_BYTES
 *
 * respond: status, fields and body of the configuration, for every method
 * (HEAD gets no body). redirect: Location from a template, below.
 */
#pragma once

#include "http/server.h"

#define REDIRECT_BYTES 8192

extern const struct feature respond_feature;
extern const struct feature redirect_feature;

/*
 * redirect_expand - fill in the placeholders of @to
 *
 * {scheme} {host} {port} {path} {query} {uri} and {1}..{9}, the captures of a
 * regex route. {host} has its brackets when it is an IPv6 address; {port} is
 * the default of the scheme when the request names none; {uri} is the path
 * and, if there is one, '?' and the query.
 *
 * What must not stand in a URL (RFC 3986) is escaped, so nothing a client
 * sends can end the field. Nor can it choose another host: in the authority
 * of @to a placeholder brings in letters, digits, '.', '-', ':' and brackets
 * as they are and all else escaped, until a '/' ends the authority; and when
 * @to begins with a path, the result never begins with two slashes.
 *
 * Returns 0, or -ENAMETOOLONG when @into overflowed.
 */
MUST_CHECK
int redirect_expand(
    const struct exchange *ex, struct bytes to, struct appender *into);
