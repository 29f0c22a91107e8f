"""Ways to handle a connection in a Lambda function, as they are written: one module each."""
