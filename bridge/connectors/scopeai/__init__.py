"""ScopeAI."""
