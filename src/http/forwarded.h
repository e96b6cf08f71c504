/*
 * forwarded.h - who the client is, and what we tell the server about it
 *
 * Layer      http
 * Sources    RFC 7239; the de-facto X-Forwarded-* fields
 *
 * What a request says about its way is believed only from listed peers
 * (`trust`), and then from the right: the client is the last address that no
 * trusted peer stands for. From anybody else these fields are removed.
 */
#pragma once

#include "http/conn.h"
#include "http/exchange.h"

/* Sets ex->peer, client, scheme, peer_trusted. Returns 0 or -ENOMEM. */
MUST_CHECK
int forwarded_read(struct exchange *ex, const union conn_address *peer);

/* Rewrite the fields of ex->request for the server. Returns 0, -ENOMEM,
 * -E2BIG (no room for a field). */
MUST_CHECK
int forwarded_write(struct exchange *ex, bool forwarded_too);
