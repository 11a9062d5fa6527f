// A name that says nothing.
