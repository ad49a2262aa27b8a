"""What tests share: servers, a plain connection, and the comparison of two servers."""
