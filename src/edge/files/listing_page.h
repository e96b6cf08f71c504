/*
 * listing_page.h - a directory that was read, written as HTML or JSON
 *
 * Layer      edge/files
 * Memory     LISTING_PIECE_BYTES of the exchange's arena
 */
#pragma once

#include "edge/files/listing.h"

#define LISTING_PIECE_BYTES 16384
/* More than the longest entry: a name of 255 bytes, each of them escaped, in
 * the text (6 bytes each) and in the link (3), and what stands around it. */
#define LISTING_ENTRY_BYTES 3072

/* JSON when the client prefers it, else HTML. */
SUSPENDS
MUST_CHECK
int listing_page_send(struct exchange *ex, const struct listing *listing);

void
listing_entry_html(struct appender *page, const struct listing_entry *entry);
void
listing_entry_json(struct appender *page, const struct listing_entry *entry);

/* Text between tags or in a quoted attribute. */
void append_html(struct appender *page, struct bytes text);
