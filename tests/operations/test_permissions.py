"""Who may do what, written down a second time: a change of the table is seen here."""

import pytest

from bridge.operations.permissions import GRANTED, Permission, Role, may

ROWS = """
see                  viewer operator mapper admin
see personal values         operator mapper admin
see the audit               operator mapper admin
tend tickets                operator mapper admin
tend connections            operator mapper admin
change mappings                      mapper admin
write many                           mapper admin
erase                                       admin
manage users                                admin
"""
WANTED = {row[:20].strip(): set(row[20:].split()) for row in ROWS.splitlines() if row.strip()}


def test_every_permission_is_in_the_table():
    assert set(GRANTED) == set(Permission)
    assert set(WANTED) == {permission.value for permission in Permission}


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_its_row_says(role, permission):
    assert may(role, permission) is (role in WANTED[permission])
