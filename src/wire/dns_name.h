/*
 * dns_name.h - domain names, as they stand in messages and as text
 *
 * Layer      wire
 * Memory     256 bytes in the caller's struct; nothing is allocated
 * Limits     labels of 1 to 63 octets, 255 octets in all (RFC 1035 §3.1)
 * Invariant  a name ends with the root label; its case is kept, comparisons
 *            fold ASCII (RFC 4343)
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

#define DNS_NAME_OCTETS  255
#define DNS_LABEL_OCTETS 63
/* Every octet as \DDD, and a dot behind each label. */
#define DNS_NAME_TEXT_BYTES (4 * DNS_NAME_OCTETS)
/* Pointers followed in one name: more than its labels nobody needs. */
#define DNS_NAME_HOPS_MAX 127

/* Uncompressed: length octets, labels, the root label 0 at the end. */
struct dns_name {
	uint8_t length; /* 1..255; 1 is the root */
	uint8_t octets[DNS_NAME_OCTETS];
};

/* The root. */
static inline void
dns_name_init(struct dns_name *name)
{
	name->length = 1;
	name->octets[0] = 0;
}

/*
 * dns_name_from_text - "www.example.com", with or without a dot at the end
 *
 * "\." is a dot inside a label, "\DDD" any octet (RFC 4343 §2.1); "." is the
 * root. Returns 0, E_DNS_BAD_NAME (empty, an empty or too long label, too long,
 * a broken escape).
 */
MUST_CHECK
int dns_name_from_text(struct bytes text, struct dns_name *ret_name);

/* Without a dot at the end, "." for the root; what is not printable, and dots
 * and backslashes in labels, escaped. */
void dns_name_to_text(const struct dns_name *name, struct appender *into);

/* The same but for the case of ASCII letters. */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);
/* The same, letter for letter. */
bool dns_name_equal_case(const struct dns_name *a, const struct dns_name *b);

/* @name is @zone or lies beneath it; everything lies beneath the root. */
bool dns_name_within(const struct dns_name *name, const struct dns_name *zone);

/* Labels, without the root. */
unsigned dns_name_labels(const struct dns_name *name);

/* @suffix behind @name ("www" + "example.com"). 0, E_DNS_BAD_NAME: too long. */
MUST_CHECK
int dns_name_join(struct dns_name *name, const struct dns_name *suffix);

/* Letters in lower case. */
void dns_name_fold(struct dns_name *name);

/*
 * dns_name_vary - a case for each letter, by the bits of @bits in turn
 *
 * A server copies the question; who guesses the id and the port must guess the
 * case too (draft-vixie-dnsext-dns0x20).
 */
void dns_name_vary(struct dns_name *name, const uint8_t *bits, size_t count);

/* For tables; equal names have equal values. */
uint64_t dns_name_hash(const struct dns_name *name, uint64_t seed);

/*
 * dns_name_read - a name in a message, at *@offset
 *
 * Pointers lead strictly backwards, before what was read of the name so far
 * and not into the header; so there is no loop.
 *
 * @offset   moved behind the name, on success only; *@ret_name is undefined
 *           after an error
 * Returns   0; E_DNS_SHORT, E_DNS_BAD_NAME, E_DNS_BAD_POINTER
 */
MUST_CHECK
int
dns_name_read(struct bytes message, size_t *offset, struct dns_name *ret_name);
