"""What makes acknowledged data survive: the journal written and applied, snapshots, recovery."""
