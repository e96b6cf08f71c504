/*
 * check.h - what only the whole file can tell
 *
 * Layer      config
 */
#pragma once

#include "config/reader.h"

/* Every check below; reader->root is the tree that was read. */
void check_all(struct reader *reader);

/* Sites that share a listener: hosts given twice; sets default_site. */
void check_hosts(struct reader *reader);
/* Routes behind one that takes all of their requests. */
void check_routes(struct reader *reader, const struct node *site_node,
    const struct config_site *site);
void check_pools(struct reader *reader);
/* Folders that are not there. */
void check_roots(struct reader *reader);
