"""Runs a command beside a name server of its own: name_server.py silent|unknown COUNT COMMAND...

To be started in new network and mount namespaces (unshare -n -m). `silent` never answers,
`unknown` says that no name exists. The number of questions is written to the file COUNT.
"""

import fcntl
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_NAME_DOES_NOT_EXIST = b"\x81\x83"


def raise_loopback() -> None:
    """Switch `lo` on; a new network namespace has it switched off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def replace_file(path: str, text: str) -> None:
    """Let `path` hold `text`, in this mount namespace only."""
    with tempfile.NamedTemporaryFile("w", delete=False) as other:
        other.write(text)
    subprocess.run(["mount", "--bind", other.name, path], check=True)
    Path(other.name).unlink()  # the mount keeps it


def main(behaviour: str, count_file: str, *command: str) -> int:
    """Serve until the command ends; return its exit code."""
    raise_loopback()
    replace_file("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    replace_file("/etc/nsswitch.conf", "hosts: files dns\n")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    questions = []

    def serve() -> None:
        while True:
            question, client = server.recvfrom(512)
            questions.append(question)
            if behaviour == "unknown":
                answer = question[:2] + _NAME_DOES_NOT_EXIST + question[4:6] + bytes(6)
                server.sendto(answer + question[12:], client)

    threading.Thread(target=serve, daemon=True).start()
    code = subprocess.run(command, check=False).returncode
    Path(count_file).write_text(str(len(questions)))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
