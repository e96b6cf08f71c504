/*
 * negotiate.h - which of several forms a client prefers
 *
 * Layer      edge/files; pure: no I/O, no clock
 * Sources    RFC 9110 §12.4.2 (weights), §12.5.1 (Accept),
 *            §12.5.3 (Accept-Encoding)
 */
#pragma once

#include "wire/http.h"

/*
 * The codings that a client prefers to none, best first: four bits each from
 * the lowest, 1 + the index of the coding, 0 behind the last.
 */
typedef uint16_t coding_order;
#define CODINGS_MAX 3

static inline int
coding_at(coding_order order, unsigned position)
{
	return (order >> (4 * position) & 15) - 1;
}

/*
 * negotiate_codings - order @offered by the weights of Accept-Encoding
 *
 * @offered  @count <= CODINGS_MAX names in our order of preference, which
 *           decides between equal weights
 *
 * A client that does not send the field gets no coding. The identity is
 * always at hand: we do not answer 406 to one that forbids it.
 */
coding_order negotiate_codings(const struct http_head *request,
    const struct bytes *offered, unsigned count);

/* Whether application/json is preferred to text/html. */
bool negotiate_json(const struct http_head *request);
