/*
 * terminal.h - whether a person looks at it
 *
 * Layer      os
 */
#pragma once

#include "base/time.h"

/* A terminal that shows colours, and nobody asked for none (NO_COLOR). */
bool terminal_has_colour(int fd);

/* Sleep the whole process, for what repeats itself before a person. */
void terminal_pause(duration how_long);
