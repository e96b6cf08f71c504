#include "edge/files/negotiate.h"

/* A weight in thousandths (RFC 9110 §12.4.2); malformed: 0. */
static unsigned
negotiate_weight(struct bytes text)
{
	unsigned weight, scale = 100;

	if (text.length == 0 || text.length > 5 || text.at[0] < '0' ||
	    text.at[0] > '1' || (text.length > 1 && text.at[1] != '.'))
		return 0;
	weight = (unsigned)(text.at[0] - '0') * 1000;
	for (size_t i = 2; i < text.length; i++) {
		unsigned digit = (unsigned)((unsigned char)text.at[i] - '0');

		if (digit > 9)
			return 0;
		weight += digit * scale;
		scale /= 10;
	}
	return weight <= 1000 ? weight : 0;
}

/* The name of a list item and its weight; other parameters are passed over. */
static struct bytes
negotiate_item(struct bytes item, unsigned *ret_weight)
{
	struct bytes name = bytes_of("", 0), part;

	*ret_weight = 1000;
	if (bytes_split(&item, ';', &part))
		name = bytes_trim(part);
	while (bytes_split(&item, ';', &part)) {
		part = bytes_trim(part);
		if (part.length >= 2 && (part.at[0] | 0x20) == 'q' &&
		    part.at[1] == '=')
			*ret_weight = negotiate_weight(bytes_skip(part, 2));
	}
	return name;
}

/* One more name and weight of the field @id, over all its lines. */
struct negotiate_walk {
	const struct http_head *request;
	enum http_field_id id;
	unsigned field;
	struct bytes rest;
};

static bool
negotiate_next(
    struct negotiate_walk *walk, struct bytes *ret_name, unsigned *ret_weight)
{
	const struct http_head *head = walk->request;
	struct bytes item;

	for (;;) {
		if (http_list_next(&walk->rest, &item)) {
			*ret_name = negotiate_item(item, ret_weight);
			return true;
		}
		while (walk->field < head->field_count &&
		    (head->fields[walk->field].id != walk->id ||
			head->fields[walk->field].name_length == 0))
			walk->field++;
		if (walk->field == head->field_count)
			return false;
		walk->rest = bytes_of(head->fields[walk->field].value,
		    head->fields[walk->field].value_length);
		walk->field++;
	}
}

/* "x-gzip" is "gzip" (RFC 9110 §8.4.1.3). */
static bool
negotiate_coding_is(struct bytes name, struct bytes coding)
{
	if (bytes_equal_nocase(name, coding))
		return true;
	return bytes_equal(coding, BYTES("gzip")) &&
	    bytes_equal_nocase(name, BYTES("x-gzip"));
}

coding_order
negotiate_codings(const struct http_head *request, const struct bytes *offered,
    unsigned count)
{
	struct negotiate_walk walk = {request, FIELD_ACCEPT_ENCODING, 0, {0}};
	int weights[CODINGS_MAX] = {-1, -1, -1}, identity = -1, any = 0;
	struct bytes name;
	coding_order order = 0;
	unsigned weight;

	if (!http_head_has(request, FIELD_ACCEPT_ENCODING))
		return 0;
	while (negotiate_next(&walk, &name, &weight)) {
		if (bytes_equal(name, BYTES("*")))
			any = (int)weight;
		else if (bytes_equal_nocase(name, BYTES("identity")))
			identity = (int)weight;
		for (unsigned i = 0; i < count; i++) {
			if (negotiate_coding_is(name, offered[i]))
				weights[i] = (int)weight;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		if (weights[i] < 0)
			weights[i] = any;
	}
	for (unsigned position = 0; position < count; position++) {
		int best = -1;

		for (unsigned i = 0; i < count; i++) {
			if (weights[i] > 0 && weights[i] >= identity &&
			    (best < 0 || weights[i] > weights[best]))
				best = (int)i;
		}
		if (best < 0)
			break;
		order |= (coding_order)((best + 1) << (4 * position));
		weights[best] = 0;
	}
	return order;
}

/* How a client that sent Accept likes one type: the weight of the most
 * specific range that covers it. */
struct negotiate_liking {
	int specific; /* -1: nothing covers it; 0 any, 1 type, 2 exact */
	unsigned weight;
};

static void
negotiate_like(struct negotiate_liking *liking, int specific, unsigned weight)
{
	if (specific > liking->specific)
		*liking = (struct negotiate_liking){specific, weight};
}

bool
negotiate_json(const struct http_head *request)
{
	struct negotiate_walk walk = {request, FIELD_ACCEPT, 0, {0}};
	struct negotiate_liking json = {-1, 0}, html = {-1, 0};
	struct bytes name;
	unsigned weight;

	if (!http_head_has(request, FIELD_ACCEPT))
		return false;
	while (negotiate_next(&walk, &name, &weight)) {
		if (bytes_equal(name, BYTES("*/*"))) {
			negotiate_like(&json, 0, weight);
			negotiate_like(&html, 0, weight);
		} else if (bytes_equal_nocase(name, BYTES("application/*"))) {
			negotiate_like(&json, 1, weight);
		} else if (bytes_equal_nocase(name, BYTES("text/*"))) {
			negotiate_like(&html, 1, weight);
		} else if (bytes_equal_nocase(name, BYTES("text/html"))) {
			negotiate_like(&html, 2, weight);
		} else if (bytes_equal_nocase(
			       name, BYTES("application/json"))) {
			negotiate_like(&json, 2, weight);
		}
	}
	if (json.weight != html.weight)
		return json.weight > html.weight;
	return json.weight != 0 && json.specific > html.specific;
}
