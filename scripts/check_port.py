"""Say in one sentence what to type if the dashboard's port is taken: python scripts/check_port.py 8501."""

import socket
import sys

port = int(sys.argv[1])
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        sys.exit(
            f"Port {port} is taken by another program, perhaps by an overbudget that is running already. Type: make run PORT={port + 1}"
        )
