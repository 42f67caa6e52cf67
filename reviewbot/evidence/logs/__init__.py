"""The output of test runners and compilers, as a log keeps it."""
