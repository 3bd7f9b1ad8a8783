"""A shelf keeps what was used last, and no more than it may hold."""

import threading

import pytest

from torchlinear.lab.safety import Refused
from torchlinear.lab.shelf import Shelf


def test_it_forgets_what_was_used_longest_ago() -> None:
    shelf: Shelf[int] = Shelf("no_run", most=3, heaviest=10)
    for place in range(3):
        shelf.put(str(place), place, 1)
    assert shelf.get("0") == 0
    shelf.put("3", 3, 1)
    with pytest.raises(Refused, match="This run is no longer there; ask for it again"):
        shelf.get("1")
    assert list(shelf) == [2, 0, 3]


def test_what_is_heavy_pushes_others_off_but_stays_itself() -> None:
    shelf: Shelf[int] = Shelf("no_run", most=3, heaviest=10)
    shelf.put("a", 1, 5)
    shelf.put("b", 2, 5)
    assert list(shelf) == [1, 2]
    shelf.put("c", 3, 1)
    assert list(shelf) == [2, 3]
    shelf.put("d", 4, 100)  # too heavy for any company
    assert list(shelf) == [4]


def test_a_thing_that_is_put_again_replaces_the_old_one_and_its_weight() -> None:
    shelf: Shelf[int] = Shelf("no_run", most=3, heaviest=10)
    shelf.put("a", 1, 9)
    shelf.put("a", 2, 2)
    shelf.put("b", 3, 8)
    assert list(shelf) == [2, 3]


def test_what_is_in_use_stays_whatever_comes() -> None:
    used = {1, 3}
    shelf: Shelf[int] = Shelf("no_run", most=3, heaviest=10, held=lambda thing: thing in used)
    for place in range(1, 8):
        shelf.put(str(place), place, 4)
    assert list(shelf) == [1, 3, 7]
    used.clear()
    shelf.put("8", 8, 4)
    assert list(shelf) == [7, 8]


def test_threads_may_put_and_look_through_at_once() -> None:
    shelf: Shelf[int] = Shelf("no_run", most=8, heaviest=100)
    wrong: list[int] = []

    def use(first: int) -> None:
        for place in range(first, first + 300):
            shelf.put(str(place), place, 1)
            wrong.extend(thing for thing in shelf if not 0 <= thing < 4_000)

    threads = [threading.Thread(target=use, args=(1_000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(list(shelf)) == 8
