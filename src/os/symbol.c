#include "os/symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void
symbols_init(struct symbols *symbols)
{
	*symbols = (struct symbols){.base = NULL};
}

void
symbols_fini(struct symbols *symbols)
{
	if (symbols->file != NULL)
		munmap((void *)symbols->file, symbols->bytes);
	symbols_init(symbols);
}

/* Leaves `file` NULL when it cannot be had. */
static void
symbols_map(struct symbols *symbols, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *file;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(Elf64_Ehdr)) {
		file = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (file != MAP_FAILED) {
			symbols->file = file;
			symbols->bytes = (size_t)st.st_size;
		}
	}
	close(fd);
}

/* @at: of @count things of @size each that lie in the file, or NULL. */
static const void *
symbols_part(const struct symbols *symbols, uint64_t at, uint64_t bytes)
{
	if (at > symbols->bytes || bytes > symbols->bytes - at)
		return NULL;
	return symbols->file + at;
}

static const Elf64_Shdr *
symbols_section(const struct symbols *symbols, uint32_t index)
{
	const Elf64_Ehdr *head = symbols_part(symbols, 0, sizeof(*head));
	const Elf64_Shdr *sections;

	if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
	    head->e_ident[EI_CLASS] != ELFCLASS64 || index >= head->e_shnum)
		return NULL;
	sections = symbols_part(symbols, head->e_shoff,
	    (uint64_t)head->e_shnum * sizeof(*sections));
	return sections != NULL ? &sections[index] : NULL;
}

static const Elf64_Shdr *
symbols_table(const struct symbols *symbols)
{
	const Elf64_Shdr *section;

	for (uint32_t i = 0;; i++) {
		section = symbols_section(symbols, i);
		if (section == NULL || section->sh_type == SHT_SYMTAB)
			return section;
	}
}

/* Fills in the function that @value of the module lies in, if one does. */
static void
symbols_lookup(
    const struct symbols *symbols, uint64_t value, struct symbol *symbol)
{
	const Elf64_Shdr *table = symbols_table(symbols);
	const Elf64_Shdr *strings;
	const Elf64_Sym *at;
	const char *names;

	if (table == NULL)
		return;
	strings = symbols_section(symbols, table->sh_link);
	at = symbols_part(symbols, table->sh_offset, table->sh_size);
	if (strings == NULL || at == NULL)
		return;
	names = symbols_part(symbols, strings->sh_offset, strings->sh_size);
	if (names == NULL || strings->sh_size == 0 ||
	    names[strings->sh_size - 1] != '\0')
		return;
	for (uint64_t i = 0; i < table->sh_size / sizeof(*at); i++) {
		if (ELF64_ST_TYPE(at[i].st_info) != STT_FUNC ||
		    value < at[i].st_value ||
		    value - at[i].st_value >= at[i].st_size ||
		    at[i].st_name >= strings->sh_size)
			continue;
		symbol->function = names + at[i].st_name;
		symbol->offset = value - at[i].st_value;
		return;
	}
}

struct symbol
symbols_find(struct symbols *symbols, uintptr_t address)
{
	struct symbol symbol = {.module = NULL};
	const Elf64_Ehdr *head;
	Dl_info info;
	uint64_t base;

	if (dladdr((void *)address, &info) == 0 || info.dli_fname == NULL)
		return symbol;
	symbol.module = info.dli_fname;
	symbol.offset = address - (uintptr_t)info.dli_fbase;
	if (info.dli_sname != NULL) {
		symbol.function = info.dli_sname;
		symbol.offset = address - (uintptr_t)info.dli_saddr;
		return symbol;
	}
	if (symbols->base != info.dli_fbase) {
		symbols_fini(symbols);
		symbols->base = info.dli_fbase;
		symbols_map(symbols, info.dli_fname);
		/* The program's own name may be relative to where it began. */
		if (symbols->file == NULL)
			symbols_map(symbols, "/proc/self/exe");
	}
	if (symbols->file == NULL)
		return symbol;
	/* Of a program that is not position-independent, addresses as is. */
	head = (const Elf64_Ehdr *)symbols->file;
	base = head->e_type == ET_DYN ? (uintptr_t)info.dli_fbase : 0;
	symbols_lookup(symbols, address - base, &symbol);
	return symbol;
}
