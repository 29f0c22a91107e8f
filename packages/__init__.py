"""What jobs import besides PyMySQL and the standard library: what a team asks for, what is locked, and the wheels."""
