#include "runtime/switch.h"

#if defined(__aarch64__)
/* d8-d15, x19-x28, x29, x30. */
enum { SWITCH_WORDS = 20, SWITCH_ENTRY = 8, SWITCH_PC = 19 };

/* In assembly: calls the function in the first saved general register with
 * a zero frame pointer and no return address, so that unwinders stop. */
void switch_entry(void);

void *
switch_prepare(void *top, void (*entry)(void))
{
	uintptr_t *frame = (uintptr_t *)top - 2 - SWITCH_WORDS;

	must(((uintptr_t)top & 15) == 0);
	for (unsigned i = 0; i < SWITCH_WORDS; i++)
		frame[i] = 0;
	frame[SWITCH_ENTRY] = (uintptr_t)entry;
	frame[SWITCH_PC] = (uintptr_t)switch_entry;
	return frame;
}
#endif
