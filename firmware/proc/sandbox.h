/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROC_SANDBOX_H
#define PROC_SANDBOX_H

#include "ipc/ipc.h"

/*
 * sandbox - what a program may ask of the kernel once it has all it needs.
 *
 * One allow-list of system calls per role (seccomp). Anything else kills the
 * program; boss sees SIGSYS, says which role it was and starts it again. No
 * role but boss may make an executable mapping, or a socket other than a local pair;
 * none but boss and confd may open a file, and confd only in the folder of the store.
 *
 * The list of boss is a wide one: the programs that it starts inherit it, with the
 * loader and all that they do before they enter their own, and so does BusyBox's tftp.
 * What is not in it is ENOSYS, as with a kernel that does not have it: nobody
 * starts boss again as boss does the others. So boss, and whoever took it over, cannot
 * mount, trace or read other processes, load code into the kernel (modules, BPF, kexec),
 * open raw or stream sockets of IP, make or enter namespaces, change root, make
 * devices, or use io_uring, keyrings and perf.
 */

/* From now on files can be opened, made and removed in this folder alone
 * (Landlock; rights of the user stay as they are). Before sandbox_enter. E_IO:
 * the kernel has no Landlock; nothing was changed. */
MUST_CHECK int sandbox_folder(int dirfd);

/* Enter the allow-list of role. Needs no privilege: sets no_new_privs. E_IO:
 * the kernel has no seccomp filters; the caller must not go on. */
MUST_CHECK int sandbox_enter(enum role role);

#endif
