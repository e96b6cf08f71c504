/*
 * media_type.h - the media type of a file, by its name
 *
 * Layer      edge/files; pure: no I/O, no clock
 */
#pragma once

#include "base/bytes.h"

/* The Content-Type of a file called @name (the last part of a path, or all of
 * it); "application/octet-stream" for what media_types.tbl does not know. */
struct bytes media_type_of(struct bytes name);
