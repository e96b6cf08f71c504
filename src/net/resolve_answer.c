#include "net/resolve_answer.h"

#include <stdlib.h>

static size_t
resolve_record_size(uint16_t type)
{
	switch (type) {
	case DNS_A:
		return 4;
	case DNS_AAAA:
		return 16;
	default:
		return sizeof(struct resolve_srv);
	}
}

static bool
resolve_record_add(struct resolve_entry *entry, const struct dns_record *record)
{
	size_t size = resolve_record_size(entry->type);
	char *at;

	if (entry->count == RESOLVE_ADDRESSES_MAX)
		return true;
	at = realloc(entry->records, (entry->count + 1) * size);
	if (at == NULL)
		return false;
	entry->records = at;
	at += entry->count * size;
	if (entry->type == DNS_SRV) {
		struct resolve_srv srv = {record->data.srv.priority,
		    record->data.srv.weight, record->data.srv.port,
		    record->data.srv.target};

		memcpy(at, &srv, sizeof(srv));
	} else {
		/* Both stand at the start of the union. */
		memcpy(at, record->data.aaaa, size);
	}
	entry->count++;
	return true;
}

struct resolve_scan {
	struct dns_record record;
	struct dns_name alias;
	uint32_t alias_ttl;
	bool alias_found;
	bool denied; /* by an SOA above the name */
	uint32_t denied_ttl;
};

/* One pass: records of the type for @name, or an alias of it. */
static enum resolve_outcome
resolve_scan_records(struct resolve_scan *scan, struct dns_reader reader,
    struct resolve_entry *entry, const struct dns_name *name, uint32_t *ttl)
{
	struct dns_record *record = &scan->record;
	unsigned count = 0;
	int r;

	scan->alias_found = false;
	while ((r = dns_read_record(&reader, record)) == 1) {
		if (++count > RESOLVE_RECORDS_MAX)
			return RESOLVE_BROKEN;
		if (record->class != DNS_CLASS_IN)
			continue;
		if (record->section == DNS_AUTHORITY &&
		    record->type == DNS_SOA &&
		    dns_name_within(name, &record->name)) {
			scan->denied = true;
			scan->denied_ttl =
			    min_of(record->ttl, record->data.soa.minimum);
		}
		if (record->section != DNS_ANSWER ||
		    !dns_name_equal(&record->name, name))
			continue;
		if (record->type == DNS_CNAME) {
			scan->alias_found = true;
			scan->alias = record->data.target;
			scan->alias_ttl = record->ttl;
		} else if (record->type == entry->type) {
			*ttl = min_of(*ttl, record->ttl);
			if (!resolve_record_add(entry, record))
				return RESOLVE_NO_MEMORY;
		}
	}
	if (r < 0)
		return RESOLVE_BROKEN;
	if (entry->count > 0)
		return RESOLVE_FOUND;
	return scan->alias_found ? RESOLVE_FOLLOW : RESOLVE_NONE;
}

enum resolve_outcome
resolve_answer_take(struct resolve_entry *entry,
    const struct dns_answer *answer, struct dns_name *name, unsigned *aliases,
    uint32_t *ttl)
{
	struct resolve_scan scan = {.denied = false};
	struct dns_reader reader;
	bool moved = false;

	if (dns_reader_init(
		&reader, bytes_of((char *)answer->message, answer->length)) < 0)
		return RESOLVE_BROKEN;
	for (;;) {
		enum resolve_outcome outcome =
		    resolve_scan_records(&scan, reader, entry, name, ttl);

		if (outcome == RESOLVE_FOLLOW) {
			if (++*aliases > RESOLVE_CNAMES_MAX)
				return RESOLVE_TOO_MANY;
			*name = scan.alias;
			*ttl = min_of(*ttl, scan.alias_ttl);
			moved = true;
			continue;
		}
		if (outcome != RESOLVE_NONE)
			return outcome;
		/* The server followed it to the end, or left that to us. */
		if (moved && !scan.denied && answer->rcode == DNS_NOERROR)
			return RESOLVE_FOLLOW;
		*ttl = min_of(*ttl,
		    scan.denied ? scan.denied_ttl
				: (uint32_t)RESOLVE_FAILURE_S);
		return RESOLVE_NONE;
	}
}
