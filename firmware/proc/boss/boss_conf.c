/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boss_conf - the facts of the board and the options of this start.
 *
 * board.conf has one "name value" a line; '#' begins a comment. What may differ
 * from one start to the next (folders, files) are options.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proc/boss/boss.h"

static int usage(const char *why, const char *what)
{
	fprintf(stderr,
		"boss: %s%s%s\n"
		"usage: boss --board FILE --config FILE [--ca FILE]\n"
		"            [--store DIR --secret FILE] [--run-dir DIR]\n"
		"            [--bin-dir DIR] [--relays N] [--key FILE]\n"
		"            [--tftp PROGRAM]\n",
		why, what ? ": " : "", what ? what : "");
	return E_CONF;
}

static int copy(char *to, size_t size, const char *from, const char *name)
{
	if (strlen(from) >= size)
		return usage("too long", name);
	memcpy(to, from, strlen(from) + 1);
	return OK;
}

static int number(const char *s, uint32_t low, uint32_t high, uint32_t *v)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || n < low || n > high)
		return E_CONF;
	*v = (uint32_t)n;
	return OK;
}

/* led-power, led-encrypting, led-fault; a name nobody knows is an error */
static int lamp(struct boss_conf *c, const char *name, const char *value)
{
	static const char *const names[] = {
		[LAMP_POWER] = "led-power",
		[LAMP_ENCRYPTING] = "led-encrypting",
		[LAMP_FAULT] = "led-fault"
	};

	for (size_t i = 0; i < LAMPS; i++)
		if (strcmp(name, names[i]) == 0)
			return copy(c->lamp[i], sizeof(c->lamp[i]), value,
				    name);
	return E_CONF;
}

static int board_word(struct boss_conf *c, const char *name, const char *value)
{
	if (strcmp(name, "inside") == 0)
		return copy(c->port[INSIDE], sizeof(c->port[0]), value, name);
	if (strcmp(name, "outside") == 0)
		return copy(c->port[OUTSIDE], sizeof(c->port[0]), value, name);
	if (strcmp(name, "management") == 0)
		return copy(c->management, IFNAMSIZ, value, name);
	if (strcmp(name, "clock") == 0)
		return copy(c->clock, sizeof(c->clock), value, name);
	if (strcmp(name, "uid-base") == 0)
		return number(value, 1000, 1u << 30, &c->uid_base);
	if (strcmp(name, "relays") == 0)
		return number(value, 1, IPC_RELAYS_MAX, &c->relays);
	if (strcmp(name, "console") == 0)
		return c->ttys < BOSS_TTYS
			       ? copy(c->tty[c->ttys++], sizeof(c->tty[0]),
				      value, name)
			       : usage("too many consoles", value);
	if (strcmp(name, "watchdog") == 0)
		return copy(c->watchdog, sizeof(c->watchdog), value, name);
	if (strcmp(name, "flash") == 0 && strcmp(value, "mtd") == 0) {
		c->flash = true;
		return OK;
	}
	return lamp(c, name, value);
}

static int board_file(struct boss_conf *c, const char *path)
{
	char line[256], name[64], value[128];
	FILE *f = fopen(path, "re");
	int r = OK;

	if (!f) {
		fprintf(stderr, "boss: %s: %s\n", path, strerror(errno));
		return E_IO;
	}
	for (unsigned n = 1; r == OK && fgets(line, sizeof(line), f); n++) {
		line[strcspn(line, "#\n")] = '\0';
		switch (sscanf(line, " %63s %127s", name, value)) {
		case EOF: continue;
		case 2: r = board_word(c, name, value); break;
		default: r = E_CONF;
		}
		if (r != OK)
			fprintf(stderr, "boss: %s line %u: \"%s\" is wrong\n",
				path, n, line);
	}
	fclose(f);
	return r;
}

static uint32_t cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 1)
		return 1;
	return n < IPC_RELAYS_MAX ? (uint32_t)n : IPC_RELAYS_MAX;
}

static int path_option(struct boss_conf *c, int option, const char *value)
{
	switch (option) {
	case 'c':
		return copy(c->conf_file, sizeof(c->conf_file), value,
			    "--config");
	case 'a': return copy(c->ca_file, sizeof(c->ca_file), value, "--ca");
	case 'r':
		return copy(c->run_dir, sizeof(c->run_dir), value, "--run-dir");
	case 'x':
		return copy(c->bin_dir, sizeof(c->bin_dir), value, "--bin-dir");
	case 's':
		return copy(c->store_dir, sizeof(c->store_dir), value,
			    "--store");
	case 't': return copy(c->tftp, sizeof(c->tftp), value, "--tftp");
	case 'i': return copy(c->key_file, sizeof(c->key_file), value, "--key");
	default:
		return copy(c->secret_file, sizeof(c->secret_file), value,
			    "--secret");
	}
}

int boss_conf_read(struct boss_conf *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "board", required_argument, NULL, 'b' },
		{ "config", required_argument, NULL, 'c' },
		{ "ca", required_argument, NULL, 'a' },
		{ "run-dir", required_argument, NULL, 'r' },
		{ "bin-dir", required_argument, NULL, 'x' },
		{ "store", required_argument, NULL, 's' },
		{ "secret", required_argument, NULL, 'k' },
		{ "tftp", required_argument, NULL, 't' },
		{ "key", required_argument, NULL, 'i' },
		{ "relays", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	const char *board = NULL;
	int o, r = OK;

	*c = (struct boss_conf){ .uid_base = 61000,
				 .bin_dir = "/usr/lib/sealwire",
				 .run_dir = "/run/sealwire",
				 .tftp = "/usr/bin/tftp",
				 .ca_file = "" };
	c->relays = cores();
	opterr = 0;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case 'b': board = optarg; break;
		case 'c':
		case 'a':
		case 'r':
		case 'x':
		case 's':
		case 'i':
		case 't':
		case 'k': r = path_option(c, o, optarg); break;
		case 'n':
			if (number(optarg, 1, IPC_RELAYS_MAX, &c->relays) != OK)
				return usage("--relays", optarg);
			break;
		default: return usage("unknown option", argv[optind - 1]);
		}
		if (r != OK)
			return r;
	}
	if (optind < argc)
		return usage("what is this", argv[optind]);
	if (!board || c->conf_file[0] == '\0')
		return usage("--board and --config are needed", NULL);
	if ((c->store_dir[0] == '\0') != (c->secret_file[0] == '\0'))
		return usage("--store and --secret go together", NULL);
	r = board_file(c, board);
	if (r == OK && (!c->port[INSIDE][0] || !c->port[OUTSIDE][0]))
		return usage("inside or outside is missing in", board);
	if (r == OK && c->flash && c->key_file[0] == '\0')
		return usage("a board with flash needs --key", NULL);
	return r;
}
