/*
 * read_site.h - where the tables of sites, routes and pools meet
 *
 * Layer      config
 */
#pragma once

#include "config/reader.h"

#define CONFIG_BACKLOG_STANDARD "4096"

extern const struct shape shape_sites;
extern const struct shape shape_pools;
extern const struct shape shape_health;

/* What a check is like where nothing is said; its kind is CHECK_NONE. */
void health_defaults(struct reader *reader, struct config_health *health);

/* Into struct config_route, whose site's limits are set already. */
void route_read(struct reader *reader, const struct node *node,
    const struct config_site *site, struct config_route *route);

/* Into struct config_route; the matching keys were read before. */
extern const struct shape shape_files;
extern const struct shape shape_reverse;
extern const struct shape shape_respond;
extern const struct shape shape_redirect;

/* A host of a site, normalised; at == NULL: a mistake, noted. */
struct bytes host_read(struct reader *reader, const struct node *node);

/* The pool that a text names, or NULL: noted. */
const struct config_pool *
pool_named(struct reader *reader, const struct node *node);

/* The index of the listener, made if it is new; -1: noted. */
int listener_add(struct reader *reader, const struct node *node,
    const struct config_address *address, unsigned backlog, bool optional);
