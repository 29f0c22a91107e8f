"""The jobs: one module each, named as in the environment files, with a function `run(run)`."""
