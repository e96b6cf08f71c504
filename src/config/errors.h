/*
 * errors.h - mistakes are noted here, in the order of the file
 *
 * Layer      config
 * Limits     CONFIG_ERRORS_MAX are kept, the first ones of the file
 */
#pragma once

#include "config/config.h"

/* A place in the file; line 0: the whole file. */
struct config_spot {
	int line, column; /* from 1, columns in characters */
	int width; /* characters, at least 1 */
};

/* @remedy  or NULL; copied */
void config_errors_add(struct config_errors *errors, struct config_spot spot,
    const char *remedy, const char *format, ...) PRINTF(4, 5);
void config_errors_warn(struct config_errors *errors, struct config_spot spot,
    const char *remedy, const char *format, ...) PRINTF(4, 5);

/* Say at the end how many did not fit. */
void config_errors_finish(struct config_errors *errors);
