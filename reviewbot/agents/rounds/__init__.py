"""The rounds of agents over a change: triage, security, its second look, test_fix."""
