"""OpenTelemetry, for those who configured a collector."""
