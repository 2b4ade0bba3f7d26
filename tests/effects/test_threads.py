"""Networks that run side by side don't see each other's handlers."""

import threading

import kprob
from kprob import handlers, tfd


def test_handlers_belong_to_their_thread():
    inside, outside = threading.Event(), threading.Event()
    found = {}

    def network():
        return kprob.sample("x", tfd.Normal(0.0, 1.0))

    def pinned():
        with handlers.condition(data={"x": 100.0}):
            inside.set()
            assert outside.wait(30)
            found["pinned"] = float(network())

    thread = threading.Thread(target=pinned)
    thread.start()
    assert inside.wait(30)
    found["free"] = float(network())
    outside.set()
    thread.join()
    assert found["pinned"] == 100.0 and abs(found["free"]) < 20.0
