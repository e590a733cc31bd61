"""The embedded PostgreSQL server: files, locks, start, stop and the watcher process. Standard library only.

Layout of the data folder (`home/postgres`, closed to other users):

    data/         the cluster; the socket and PostgreSQL's own lock lie in it
    server.log    what the server says
    password      password of the role `sdm`, mode 0600
    start.lock    held while someone starts, joins or stops (short)
    users.lock    held shared by every process that uses the server
    server.lock   inherited by the server and all its children: held means some of it is alive
    watcher.lock  held by the watcher
    stopped       there while the server was stopped on purpose under its users

Locks are `flock` locks on open files, so the kernel gives them back whatever happens to a process: a killed user,
watcher or server leaves nothing behind that blocks the next start, and process numbers are never trusted alone.

Whoever needs the server calls `join()`: it starts the server when none is alive and a watcher when none is there.
The watcher is a small process of its own. It stops the server when the last user has gone, and starts it again when
it died while users are there. A killed watcher is replaced by the next `join()`; `leave()` stops the server itself
when it was the last user, so a command ends with its server ended.

Root may not run PostgreSQL. The server then runs as an unprivileged user who owns `data/` alone. It reaches it
through an inherited directory descriptor (`/proc/self/fd/N`), so no parent folder has to be opened to anybody. Programs
which that user cannot reach are copied once to a folder of the system's cache.
"""
