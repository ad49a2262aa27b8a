# Compiled for PING, which is what clients measure first; nothing here needs C types.
