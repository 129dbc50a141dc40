"""What an operator can ask and do, as functions from values to values: for command line, API and pages alike."""
