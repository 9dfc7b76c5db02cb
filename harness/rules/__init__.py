"""Settings that follow a rule in the size of the model and the length of training instead of being one number."""
