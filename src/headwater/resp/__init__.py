"""The RESP wire codec: requests in, replies out. No I/O."""
