/*
 * features.h - what the worker can do with a request
 *
 * Layer      main
 */
#pragma once

/* Tell the data plane of every feature; once, before the first prepare. */
void features_register(void);
