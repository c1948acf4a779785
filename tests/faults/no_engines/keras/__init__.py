# Found by a look at what an interpreter has; never imported.
