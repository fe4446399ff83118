/* SPDX-License-Identifier: BSD-2-Clause */
/* confd_text - files into memory, text into a snapshot. See confd.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "policy/policy_build.h"
#include "proc/confd/confd.h"

enum { LINES_AT_ONCE = 20000, BYTES_AT_ONCE = 1 << 20 };

int confd_read(int fd, char **text, size_t *n)
{
	struct stat st;
	size_t have = 0, size;
	char *p;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return E_IO;
	if (st.st_size < 0 || st.st_size > CONFD_TEXT_MAX)
		return E_FULL;
	size = (size_t)st.st_size;
	p = malloc(size + 1);
	if (!p)
		return E_FULL;
	while (have < size) {
		size_t want = size - have;
		ssize_t r = pread(fd, p + have,
				  want < BYTES_AT_ONCE ? want : BYTES_AT_ONCE,
				  (off_t)have);

		program_alive(&C.prog);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			free(p);
			return E_IO;
		}
		if (r == 0)
			break; /* it became shorter: that is what it is now */
		have += (size_t)r;
	}
	*text = p;
	*n = have;
	return OK;
}

static int seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS,
		     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

static int write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t r = write(fd, s.p, s.n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return E_IO;
		s = span_skip(s, (size_t)r);
	}
	return OK;
}

int confd_sealed_fd(const char *name, struct span s)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (write_all(fd, s) != OK || seal(fd) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

int confd_report_fd(struct span report)
{
	return confd_sealed_fd("report", report);
}

struct span confd_text_map(const struct snapshot *s)
{
	struct span none = { NULL, 0 };
	struct stat st;
	void *p;

	if (!s || s->text_fd < 0 || fstat(s->text_fd, &st) != 0 ||
	    st.st_size <= 0)
		return none;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, s->text_fd,
		 0);
	return p == MAP_FAILED ? none : (struct span){ p, (size_t)st.st_size };
}

void confd_text_unmap(struct span text)
{
	if (text.n > 0)
		munmap((void *)(uintptr_t)text.p, text.n);
}

int confd_policy_map(const struct snapshot *s, struct policy *p)
{
	void *map;

	*p = (struct policy){ .blob = { NULL, 0 } };
	if (s->fd < 0) {
		text_str(&C.report, "no configuration is in force\n");
		return E_PEER_ORDER;
	}
	map = mmap(NULL, s->size, PROT_READ, MAP_SHARED, s->fd, 0);
	if (map == MAP_FAILED) {
		text_str(&C.report, "there is not enough memory\n");
		return E_FULL;
	}
	if (policy_open(p, (struct span){ map, s->size }) == OK)
		return OK;
	munmap(map, s->size);
	text_str(&C.report, "the snapshot is damaged\n");
	return E_CORRUPT;
}

static int no_memory(void)
{
	text_str(&C.report,
		 "there is not enough memory for this configuration\n");
	return E_FULL;
}

/* Writable memory for the snapshot: of fd, or ours alone if fd is -1. */
static uint8_t *room(int fd, size_t n)
{
	void *p;

	if (fd >= 0 && ftruncate(fd, (off_t)n) != 0)
		return NULL;
	p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		 fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

/* The second half of the work, into memory of the right size. */
static int build(struct conf_job *job, int fd, size_t need,
		 struct secret_build *secrets, size_t *len)
{
	uint8_t *mem = room(fd, need);
	int r;

	if (!mem)
		return no_memory();
	r = conf_job_build(job, mem, need, secrets, &C.report);
	while (r == OK) {
		r = conf_job_step(job, LINES_AT_ONCE, len);
		confd_open_sealed(job);
		program_alive(&C.prog);
		if (r == OK || r != E_AGAIN)
			break;
		r = OK;
	}
	munmap(mem, need);
	return r;
}

/* For wire, which has no business with domains. -1: no memory. */
static int settings_alone(const struct settings *s)
{
	uint8_t mem[POLICY_BUILD_SETTINGS_MAX];
	size_t n;

	if (policy_build_settings(mem, s, &n) != OK)
		return -1;
	return confd_sealed_fd("settings", (struct span){ mem, n });
}

static int compile(struct conf_job *job, struct snapshot *s, bool keep)
{
	const struct settings *want;
	struct secret_build secrets;
	size_t need, len = 0;
	int fd = -1, r;

	while (conf_job_measure(job, LINES_AT_ONCE) == E_AGAIN)
		program_alive(&C.prog);
	want = conf_job_settings(job);
	s->ports_n = conf_job_ports(job, s->ports);
	s->clock_floor_s = want->clock_floor_set_s;
	if (s->clock_floor_s < confd_clock_floor())
		s->clock_floor_s = confd_clock_floor();
	s->box = want->box;
	s->inbound = want->inbound;
	need = conf_job_need(job);
	if (need == SIZE_MAX || confd_secrets_begin(job, &secrets) != OK)
		return no_memory();
	if (keep)
		fd = memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (keep && fd < 0) {
		(void)confd_secrets_end(&secrets, 0, false);
		return no_memory();
	}
	r = build(job, fd, need, &secrets, &len);
	if (r == OK && keep && (ftruncate(fd, (off_t)len) != 0 || seal(fd)))
		r = no_memory();
	s->size = len;
	s->secrets_fd = confd_secrets_end(&secrets, s->clock_floor_s,
					  r == OK && keep);
	if (r == OK && keep) {
		s->relay_fd = confd_secrets_relay(s->inbound);
		s->wire_fd = settings_alone(want);
		if (s->secrets_fd < 0 || s->relay_fd < 0 || s->wire_fd < 0)
			r = no_memory();
	}
	if (r == OK)
		s->fd = fd;
	else if (fd >= 0)
		close(fd);
	return r;
}

static bool print_all(const struct policy *p, const struct secret_table *t,
		      struct text *out)
{
	if (conf_print_settings(p, t, out) != OK)
		return false;
	for (uint32_t i = 0; i <= p->rules_n && !out->cut; i++) {
		if (conf_print_line(p, i, out) != OK)
			return false;
		if (i % LINES_AT_ONCE == 0)
			program_alive(&C.prog);
	}
	return true;
}

/* The text that re-creates the snapshot of s, whatever it was made from. */
static int print(struct snapshot *s, size_t len)
{
	void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, s->fd, 0);
	struct secret_table t;
	struct policy p;
	bool whole = false;

	if (map == MAP_FAILED)
		return no_memory();
	if (confd_secrets_map(s, &t) != OK) {
		confd_text_unmap(t.blob);
		munmap(map, len);
		return no_memory();
	}
	for (size_t size = 2 * len + 65536; !whole; size *= 2) {
		char *mem = malloc(size);
		struct text out;

		if (!mem)
			break;
		text_init(&out, mem, size);
		if (policy_open(&p, (struct span){ map, len }) != OK ||
		    !print_all(&p, &t, &out)) {
			free(mem);
			break;
		}
		whole = !out.cut;
		if (whole)
			s->text_fd = confd_sealed_fd("configuration",
						     text_done(&out));
		free(mem);
	}
	munmap(map, len);
	confd_text_unmap(t.blob);
	return whole && s->text_fd >= 0 ? OK : no_memory();
}

static uint64_t next_number(void)
{
	uint64_t n = stats_get(C.prog.stats, CNT_COMMITS);

	return 1 + (n > C.number ? n : C.number);
}

/* The text as it is kept: with its passwords sealed. */
static int compile_sealed(struct snapshot *s, struct span text, bool keep)
{
	struct conf_input in = {
		.text = text,
		.builtin_ca = { (const uint8_t *)C.ca, C.ca_n },
		.number = next_number(),
		.floor_s = confd_clock_floor(),
		.clock_unset = confd_clock_unset(),
	};
	void *mem = malloc(conf_job_size());
	int r = E_FULL;

	s->number = in.number;
	if (!mem)
		return no_memory();
	if (getrandom(in.hash_key, sizeof(in.hash_key), 0) ==
	    (ssize_t)sizeof(in.hash_key))
		r = compile(conf_job_init(mem, &in), s, keep);
	if (mem)
		seal_wipe(mem, conf_job_size());
	free(mem);
	if (r == OK && keep)
		r = print(s, s->size);
	if (r != OK)
		confd_drop(s);
	return r;
}

int confd_compile(struct snapshot *s, struct span text, bool keep)
{
	struct text ignored; /* the compiler says it again, in its place */
	char mem[1], *sealed;
	size_t n;
	int r;

	*s = NO_SNAPSHOT;
	text_init(&C.report, C.report_mem, sizeof(C.report_mem));
	text_init(&ignored, mem, sizeof(mem));
	r = confd_seal(text, &sealed, &n, &ignored);
	if (r != OK && r != E_CONF)
		return no_memory();
	if (sealed)
		text = (struct span){ (uint8_t *)sealed, n };
	r = compile_sealed(s, text, keep);
	if (sealed)
		seal_wipe(sealed, n);
	free(sealed);
	return r;
}

void confd_drop(struct snapshot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->secrets_fd >= 0)
		close(s->secrets_fd);
	if (s->relay_fd >= 0)
		close(s->relay_fd);
	if (s->text_fd >= 0)
		close(s->text_fd);
	if (s->wire_fd >= 0)
		close(s->wire_fd);
	s->fd = s->secrets_fd = s->relay_fd = s->text_fd = s->wire_fd = -1;
}
