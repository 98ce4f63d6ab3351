"""What several benchmarks try guidance on: adenylate kinase, its path, its maps, and the miniature prior."""
