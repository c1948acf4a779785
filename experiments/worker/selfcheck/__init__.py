"""Does this engine compute what it should? Checked before anything is measured with it.

`python -m experiments.worker.selfcheck JOB.json OUT.json` in a backend's interpreter compares
layers, losses and optimizers with NumPy float64 references, gradients with central differences of
those, and lets tiny networks learn. Gradients are read off weights before and after a training
step, so that they have gone through all that training goes through.

    needs.py                  which of the cases a task needs
    reference.py, steps.py    layers, losses and optimizers in float64
    differences.py            finite differences and relative errors
    cases.py, panel.py        single layers, side by side in one model
    chains.py                 whole networks in small
    layers.py, networks.py, optimizers.py     the checks
    faults.py                 injectable faults, which prove that the checks can fail
"""
