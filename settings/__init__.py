"""Environment files, validated: typed, frozen settings, or every mistake in them."""
