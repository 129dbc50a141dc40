"""The spine: receive, observe, deliver, reconcile."""
