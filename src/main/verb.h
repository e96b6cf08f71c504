/*
 * verb.h - what `weir VERB` runs
 *
 * Layer      main
 */
#pragma once

#include "base/cc.h"

#define VERB(name, function, synopsis, summary, help)                          \
	int verb_##function(int argc, char **argv);
#include "main/verbs.tbl"
#undef VERB
