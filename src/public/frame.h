/*
 * frame.h - the search for a border that goes on where it stopped
 *
 * For those who look again as bytes come: a frame that comes byte by byte then
 * costs its length, not the square of it.
 */
#pragma once

#include <weir/frame.h>

/* As weir_frame_find(); the first @looked bytes hold no border. */
ssize_t
frame_find(const struct weir_framing *framing, const unsigned char *bytes,
    size_t length, size_t looked, struct weir_frame *ret_frame);
