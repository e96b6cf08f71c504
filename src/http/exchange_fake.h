/*
 * exchange_fake.h - an exchange without a connection, for unit tests
 *
 * What a handler sends is kept as text: the fields as "Name: value\n" lines,
 * the body as bytes.
 */
#pragma once

#include "http/exchange.h"

#define FAKE_BODY_BYTES (1 << 20)

struct exchange_fake {
	struct exchange ex;
	struct config_route route;
	char fields[8192];
	size_t fields_length;
	char *body;
	size_t body_length;
	uint16_t status;
	int64_t length; /* promised; -1: unknown */
	bool ended;
	/* Called before the body is sent, to play the world meanwhile. */
	void (*meanwhile)(struct exchange_fake *fake);
	void *meanwhile_arg;
};

/* @path  normalised; a '?' begins the query */
void fake_init(
    struct exchange_fake *fake, enum http_method method, const char *path);
void fake_fini(struct exchange_fake *fake);
/* Another request on the same exchange. */
void fake_again(
    struct exchange_fake *fake, enum http_method method, const char *path);
void
fake_ask(struct exchange_fake *fake, enum http_field_id id, const char *value);
/* The value of an answer's field (static buffer), or NULL. */
const char *fake_field(const struct exchange_fake *fake, const char *name);
bool fake_body_is(const struct exchange_fake *fake, const char *text);
