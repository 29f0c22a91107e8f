"""An environment on its way: shown against what is deployed, deployed, destroyed; each with a look before."""
