"""What is done to the environment, and what is to be seen then: a file for each subject."""
