"""The system calls that programs in the sandbox do without, as a seccomp filter for bubblewrap.

What it is for: memory that no other limit counts (memfd, System V segments), new namespaces, other processes' memory,
and the parts of the kernel where most of its holes were. The filter is classic BPF, written out here so that it needs
no library on the machine.
Source: https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
"""

import errno
import platform
import struct
from collections.abc import Sequence

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS: the 32-bit word at an offset of struct seccomp_data
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_IF_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06

_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000

_NEW_NAMESPACE = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_SOCKET_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6: there is no network behind the latter two
_X32 = 0x40000000


_ARCHITECTURES = ("x86_64", "aarch64")
_AUDIT_VALUES = (0xC000003E, 0xC00000B7)
_CLONE = (56, 220)
_CLONE3 = (435, 435)
_SOCKET = (41, 198)
_REFUSED = {  # a call's number on each of the architectures
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "personality": (135, 92),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
}


_REFUSED_IN_SIGHT = {  # what Landlock lets programs do to any file of their user; -1: there is no such call
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "fchownat": (260, 54),
    "utime": (132, -1),
    "utimes": (235, -1),
    "futimesat": (261, -1),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}
_FOR_ITSELF = {  # what a process may do to itself only: where the process's id is, and the call's numbers
    "prlimit64": (_FIRST_ARGUMENT, (302, 261)),
    "sched_setaffinity": (_FIRST_ARGUMENT, (203, 122)),
    "sched_setscheduler": (_FIRST_ARGUMENT, (144, 119)),
    "sched_setparam": (_FIRST_ARGUMENT, (142, 118)),
    "sched_setattr": (_FIRST_ARGUMENT, (314, 274)),
    "setpriority": (_SECOND_ARGUMENT, (141, 140)),
    "ioprio_set": (_SECOND_ARGUMENT, (251, 30)),
}
_WHOSE = {"setpriority": 2, "ioprio_set": 3}  # the first argument that means all processes of the user


def build_filter(families: Sequence[int] = _SOCKET_FAMILIES, *, is_alone: bool = True) -> bytes | None:
    """Return the filter in the form of bubblewrap's `--seccomp`, or None for an architecture that it does not know.

    `families`: the kinds of sockets that can be opened. `is_alone`: no other processes and files of the user are in
    sight, so that nothing need be done about them.
    """
    if platform.machine() not in _ARCHITECTURES:
        return None
    column = _ARCHITECTURES.index(platform.machine())
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, _AUDIT_VALUES[column]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
    ]
    for numbers in _REFUSED.values():
        code += [(_IF_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _REFUSE | errno.EPERM)]
    code += [] if is_alone else _refuse_what_reaches_others(column)
    # Its flags lie in memory, where a filter cannot look; told that it is missing, the C library uses clone.
    code += [(_IF_EQUAL, 0, 1, _CLONE3[column]), (_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]
    code += [
        (_IF_EQUAL, 0, 4, _CLONE[column]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_ANY_BIT, 0, 1, _NEW_NAMESPACE),
        (_RETURN, 0, 0, _REFUSE | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code += [(_IF_EQUAL, 1, 0, _SOCKET[column]), (_RETURN, 0, 0, _ALLOW), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for family in families:
        code += [(_IF_EQUAL, 0, 1, family), (_RETURN, 0, 0, _ALLOW)]
    code.append((_RETURN, 0, 0, _REFUSE | errno.EAFNOSUPPORT))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _refuse_what_reaches_others(column: int) -> list[tuple[int, int, int, int]]:
    refuse = (_RETURN, 0, 0, _REFUSE | errno.EPERM)
    code: list[tuple[int, int, int, int]] = []
    for numbers in _REFUSED_IN_SIGHT.values():
        code += [(_IF_EQUAL, 0, 1, numbers[column]), refuse] if numbers[column] >= 0 else []
    for name, (argument, numbers) in _FOR_ITSELF.items():
        checks = [(_LOAD, 0, 0, argument), (_IF_EQUAL, 1, 0, 0), refuse]
        if name in _WHOSE:
            checks += [(_LOAD, 0, 0, _FIRST_ARGUMENT), (_IF_EQUAL, 0, 1, _WHOSE[name]), refuse]
        checks.append((_RETURN, 0, 0, _ALLOW))
        code += [(_IF_EQUAL, 0, len(checks), numbers[column]), *checks]
    return code
