"""What an operator can ask and do, from values to values: for command line, API and pages."""
