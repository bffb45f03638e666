"""`moonhand mcp`: a screen as a server of the Model Context Protocol, for assistants.

    command.py     the flags; the screen lives in the main thread, which works off calls one after the other
    transports.py  stdio and streamable HTTP, in a thread of their own
    server.py      the protocol's tools: arguments in, results out, questions to the person at the client
    calls.py       one call, between the two threads
    screen.py      the screen that is kept open from the first call on
    arguments.py, results.py, tools.py, act.py, run.py, replay.py   the five tools

Only `command.py` may be imported without the package `mcp`.
"""
