"""Bad input, limits and clients that misbehave."""
