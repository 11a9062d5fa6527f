// The example is not here.
