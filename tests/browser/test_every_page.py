"""Every page there is, light, dark and narrow: accessible, and never wider than its screen."""

from tests.browser.crawl import crawl, kinds
from tests.browser.visits import unfit

REACHED_BY_ACTS = {
    "drafts.one",
    "drafts.preview",
    "mappings.compare",
    "problems.preview",
    "rollback.preview",
    "runs.held",
    "runs.preview",
    "tokens.one",
    "values.preview",
    "people.one",
    "provider.begin",
    "provider.back",
}
"""Pages to which no link leads in a home where all is well; the stories go there."""


def test_every_page_is_accessible_and_fits_a_narrow_screen(at):
    page = at("/")
    seen, found = set(), []
    for endpoint in crawl(page, "/"):
        seen.add(endpoint)
        found += unfit(page)
    assert found == []
    assert kinds() - seen <= REACHED_BY_ACTS
