"""What programs say: bytes to Evidence, and findings to bytes; one file per format."""
