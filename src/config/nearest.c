#include "config/nearest.h"

#define NEAREST_MAX 64 /* longer words are not compared */

static char
nearest_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Damerau and Levenshtein's distance (optimal string alignment): insertions,
 * deletions, replacements and swaps of neighbours, case apart. */
static size_t
nearest_distance(struct bytes a, struct bytes b)
{
	unsigned char row[3][NEAREST_MAX + 1];

	for (size_t j = 0; j <= b.length; j++)
		row[0][j] = (unsigned char)j;
	for (size_t i = 1; i <= a.length; i++) {
		unsigned char *now = row[i % 3];
		const unsigned char *above = row[(i + 2) % 3];
		const unsigned char *two_above = row[(i + 1) % 3];

		now[0] = (unsigned char)i;
		for (size_t j = 1; j <= b.length; j++) {
			char x = nearest_lower(a.at[i - 1]);
			char y = nearest_lower(b.at[j - 1]);
			int least = above[j - 1] + (x != y);

			least = min_of(least, above[j] + 1);
			least = min_of(least, now[j - 1] + 1);
			if (i > 1 && j > 1 && x == nearest_lower(b.at[j - 2]) &&
			    y == nearest_lower(a.at[i - 2]))
				least = min_of(least, two_above[j - 2] + 1);
			now[j] = (unsigned char)least;
		}
	}
	return row[a.length % 3][b.length];
}

void
nearest_init(struct nearest *nearest, struct bytes word)
{
	*nearest = (struct nearest){
	    .word = word,
	    .edits = max_of(word.length / 3, (size_t)1) + 1,
	};
}

void
nearest_offer(struct nearest *nearest, struct bytes name)
{
	size_t edits;

	if (nearest->word.length > NEAREST_MAX || name.length > NEAREST_MAX ||
	    nearest->word.length == 0)
		return;
	edits = nearest_distance(nearest->word, name);
	if (edits < nearest->edits && edits < name.length) {
		nearest->edits = edits;
		nearest->best = name;
	}
}
