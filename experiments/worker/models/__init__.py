"""One module per model, found by the builder's name in a task's configuration.

Each has `build(engine, spec, extra)`, which returns an uncompiled Keras model. `spec` is the task's
`model` section; `extra` is what the data's preparation knows (plus `input_shape`, one sample's
shape).
"""
