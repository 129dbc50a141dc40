"""The pages: views on what operations tell, templates of one set of components. No queries."""
