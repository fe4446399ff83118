/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef IPC_IPC_H
#define IPC_IPC_H

#include "base/addr.h"
#include "base/err.h"
#include "base/print.h"
#include "base/span.h"

/*
 * ipc - messages between our programs: one table says who may say what to
 * whom, how long it may be and how many descriptors come with it.
 *
 * Each pair of programs has one AF_UNIX SOCK_SEQPACKET socketpair made by boss.
 * A message is a type octet, its body in the fixed layout below (integers
 * little-endian), and descriptors as SCM_RIGHTS. What the table does not allow
 * is E_PEER_SYNTAX: the receiver closes that socket, boss restarts the sender.
 * It never stops the receiver.
 */
enum role {
	ROLE_BOSS,
	ROLE_WIRE,
	ROLE_RELAY,
	ROLE_CONFD,
	ROLE_CONSOLE,
	ROLE_KEYS,
	ROLE_FLASHD,
	ROLE_WITNESS,
	ROLE_NTP, /* it has no socket to anybody: proc/ntp/ntp.c */
	ROLES
};

const char *role_name(enum role r); /* "boss", "wire", ... */

enum {
	IPC_RELAYS_MAX = 16,
	IPC_FDS_MAX = 4,
	IPC_PRINTS_MAX = 16,
	IPC_BODY_MAX = 4096,
	IPC_OCTETS_MAX = 3800, /* of these, what a message can carry freely */
};

enum ipc_type {
	/* boss to any: here is a socket to another program; 1 fd. A second
	 * one for the same role and index replaces the first: it restarted. */
	IPC_PEER = 1,
	/* boss to any: your statistics memory, read-write; 1 fd. */
	IPC_STATS,
	/* boss to console: statistics of a program, read-only; 1 fd. */
	IPC_STATS_OF,
	/* boss to wire: the packet sockets, inside then outside, and that of questions
	 * to resolvers (drivers/tap.h); 3 fds. */
	IPC_PORTS,
	/* boss to console: the listening socket; 1 fd. */
	IPC_LISTEN,
	/* boss to confd: a file open for reading, or the folder of the store; 1
	 * fd. Index: enum conf_file. */
	IPC_CONF_FILE,
	/* confd to boss: the text now in force (memfd); 1 fd. boss gives the
	 * newest one back as CONF_FILE_KEPT when it has to restart confd. */
	IPC_CONF_KEEP,
	/* boss to any: nothing more will come before work begins. */
	IPC_GO,
	/* any to boss: sandbox is on, working. */
	IPC_READY,
	/* any to boss, every IPC_ALIVE_MS: the loop turns. */
	IPC_ALIVE,
	/* confd to boss: intercept these ports; boss to confd, wire and witness:
	 * it is done, or not. The classifier takes these and all that came
	 * before: wire attaches the same list to its sockets and puts back what
	 * the snapshot does not name; witness watches them. Number: the VLAN of
	 * policy/box.h. */
	IPC_INTERCEPT,
	IPC_INTERCEPTED,
	/* confd to wire: a snapshot; 1 fd (sealed memfd). Answered, also for
	 * SNAPSHOT_KEYS and SECRETS. */
	IPC_SNAPSHOT,
	IPC_SNAPSHOT_ACK,
	/* confd to relay: a snapshot, and the certificates as a table of secrets
	 * in which the private keys are empty; it is empty unless the box is a
	 * server (settings, inbound); 2 fds (sealed memfds). */
	IPC_SNAPSHOT_KEYS,
	/* wire to relay: a client has connected and its server has answered;
	 * 2 fds: stream to the client, stream to the server. tls_only: it came
	 * where no mail is taken but inside TLS, by the settings that wire had
	 * when it dialled: relay may have others by now, or not yet. */
	IPC_FLOW_OPEN,
	/* relay to wire: connect this flow's client to another server, or to
	 * the same again. The server stream it had is already closed. */
	IPC_FLOW_DIAL,
	/* wire to relay: the new server stream; 1 fd. Or why there is none. */
	IPC_FLOW_DIALED,
	IPC_FLOW_DIAL_FAILED,
	/* relay to wire, before it closes the stream of this side: all was
	 * said, end with FIN. A stream that closes without this word, because
	 * its message was given up or its relay died, ends with RST. */
	IPC_FLOW_FINISH,
	/* wire to relay: this side sent RST or timed out. Its stream shows end
	 * of file as well. */
	IPC_FLOW_GONE,
	/* console to confd: text of a configuration to check, or to check and
	 * put into force; 1 fd (memfd). Answered by CONF_RESULT; 1 fd (memfd
	 * with the report: empty when all is well). */
	IPC_CONF_CHECK,
	IPC_CONF_LOAD,
	IPC_CONF_RESULT,
	/* console to confd: anything else about configurations; 1 fd (memfd,
	 * may be empty). Answered by CONF_RESULT. */
	IPC_CONF_ASK,
	/* boss to console: a terminal, open for reading and writing; 1 fd.
	 * Index: which one, from 0. */
	IPC_TTY,
	/* confd to keys: the table of secrets that belongs to a snapshot
	 * (secret/secret_table.h), and whether relays may have handshakes signed;
	 * 1 fd (sealed memfd). Answered by SNAPSHOT_ACK. It goes to nobody else,
	 * ever. */
	IPC_SECRETS,
	/* confd to keys: make or look at a key; 1 fd (memfd with a text; see
	 * enum conf_op). Answered by KEY_RESULT; 2 fds: memfds with the answer
	 * for a person, and with the new key as a table of secrets, empty if
	 * there is none. */
	IPC_KEY_ASK,
	IPC_KEY_RESULT,
	/* confd to console: what concerns it of the settings in force; 1 fd
	 * (memfd: the name of the box, LF, its banner). Number: seconds without
	 * a key before a terminal is logged out. */
	IPC_BOX,
	/* confd to boss: client, via and server are address, gateway and syslog
	 * of policy/box.h, number is its VLAN. */
	IPC_MANAGE,
	/* boss to console: where the log goes; 1 fd (connected datagram socket).
	 * Or nowhere any more. */
	IPC_SYSLOG,
	IPC_SYSLOG_OFF,
	/* console to boss: start all of it again in so many seconds; UINT64_MAX:
	 * not any more. Set the clock to this Unix time. Both are answered by
	 * DONE. */
	IPC_RELOAD,
	IPC_CLOCK_SET,
	IPC_DONE,
	/* boss to confd: where the time comes from (enum stats_clock), and what
	 * it was at that moment. Before GO as it is, later when it changes. */
	IPC_CLOCK,
	/* boss to flashd: a partition, open for reading and writing, or a file;
	 * 1 fd. Index: enum part of image/parts.h, or enum flash_file. */
	IPC_FLASH_FILE,
	/* boss to flashd: which slot runs (enum slot of image/slot.h). */
	IPC_SLOT_RUNS,
	/* flashd to boss: is it on trial (enum slot_mode)? */
	IPC_SLOT_MODE,
	/* boss to flashd: what runs is healthy, and has been for a while. */
	IPC_HEALTHY,
	/* console to flashd: about images; 1 fd (sealed memfd, may be empty).
	 * Answered by FLASH_RESULT; 1 fd (memfd with the answer). */
	IPC_FLASH_ASK,
	IPC_FLASH_RESULT,
	/* console to boss: get a file over the management port; 1 fd (memfd:
	 * address, blank, name). Answered by FETCHED; 1 fd (memfd: the file, or
	 * on an error why, for a person). */
	IPC_FETCH,
	IPC_FETCHED,
	/* console to boss: send one; 2 fds (memfds: address, blank, name; the
	 * file). Answered by FETCHED, with nothing in it if it was sent. */
	IPC_SEND,
	/* confd to boss: carry the link of one port to the other (1), or not. */
	IPC_CARRY,
	/* boss to witness: sockets that see what passes a port (drivers/tap.h): for
	 * verify on the outside one, for capture on inside and outside; 3 fds. */
	IPC_TAP,
	/* witness to relay: the key of prints from now on. */
	IPC_PRINT_KEY,
	/* relay to witness: these texts of a connection must not be readable in
	 * what leaves since number, in microseconds of Unix time; tls_only: nor
	 * may anything else of it. */
	IPC_PROTECT,
	/* relay to witness: this connection is in clear, and may be; these texts
	 * are no secret of it. */
	IPC_EXPOSE,
	/* witness to wire: send a frame with this number in it out of the outside
	 * port (proc/witness/witness.h). */
	IPC_CANARY,
	/* console to witness: test yourself; answered by VERIFIED. */
	IPC_VERIFY,
	IPC_VERIFIED,
	/* console to witness: capture frames of mail from now on, up to number
	 * octets, of the ports that are bits in flow, of client alone unless it
	 * has no address, and of its TCP port alone unless that is 0. Number 0:
	 * stop; UINT64_MAX: give what there is. Answered by CAPTURED; 1 fd
	 * (memfd: the file, else empty). */
	IPC_CAPTURE,
	IPC_CAPTURED,
	/* console to witness: show the next session of client, unless it has no
	 * address, that names a recipient of a domain; 1 fd (memfd: the domain, or
	 * empty), in struct stats_watch. Number: which question it is; 0: stop. */
	IPC_WATCH,
	/* relay to witness: what is to be said of this session where it was
	 * captured: that it began (number 0), or that a recipient was let pass (1),
	 * or not, plus 2 * its level, plus 256 * the line of its rule. */
	IPC_JUDGED,
	/* witness to boss: what must not happen has happened. */
	IPC_BREACH,
	/* relay to keys: a step of a log-on, by flow and number, which is another
	 * for every step; octets: ipc_logon.h. Answered, by the same number.
	 * Or it is over, in whatever way, and what keys has of it is forgotten. */
	IPC_LOGON,
	IPC_LOGON_REPLY,
	IPC_LOGON_END,
	/* relay to keys: a signature for a handshake; octets: ipc_sign.h.
	 * Answered by SIGNED with the same flow and number; octets: the
	 * signature, or none with an error: E_CONF no key of that pin may. */
	IPC_SIGN,
	IPC_SIGNED,
	/* console to relay: talk to a server as mail would, and say what there is
	 * (proc/relay/relay_probe.c); octets: its name, or a domain. server:
	 * its address, if there is one, and port. client: the address to
	 * borrow, via: a resolver; neither if it has no address. number: the
	 * level that has to hold, from 1; 0: none. Answered by PROBED, as many
	 * as it takes, with text in octets; number: more follow. Or no more is
	 * wanted of it. */
	IPC_PROBE,
	IPC_PROBED,
	IPC_PROBE_STOP,
	/* relay to wire: connect to server as if from client, or from any server
	 * that has sent mail if that has no address; if server has none, to the
	 * resolver that client was seen to ask. Answered: by PROBE_FLOW with the
	 * same number, which flow it is, whose address and where to, or
	 * E_PEER_GONE none was seen, E_CONF nor one that asks a resolver, E_FULL
	 * no tuple is free; then by FLOW_DIALED or FLOW_DIAL_FAILED. */
	IPC_PROBE_DIAL,
	IPC_PROBE_FLOW,
	/* keys to boss: a certificate of ours ends soon (1), or none does. */
	IPC_EXPIRY,
	/* relay to confd: what domains were seen to have, as records of
	 * policy/learned.h in octets. */
	IPC_LEARNED,
	/* confd to relay: the same, all that is known; 1 fd (sealed memfd).
	 * Comes before the first snapshot. */
	IPC_LEARNED_ALL,
	/* confd to relay: nothing is known any more of the domain in octets, of
	 * none if there are none. */
	IPC_FORGET,
	/* confd to boss: client, server and via are the time servers of
	 * policy/box.h, number is the floor of the clock. After MANAGE. */
	IPC_NTP,
	IPC_TYPES
};

enum flash_file {
	FLASH_FILE_KEY = 8, /* the key that images are signed with, DER */
	FLASH_FILE_LAST,    /* what the kernel said last before it fell */
};

/* What IPC_FLASH_ASK asks for, in its number. On an error the answer says why,
 * for a person. */
enum flash_op {
	FLASH_OP_SHOW = 1, /* answer: the slots and what is in them */
	/* file: an image. Verified in memory, then written into the slot that
	 * does not run, which starts next, on trial. */
	FLASH_OP_INSTALL,
	FLASH_OP_INSTALL_OLDER, /* the same, of an older version too */
	FLASH_OP_CONFIRM,	/* what runs is good */
	FLASH_OP_CRASHES,	/* answer: why the box restarted */
	FLASH_OPS
};

enum conf_file {
	CONF_FILE_FACTORY, /* text that a new box begins with */
	CONF_FILE_CA,	   /* the built-in CA list, PEM */
	CONF_FILE_KEPT,	   /* text that was in force until confd died */
	CONF_FILE_STORE,   /* folder: store/store_dir.h */
	CONF_FILE_SECRET,  /* 32 octets that only this device has */
};

/*
 * What IPC_CONF_ASK asks for. "text" is what comes in the descriptor, "answer"
 * what CONF_RESULT brings in its own; on an error the answer says why, for a
 * person. There is one candidate, which all consoles share: it is the running
 * configuration until the first edit, and again after COMMIT and DISCARD.
 */
enum conf_op {
	/* text: lines of the language; "no ..." takes a setting or domain away.
	 * All lines or none. */
	CONF_OP_EDIT = 1,
	CONF_OP_REPLACE,   /* text: the whole candidate. Not checked yet. */
	CONF_OP_RUNNING,   /* answer: the running configuration */
	CONF_OP_CANDIDATE, /* answer: the candidate */
	/* answer: lines with "+ " and "- " from stored configuration number
	 * (UINT64_MAX: the running one) to the candidate */
	CONF_OP_COMPARE,
	CONF_OP_COMMIT_CHECK,
	/* number: seconds until it is taken back unless CONFIRM comes; 0: for
	 * good: then it is stored before OK is said. */
	CONF_OP_COMMIT,
	CONF_OP_CONFIRM,
	/* number: 0 the last stored one, 1 the one before, ..., UINT64_MAX the
	 * rescue copy: becomes the candidate */
	CONF_OP_ROLLBACK,
	CONF_OP_DISCARD,
	CONF_OP_HISTORY, /* answer: one line for each stored configuration */
	CONF_OP_DOMAIN,	 /* text: a name; answer: which line applies to it */
	CONF_OP_RESCUE,	 /* the running one becomes the rescue copy */
	/* all that is stored is erased, the password too; the factory default
	 * is in force */
	CONF_OP_FACTORY,
	/* text: password. OK: it is the administrator's; E_PEER_ORDER: none is
	 * set yet; E_PEER_SYNTAX: wrong */
	CONF_OP_LOGIN,
	/* text: the new administrator password: at once in the running and in
	 * the stored configuration, without the rest of the candidate */
	CONF_OP_PASSWORD,
	CONF_OP_SECURITY, /* answer: what keeps the secrets of this box */
	/*
	 * Keys and certificates. They are not in the configuration: what is OK
	 * is stored and in force. The first three, and CRYPTO, are also what
	 * confd asks keys, the name then being normal and the words one a line.
	 */
	CONF_OP_KEY_GENERATE, /* text: "ecdsa 256 NAME", "rsa 3072 NAME" */
	CONF_OP_KEY_CSR,      /* text: NAME WORDS...; answer: PEM */
	CONF_OP_KEY_IMPORT,   /* text: a line that ends in NAME, then PEM */
	CONF_OP_KEY_DELETE,   /* text: NAME */
	/* answer: all of them, and CA certificates. To keys: text: how many are
	 * built in, and " unset" if the clock is, then those of one's own */
	CONF_OP_CRYPTO,
	/* text: NAME PIN: mail for the domain leaves to this key alone, and with
	 * "inbound on" comes from it alone; with CONF_PIN_FROM behind it, the
	 * latter only. In force and stored, by itself: not while the candidate
	 * has other changes (E_PEER_ORDER). */
	CONF_OP_PIN,
	/* text: a name, or nothing for all; answer: what was learned */
	CONF_OP_LEARNED,
	/* the same: it is forgotten, in flash too */
	CONF_OP_FORGET,
	/* the same: what was learned becomes lines of the candidate, of level
	 * encrypt at least or, with number 1, pin. answer: the lines */
	CONF_OP_ACCEPT,
	CONF_OPS
};

#define CONF_PIN_FROM " from"

enum { IPC_ALIVE_MS = 300 };

/* Any message, decoded. Which members travel with a type is said by its row in
 * ipc.c, and what they mean above; the others are zero. */
struct ipc_msg {
	enum ipc_type type;
	enum role role; /* PEER, STATS_OF: whose */
	/* PEER, STATS_OF: which relay; TTY, CONF_FILE, FLASH_FILE: which one */
	uint32_t index;
	/* FLOW_*, LOGON*, SIGN*, JUDGED, PROBE_FLOW: which one, never used twice
	 * while wire runs; CAPTURE: ports */
	uint32_t flow;
	enum side side;			/* FLOW_FINISH, FLOW_GONE */
	enum port client_port;		/* FLOW_OPEN: where the client is */
	struct endpoint client, server; /* of a connection, or as said above */
	bool tls_only;			/* FLOW_OPEN, PROTECT */
	struct endpoint via;		/* MANAGE, PROBE, NTP */
	int error;			/* enum err: OK, or what became of it */
	uint64_t number;		/* as said above */
	uint16_t ports[16];		/* INTERCEPT, INTERCEPTED */
	uint32_t ports_n;
	uint32_t clock;			    /* CLOCK */
	bool may_sign;			    /* SECRETS */
	struct print print[IPC_PRINTS_MAX]; /* PROTECT, EXPOSE */
	uint32_t print_n;
	enum conf_op op; /* CONF_ASK, KEY_ASK, KEY_RESULT */
	/* LOGON, LOGON_REPLY, SIGN*, PROBE*, LEARNED, FORGET; received: until
	 * ipc_forget or the next ipc_recv */
	struct span octets;
	int fd[IPC_FDS_MAX]; /* received: the caller's to close */
	uint32_t fd_n;
};

/*
 * Send m on sock from role `from` to role `to`. The descriptors stay the
 * caller's. E_AGAIN: the receiver's queue is full (try when writable);
 * E_PEER_GONE: it is not there any more; E_PEER_SYNTAX: the table has no such
 * message from `from` to `to`, or not with so many descriptors, or there are more
 * than IPC_OCTETS_MAX octets; E_IO: anything else. On an error nothing was sent.
 */
MUST_CHECK int ipc_send(int sock, enum role from, enum role to,
			const struct ipc_msg *m);

/*
 * Receive one message; never blocks. E_AGAIN: none; E_PEER_GONE: the sender has
 * closed; E_PEER_SYNTAX: not in the table for (from, to), wrong length, wrong
 * number of descriptors (all closed): close sock. E_FULL: m is whole but for its
 * descriptors, for which this program had no room. Descriptors are CLOEXEC.
 */
MUST_CHECK int ipc_recv(int sock, enum role from, enum role to,
			struct ipc_msg *m);

/* Wipe the octets that were received last: they can be a password. */
void ipc_forget(void);

#endif
