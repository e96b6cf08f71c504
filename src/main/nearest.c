#include "main/nearest.h"

#include <string.h>

#define NEAREST_WORD_MAX 32

/* Optimal string alignment; three rows of the table are enough. */
static size_t
nearest_edits(const char *a, const char *b)
{
	size_t rows[3][NEAREST_WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *swap;
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > NEAREST_WORD_MAX || b_length > NEAREST_WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_length; j++)
		above[j] = before[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = min_of(above[j] + 1, row[j - 1] + 1);
			row[j] = min_of(
			    row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				row[j] = min_of(row[j], before[j - 2] + 1);
		}
		swap = before;
		before = above;
		above = row;
		row = swap;
	}
	return above[b_length];
}

const char *
nearest_name(const char *word, const char *const *names, size_t count)
{
	size_t limit = min_of(strlen(word) / 2, (size_t)2) + 1;
	const char *best = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t edits = nearest_edits(word, names[i]);

		if (edits < limit) {
			limit = edits;
			best = names[i];
		}
	}
	return best;
}
