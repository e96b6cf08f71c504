#include "edge/files/range.h"

/* Digits at the head of *@rest. A number too large for 64 bits is beyond the
 * end of every file, so it saturates. Returns false when there is no digit. */
static bool
range_number(struct bytes *rest, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t i = 0;

	for (; i < rest->length; i++) {
		unsigned digit = (unsigned)((unsigned char)rest->at[i] - '0');

		if (digit > 9)
			break;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, digit, &value))
			value = UINT64_MAX;
	}
	if (i == 0)
		return false;
	*rest = bytes_skip(*rest, i);
	*ret_value = value;
	return true;
}

/* Length 0: valid, but beyond the end. Returns false when malformed. */
static bool
range_spec(struct bytes spec, uint64_t size, struct range *ret)
{
	uint64_t first, last = UINT64_MAX;

	if (spec.at[0] == '-') {
		spec = bytes_skip(spec, 1);
		if (!range_number(&spec, &last) || spec.length != 0)
			return false;
		last = min_of(last, size);
		*ret = (struct range){size - last, last};
		return true;
	}
	if (!range_number(&spec, &first) || spec.length == 0 ||
	    spec.at[0] != '-')
		return false;
	spec = bytes_skip(spec, 1);
	if (spec.length != 0 &&
	    (!range_number(&spec, &last) || spec.length != 0 || last < first))
		return false;
	if (first >= size)
		*ret = (struct range){first, 0};
	else
		*ret =
		    (struct range){first, min_of(last, size - 1) - first + 1};
	return true;
}

static bool
range_overlaps(const struct range_set *set, const struct range *range)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct range *other = &set->ranges[i];

		if (range->first < other->first + other->length &&
		    other->first < range->first + range->length)
			return true;
	}
	return false;
}

enum range_verdict
range_parse(struct bytes value, uint64_t size, struct range_set *ret_set)
{
	struct bytes spec;
	bool excessive = false, beyond = false;

	ret_set->count = 0;
	/* No Content-Range can name a part of nothing; the whole of an empty
	 * file answers every question about it. */
	if (size == 0)
		return RANGE_WHOLE;
	if (value.length < 6 ||
	    !bytes_equal_nocase(bytes_of(value.at, 6), BYTES("bytes=")))
		return RANGE_WHOLE;
	value = bytes_skip(value, 6);
	while (bytes_split(&value, ',', &spec)) {
		struct range range;

		spec = bytes_trim(spec);
		if (spec.length == 0)
			continue;
		if (!range_spec(spec, size, &range))
			return RANGE_WHOLE;
		if (range.length == 0) {
			beyond = true;
		} else if (ret_set->count == RANGE_COUNT_MAX ||
		    range_overlaps(ret_set, &range)) {
			excessive = true;
		} else {
			ret_set->ranges[ret_set->count++] = range;
		}
	}
	if (excessive)
		return RANGE_WHOLE;
	if (ret_set->count != 0)
		return RANGE_SOME;
	return beyond ? RANGE_UNSATISFIABLE : RANGE_WHOLE;
}
