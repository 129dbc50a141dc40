"""Two words of one system that read alike are still two: nobody's choice is flattened."""

from tests.flow.world import World, born


def test_a_finer_word_is_an_edit_though_it_reads_like_the_one_before():
    world = World(names="LH")
    ids = born(world, on="H", status="open")
    world.clock.advance(5)
    world.systems["H"].edit(ids["H"], status="in_progress")
    world.hint("H", ids["H"])
    world.settle()
    (link,) = world.links()
    assert link.sides["H"].fields["status"].shadow == "in_progress"
    world.clock.advance(5)
    world.systems["L"].edit(ids["L"], status="pending")
    world.hint("L", ids["L"])
    world.settle()
    assert world.systems["H"].peek(ids["H"])["status"] == "pending"
    assert world.unsettled() == []
