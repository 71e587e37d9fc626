"""Attempts to get out of the sandbox, or to learn what it hides. Each prints "held" when it did not succeed.

A probe is Python text with these names at hand: `libc`, `call(number, *arguments)` for system calls, which gives the
error number or 0, `denied(function)`, which says whether an OSError was raised, and the `facts` of the test: the port
of a server of this machine, a secret file, the parent's process id.
"""

from typing import Final

PRELUDE: Final = """
import ctypes, errno, json, os, platform, re, resource, signal, socket, stat, struct, subprocess, sys, threading, time
from pathlib import Path
facts = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
X86 = platform.machine() == "x86_64"
def call(number, *arguments):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(number, *arguments) == -1 else 0
def denied(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        return True
    return False
def denied_limit(which):
    try:
        resource.setrlimit(which, (resource.getrlimit(which)[1] + 1,) * 2)
    except (OSError, ValueError):
        return True
    return False
def held(whether, why=""):
    print("held" if whether else f"ESCAPED {why}")
"""

PROBES: Final[dict[str, str]] = {
    "network: TCP to this machine": """
        held(denied(socket.create_connection, ("127.0.0.1", facts["port"]), 2))""",
    "network: UDP outside": """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: held(denied(s.sendto, b"x", ("192.0.2.1", 9)))""",
    "network: IPv6": """
        held(denied(socket.create_connection, ("2001:db8::1", 80), 2))
        held(denied(socket.create_connection, ("::1", facts["port"]), 2))""",
    "network: raw sockets": """
        held(denied(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1))""",
    "network: packet sockets": """
        held(denied(socket.socket, 17, socket.SOCK_RAW, 3))""",
    "network: every other family": """
        open_ones = [n for n in range(50) if n not in (1, 2, 10) and not denied(socket.socket, n, socket.SOCK_DGRAM)]
        held(not open_ones, open_ones)""",
    "network: netlink": """
        held(denied(socket.socket, 16, socket.SOCK_RAW, 0))""",
    "network: vsock to the hypervisor": """
        held(denied(socket.socket, 40, socket.SOCK_STREAM))""",
    "network: kernel crypto sockets": """
        held(denied(socket.socket, 38, socket.SOCK_SEQPACKET))""",
    "network: interfaces are not seen": """
        lines = Path("/proc/net/dev").read_text().splitlines()[2:]
        held(all(line.strip().startswith("lo:") for line in lines), lines)""",
    "network: DNS": """
        held(denied(socket.getaddrinfo, "example.org", 80))""",
    "sockets: abstract ones of this machine": """
        s = socket.socket(socket.AF_UNIX); held(denied(s.connect, "\\0" + facts["abstract"]))""",
    "sockets: unix ones in the file system": """
        s = socket.socket(socket.AF_UNIX); held(denied(s.connect, facts["socket"]))""",
    "files: of other users": """
        held(all(denied(open, each) for each in ("/etc/passwd", "/etc/shadow", "/root/.bashrc", facts["secret"])))""",
    "files: the project's own": """
        held(denied(os.listdir, facts["project"]))""",
    "files: through /proc/1/root and cwd": """
        held(denied(open, "/proc/1/root" + facts["secret"]) and denied(open, "/proc/1/cwd/" + facts["secret"]))""",
    "files: through the parent's descriptors": """
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for fd in os.listdir(f"/proc/{pid}/fd") if os.access(f"/proc/{pid}/fd", os.R_OK) else []:
                try: found.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
                except OSError: pass
        ours = ("/dev/null", "/work", "/tmp", "/proc", "/memfd:sandbox", "pipe:", "anon_inode:")
        held(all(each.startswith(ours) and each != facts["pipe"] for each in found), found)""",
    "files: inherited descriptors": """
        paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
        mine = [os.readlink(path) for path in paths if os.path.exists(path)]
        held(all(each.startswith(("/proc/", "/work")) for each in mine), mine)""",
    "files: the system is read-only": """
        folders = ("/", "/usr", "/usr/bin", "/etc", "/lib", "/dev", "/proc", "/opt", sys.prefix)
        held(all(denied(open, f"{each}/new", "w") for each in folders))""",
    "files: remounting the system": """
        libc.mount(None, b"/", None, 0x20 | 0x1000, None); held(denied(open, "/usr/new", "w"))""",
    "files: device nodes": """
        held(denied(os.mknod, "/work/sda", 0o666 | stat.S_IFBLK, os.makedev(8, 0)))
        held(denied(os.mknod, "/tmp/mem", 0o666 | stat.S_IFCHR, os.makedev(1, 1)))""",
    "devices: only the harmless ones": """
        harmless = "null zero full random urandom tty stdin stdout stderr fd core pts ptmx shm console".split()
        held(not set(os.listdir("/dev")) - set(harmless), os.listdir("/dev"))
        held(denied(open, "/dev/mem", "rb"))
        held(denied(open, "/dev/kmsg", "rb"))""",
    "links: hard links to the system": """
        held(denied(os.link, "/usr/bin/env", "/work/env"))""",
    "processes: of this machine are not seen": """
        held(max(int(each) for each in os.listdir("/proc") if each.isdigit()) < 20)""",
    "processes: signals to outside": """
        held(denied(os.kill, facts["parent"], 0))""",
    "processes: ptrace": """
        held(call(101 if X86 else 117, 16, os.getppid(), 0, 0) == errno.EPERM)""",
    "processes: another one's memory": """
        held(call(310 if X86 else 270, 1, 0, 0, 0, 0, 0) == errno.EPERM)
        held(call(311 if X86 else 271, 1, 0, 0, 0, 0, 0) == errno.EPERM)""",
    "processes: descriptors by pidfd_getfd": """
        held(call(438, 0, 0, 0) == errno.EPERM)""",
    "namespaces: new ones": """
        flags = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
        held(all(libc.unshare(each) == -1 for each in flags))""",
    "namespaces: by clone and clone3": """
        held(call(56 if X86 else 220, 0x10000000 | 17, 0, 0, 0, 0) == errno.EPERM)
        held(call(435, 0, 0) == errno.ENOSYS)""",
    "namespaces: joining others": """
        held(call(308 if X86 else 268, 0, 0) == errno.EPERM)""",
    "mounts: by every call": """
        held({libc.mount(b"none", b"/tmp", b"tmpfs", 0, None), libc.umount2(b"/work", 2), libc.chroot(b"/tmp")} == {-1})
        held(all(call(each, 0, 0, 0, 0, 0) == errno.EPERM for each in (428, 429, 430, 431, 432, 433, 442)))""",
    "chroot: the old way out": """
        os.makedirs("/work/jail")
        held(libc.chroot(b"/work/jail") == -1)
        held(denied(os.chroot, "/work/jail"))""",
    "rights: setuid programs give none": """
        for each in ("/usr/bin/su", "/usr/bin/sudo", "/usr/bin/mount", "/usr/bin/passwd"):
            if os.path.exists(each):
                subprocess.run([each, "--version"], stdin=subprocess.DEVNULL, capture_output=True)
        held("NoNewPrivs:\\t1" in Path("/proc/self/status").read_text())
        held(denied(os.setuid, 0))
        held(os.getuid() == 65534)""",
    "rights: no capability is left": """
        status = Path("/proc/self/status").read_text()
        sets = re.findall(r"Cap(?:Eff|Prm|Inh|Bnd|Amb):\\s*(\\w+)", status)
        held(len(sets) == 5 and not any(int(each, 16) for each in sets), sets)""",
    "rights: setuid bits on own files": """
        Path("/work/s").write_bytes(b"#!/bin/sh\\nid -u"); os.chmod("/work/s", 0o6777)
        held(subprocess.run(["/work/s"], capture_output=True).stdout.strip() == b"65534")""",
    "kernel: modules": """
        held(call(175 if X86 else 105, 0, 0, 0) == errno.EPERM)
        held(call(313 if X86 else 273, 0, 0, 0) == errno.EPERM)""",
    "kernel: bpf": """
        held(call(321 if X86 else 280, 0, 0, 0) == errno.EPERM)""",
    "kernel: perf events": """
        held(call(298 if X86 else 241, 0, 0, -1, -1, 0) == errno.EPERM)""",
    "kernel: io_uring": """
        held(call(425, 8, 0) == errno.EPERM)""",
    "kernel: userfaultfd": """
        held(call(323 if X86 else 282, 0) == errno.EPERM)""",
    "kernel: keyrings": """
        held(call(250 if X86 else 219, 0, -3, 1) == errno.EPERM)
        held(call(248 if X86 else 217, 0, 0, 0, 0, 0) == errno.EPERM)""",
    "kernel: log and another kernel": """
        held(libc.klogctl(3, None, 0) == -1 and call(246 if X86 else 104, 0, 0, 0, 0) == errno.EPERM)""",
    "kernel: clocks and the host's name": """
        held(denied(time.clock_settime, time.CLOCK_REALTIME, 0.0))
        held(libc.sethostname(b"x", 1) == -1)
        held(socket.gethostname() == "sandbox")""",
    "kernel: settings in /proc and /sys": """
        held(denied(open, "/proc/sys/kernel/core_pattern", "w"))
        held(denied(open, "/proc/sysrq-trigger", "w"))
        held(not os.path.exists("/sys/kernel"))""",
    "kernel: reboot and swap": """
        held(call(169 if X86 else 142, 0xFEE1DEAD, 672274793, 0, 0) != 0 and libc.swapoff(b"/x") == -1)""",
    "memory: none that no limit counts": """
        held(call(319 if X86 else 279, b"x", 0) == errno.EPERM)
        held(call(29 if X86 else 194, 0, 4096, 0o1600) == errno.EPERM)
        held(call(240 if X86 else 180, b"x", 64, 0, 0) == errno.EPERM)""",
    "memory: shared with this machine": """
        held(os.listdir("/dev/shm") == [])""",
    "terminal: no characters are put into it": """
        import fcntl, termios
        held(denied(os.open, "/dev/tty", os.O_RDWR))
        held(denied(fcntl.ioctl, 0, termios.TIOCSTI, b"x"))""",
    "secrets: the environment": """
        held(facts["key"] not in str(dict(os.environ)))
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try: held(facts["key"].encode() not in Path(f"/proc/{pid}/environ").read_bytes())
            except OSError: pass""",
    "secrets: command lines": """
        for pid in filter(str.isdigit, os.listdir("/proc")):
            held(os.getpid() == int(pid) or facts["key"].encode() not in Path(f"/proc/{pid}/cmdline").read_bytes())""",
    "limits: cannot be raised": """
        held(denied_limit(resource.RLIMIT_CPU))
        held(denied_limit(resource.RLIMIT_NOFILE))
        held(denied_limit(resource.RLIMIT_NPROC))
        held(denied_limit(resource.RLIMIT_FSIZE))""",
    "limits: descriptors": """
        held(denied(lambda: [os.open("/dev/null", 0) for _ in range(100_000)]))""",
    "limits: one thread more than allowed": """
        import _thread
        threading.stack_size(65536); libc.mallopt(-8, 1)  # M_ARENA_MAX: else memory ends before threads do
        until_the_end, started = _thread.allocate_lock(), 0
        until_the_end.acquire()
        try:
            while started < 200: _thread.start_new_thread(until_the_end.acquire, ()); started += 1
        except RuntimeError: pass
        held(16 < started < 200, started); sys.stdout.flush(); os._exit(0)""",
    "personality: addresses stay random": """
        held(call(135 if X86 else 92, 0x0040000) == errno.EPERM)""",
    "handles: files by handle": """
        held(call(304 if X86 else 265, 0, 0, 0) == errno.EPERM)
        held(call(303 if X86 else 264, 0, 0, 0, 0, 0) == errno.EPERM)""",
    "other calls: 32-bit ones": """
        code = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 39)"
        held(not X86 or subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGSYS)""",
}
