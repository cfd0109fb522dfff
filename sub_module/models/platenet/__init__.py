"""platenet: the compact model of the embedded default."""
