"""One vendor is down or never answers: the others go on, and it catches up afterwards."""

from itertools import permutations

import pytest

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    ("victim", "how", "said"),
    [(1, "cut", "nobody answers at that address"), (0, "hang", "no answer within")],
)
@pytest.mark.parametrize("kit", ["sqlite"], indirect=True)
def test_one_vendor_harms_no_other(kit, victim, how, said):
    name = kit.holders[victim]
    others = [other for other in kit.holders if other != name]
    assert len(others) >= 2, "nobody is left between whom anything could be carried"
    kit.work(4)
    line = getattr(kit, how)(name)
    kit.work(10)
    for here, there in permutations(others, 2):
        kit.arrives(here, there)
    kit.wait(lambda: said in kit.troubles().get(name, ""), f"the reason: {said}")
    line.mend()
    kit.work(4)
    kit.check()
