/* SPDX-License-Identifier: BSD-2-Clause */
/* flashd - see flashd.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proc/flashd/flashd.h"
#include "store/store.h"

struct flashd F;

static void alive(void)
{
	program_alive(&F.prog);
}

/* --- what boss gives ----------------------------------------------------------- */
/* All of a small file; the length. */
static size_t take(int fd, uint8_t *to, size_t size)
{
	ssize_t n = pread(fd, to, size, 0);

	return n > 0 ? (size_t)n : 0;
}

static void take_file(struct ipc_msg *m)
{
	uint32_t p = m->index;

	if (p < PARTS) {
		if (flash_init(&F.part[p], m->fd[0]) != OK)
			program_die(&F.prog, "%s: %s", part_name((enum part)p),
				    strerror(errno));
		F.has[p] = true;
		m->fd_n = 0;
	} else if (p == FLASH_FILE_KEY) {
		F.key_n = take(m->fd[0], F.key, sizeof(F.key));
	}
}

static void keep_crash(int fd)
{
	static uint8_t text[CRASH_LOG_TEXT];
	size_t n = take(fd, text, sizeof(text));

	if (n == 0 || !F.has[PART_CRASH])
		return;
	if (crash_log_add(&flashd_ops, NULL, (struct span){ text, n },
			  now_unix_ms() / 1000, F.room) != OK)
		program_log(&F.prog, SEV_WARNING,
			    "event=crash-not-recorded error=\"%s\"",
			    strerror(errno));
}

static void take_given(void)
{
	for (uint32_t i = 0; i < F.prog.given_n; i++) {
		struct ipc_msg *m = &F.prog.given[i];

		if (m->type == IPC_FLASH_FILE)
			take_file(m);
		if (m->type == IPC_SLOT_RUNS)
			F.runs = m->number == SLOT_B ? SLOT_B : SLOT_A;
	}
	/* when all partitions are known */
	for (uint32_t i = 0; i < F.prog.given_n; i++) {
		struct ipc_msg *m = &F.prog.given[i];

		if (m->type == IPC_FLASH_FILE && m->index == FLASH_FILE_LAST)
			keep_crash(m->fd[0]);
		if (m->type == IPC_FLASH_FILE && m->fd_n == 1)
			close(m->fd[0]);
	}
	for (enum part p = PART_ENV_A; p <= PART_SLOT_B; p++)
		if (!F.has[p])
			program_die(&F.prog, "no partition %s", part_name(p));
}

/* --- the plan --------------------------------------------------------------------- */
static enum slot_mode mode(void)
{
	struct slot_plan p = slot_plan(&F.install.env);

	return slot_mode(&p, F.runs);
}

static void tell_boss(void)
{
	struct ipc_msg m = { .type = IPC_SLOT_MODE, .number = mode() };

	if (ipc_send(F.prog.boss.fd, ROLE_FLASHD, ROLE_BOSS, &m) != OK)
		program_log(&F.prog, SEV_WARNING, "event=boss-deaf");
}

static int confirm(const char *who)
{
	int r = install_confirm(&F.install);

	if (r == OK)
		program_log(&F.prog, SEV_NOTICE,
			    "event=image-confirmed by=%s slot=%s "
			    "version=" CONFIG_VERSION,
			    who, slot_name(F.runs));
	else
		program_log(&F.prog, SEV_ALARM,
			    "event=image-not-confirmed why=\"%s\"",
			    F.install.why);
	tell_boss();
	return r;
}

/* The other slot was to start, and it is this one: say so, and stay here. */
static void fell_back(void)
{
	struct slot_plan p = slot_plan(&F.install.env);

	program_log(&F.prog, SEV_ALARM,
		    "event=image-fell-back from=%s to=%s starts=%u",
		    slot_name(p.first), slot_name(F.runs), p.boots);
	(void)confirm("boot-loader");
}

/* --- the console ------------------------------------------------------------------ */
/* What the console has sealed, mapped; empty: it has not. */
static struct span map(int fd)
{
	const int seals = F_SEAL_WRITE | F_SEAL_SHRINK;
	struct span none = { NULL, 0 };
	struct stat st;
	void *p;

	if ((fcntl(fd, F_GET_SEALS) & seals) != seals || fstat(fd, &st) != 0 ||
	    st.st_size <= 0 || st.st_size > IMAGE_MAX)
		return none;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? none : (struct span){ p, (size_t)st.st_size };
}

static int say(int r, const char *why)
{
	text_str(&F.answer, why);
	text_str(&F.answer, "\n");
	return r;
}

static int install(struct span file, bool older)
{
	struct image_rules rules = {
		.board = CONFIG_BOARD,
		.version = CONFIG_VERSION,
		.schema = STORE_SCHEMA,
		.room = F.part[PART_SLOT_A + slot_other(F.runs)].size,
		.downgrade = older,
	};
	const char *why;
	struct image m;
	int r = image_parse(&m, file, &why);

	if (r == OK)
		r = image_verify(&m, (struct span){ F.key, F.key_n }, alive,
				 &why);
	if (r != OK) {
		text_str(&F.answer, "the image is refused: ");
		return say(r, why);
	}
	r = image_judge(&m, &rules, &F.answer);
	if (r != OK)
		return r;
	program_log(&F.prog, SEV_NOTICE,
		    "event=image-accepted version=%s slot=%s", m.version,
		    slot_name(slot_other(F.runs)));
	r = install_image(&F.install, file);
	tell_boss();
	if (r != OK)
		return say(r, F.install.why);
	text_str(&F.answer, "version ");
	text_str(&F.answer, m.version);
	text_str(&F.answer, " is in slot ");
	text_str(&F.answer, slot_name(slot_other(F.runs)));
	text_str(&F.answer, "; \"reload\" starts it, on trial\n");
	return OK;
}

static int install_from(int fd, bool older)
{
	struct span file = map(fd);
	int r;

	if (file.n == 0)
		return say(E_CORRUPT, "the file is empty or too large");
	r = install(file, older);
	if (r != OK)
		program_log(&F.prog, SEV_WARNING,
			    "event=image-refused octets=%zu error=%s", file.n,
			    err_name(r));
	munmap((void *)(uintptr_t)file.p, file.n);
	return r;
}

static int confirm_by_hand(void)
{
	if (mode() == SLOT_STEADY)
		return say(E_CONF, "nothing is on trial");
	if (mode() == SLOT_PLANNED)
		return say(E_CONF, "what is on trial has not been started yet");
	return confirm("administrator") == OK ? OK : say(E_IO, F.install.why);
}

static int answer(const struct ipc_msg *m)
{
	switch ((int)m->number) {
	case FLASH_OP_SHOW: flashd_show_slots(); return OK;
	case FLASH_OP_INSTALL:
	case FLASH_OP_INSTALL_OLDER:
		return install_from(m->fd[0],
				    m->number == FLASH_OP_INSTALL_OLDER);
	case FLASH_OP_CONFIRM: return confirm_by_hand();
	case FLASH_OP_CRASHES: flashd_show_crashes(); return OK;
	default: return say(E_CONF, "not known");
	}
}

static void reply(int r)
{
	struct ipc_msg m = { .type = IPC_FLASH_RESULT, .error = r, .fd_n = 1 };
	struct span s = text_done(&F.answer);

	m.fd[0] = memfd_create("answer", MFD_CLOEXEC);
	if (m.fd[0] < 0)
		return; /* the console gives up waiting */
	if (write(m.fd[0], s.p, s.n) != (ssize_t)s.n ||
	    ipc_send(F.console.fd, ROLE_FLASHD, ROLE_CONSOLE, &m) != OK)
		program_log(&F.prog, SEV_WARNING, "event=console-deaf");
	close(m.fd[0]);
}

static void lose_console(void)
{
	int fd = F.console.fd;

	if (fd < 0)
		return;
	loop_del(&F.prog.loop, &F.console);
	close(fd);
	program_peer_lost(&F.prog, ROLE_CONSOLE);
}

static void on_console(struct watch *w, uint32_t events)
{
	struct ipc_msg m;
	int r;

	(void)events;
	while ((r = ipc_recv(w->fd, ROLE_CONSOLE, ROLE_FLASHD, &m)) == OK) {
		text_init(&F.answer, F.answer_mem, sizeof(F.answer_mem));
		reply(answer(&m));
		close(m.fd[0]);
	}
	if (r != E_AGAIN)
		lose_console();
}

static void on_boss(struct program *prog, struct ipc_msg *m)
{
	(void)prog;
	if (m->type == IPC_PEER && m->role == ROLE_CONSOLE) {
		lose_console();
		if (loop_add(&F.prog.loop, &F.console, m->fd[0], EPOLLIN,
			     on_console) == OK)
			m->fd_n = 0;
		F.prog.lost_ms[ROLE_CONSOLE] = 0;
	}
	if (m->type == IPC_HEALTHY && mode() == SLOT_TRIAL)
		(void)confirm("health-check");
	while (m->fd_n > 0)
		close(m->fd[--m->fd_n]);
}

int main(int argc, char **argv)
{
	(void)argc;
	F.console.fd = -1;
	program_start(&F.prog, ROLE_FLASHD, argv);
	take_given();
	if (install_open(&F.install, &flashd_ops, NULL, F.runs, alive) != OK)
		program_die(&F.prog, "environment: %s", F.install.why);
	F.prog.on_boss = on_boss;
	for (uint32_t i = 0; i < F.prog.given_n; i++)
		if (F.prog.given[i].type == IPC_PEER)
			on_boss(&F.prog, &F.prog.given[i]);
	program_sandbox(&F.prog);
	if (mode() == SLOT_FELL_BACK)
		fell_back();
	else
		tell_boss();
	for (;;)
		program_turn(&F.prog, -1);
}
