"""A client that is made when it is first needed is made once, also if several threads need it at the same time."""

from __future__ import annotations

import threading

from imagegen.adapters.clients import made_once


def test_two_threads_that_need_a_client_at_once_get_the_same_one() -> None:
    """The second thread comes while the first one is making the client."""
    made: list[object] = []
    got: list[object] = []

    def make() -> object:
        client = object()
        made.append(client)
        if len(made) == 1:
            second.start()
            # Without a lock it would make a client of its own and end; with one it waits for this client.
            second.join(0.2)
        return client

    get = made_once(make)
    second = threading.Thread(target=lambda: got.append(get()))
    first = get()
    second.join()
    assert (made, got) == ([first], [first])
    assert get() is first
