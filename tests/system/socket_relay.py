#!/usr/bin/env python3
"""socket_relay.py LISTEN TARGET: what comes to the unix socket LISTEN goes to TARGET and back.

systemd refuses peers whose pid it cannot see; run inside its pid namespace, this is one that it can.
"""
import os
import socket
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    path, target_path = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    listener.listen()
    os.rename(path + ".new", path)
    while True:
        client, _ = listener.accept()
        target = socket.socket(socket.AF_UNIX)
        target.connect(target_path)
        for ends in ((client, target), (target, client)):
            threading.Thread(target=pump, args=ends, daemon=True).start()


main()
