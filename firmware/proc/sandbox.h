/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_SANDBOX_H
#define PROC_SANDBOX_H

#include "ipc/ipc.h"

/*
 * sandbox - what a program may ask of the kernel once it has all it needs.
 *
 * One allow-list of system calls per role (seccomp). Anything else kills the
 * program; boss sees SIGSYS, says which role it was and starts it again. No
 * role may make an executable mapping, or a socket other than a local pair; none
 * but confd may open a file, and confd only in the folder of the store.
 */

/* From now on files can be opened, made and removed in this folder alone
 * (Landlock; rights of the user stay as they are). Before sandbox_enter. E_IO:
 * the kernel has no Landlock; nothing was changed. */
MUST_CHECK int sandbox_folder(int dirfd);

/* Enter the allow-list of role. Needs no privilege: sets no_new_privs. E_IO:
 * the kernel has no seccomp filters; the caller must not go on. */
MUST_CHECK int sandbox_enter(enum role role);

#endif
