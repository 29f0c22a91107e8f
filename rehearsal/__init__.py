"""What migrations do, tried on a real server before they are merged: to the rows, to who waits, to what is deployed."""
