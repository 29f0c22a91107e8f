"""What works with packages on this machine: locks them, fetches them, and measures how long they take to import."""
