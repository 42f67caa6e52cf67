"""GitHub's API: requests, answers, typed errors; no rule of ours."""
