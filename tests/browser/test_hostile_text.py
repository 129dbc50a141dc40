"""Whatever vendors' users write is text, in a real browser too: on no page does any of it act."""

from tests.browser.crawl import crawl
from tests.browser.lived_in import in_both, listed, wait

ATTACKS = (
    "<script>alert(1)</script><script src=//evil.example/x.js></script>",
    '"><img src=x onerror="alert(\'a\')"><svg onload=alert(2)>',
    "'-alert(3)-' javascript:alert(4) {{7*7}} ${7*7}",
    "</title></textarea></style><iframe src=http://evil.example></iframe>",
    "<a href=javascript:alert(5) hx-get=/ hx-on:load=alert(6) data-living>x</a>",
    "<style>@import url(//evil.example/c.css)</style><base href=//evil.example>",
)
FOREIGN = (
    "img[src='x'], iframe, base, svg[onload], a[href^='javascript'], main style, [hx-on\\:load]"
)
"""What would be in a page if an attack had been taken for markup."""


def test_no_page_takes_what_a_stranger_wrote_for_anything_but_text(home, at):
    page = at("/")
    switch, posthog = home.sandboxes["switch"], home.sandboxes["posthog"]
    for number, attack in enumerate(ATTACKS):
        switch.post(
            "tickets",
            subject=attack,
            description=attack,
            tags=[attack[:60]],
            customer_email=f"x{number}@customer.example",
            custom_fields={"team": attack} if number == 1 else {attack[:30]: attack},
        )
    person = {"type": "user", "id": 666, "user": {"email": '"<svg/onload=alert(7)>"@x.example'}}
    refs = in_both(home, page)[0]
    posthog.post("edit", id=refs["product"], fields={"assignee": person})

    def arrived():
        rows = listed(page, "tickets?text=alert&limit=50")
        return sum(len(row["records"]) > 1 for row in rows) >= 2

    wait(home, arrived, "hostile tickets to travel")
    own = wait(home, lambda: listed(page, "tickets?text=onerror"), "the ticket with a picture")
    begin = f"/tickets/{own[0]['id']}"
    seen = {}
    ways = (begin, f"{begin}/why/subject", f"{begin}/why/tags", "/")
    for endpoint in crawl(page, *ways):
        seen[endpoint] = page.locator(FOREIGN).count()
    assert {name: count for name, count in seen.items() if count} == {}
    assert len(seen) > 25
