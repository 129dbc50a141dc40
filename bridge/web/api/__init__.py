"""The API: the same operations as the pages have, as JSON for programs. No queries."""
