"""What ``python -u -c TEXT`` does, in a process that is forked: ``python forked_python.py SOCKET -u -c TEXT``.

Only the text is passed on, with this process's input and outputs. It is run as a file, and imports little: pytest-xdist
starts one for each process that it runs tests in, see :mod:`properties.session.fork_server`.
"""

import signal
import socket
import sys

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the fork's to handle
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(sys.argv[1])
        socket.send_fds(server, [sys.argv[-1].encode()], [0, 1, 2])
        server.recv(1)  # nothing ever comes: the fork has ended
