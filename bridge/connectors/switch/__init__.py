"""Switch Labs CRM."""
