"""Mutation testing of the modules that hold rules: small changes of the code, each of which a test must notice.

`make mutate ARGS=metrics/monitoring/rules.py` takes minutes for one module; it is not part of the gate. The mutations
and their places in the code come from Cosmic Ray, with those of operators.py beside its own; modules.toml says which
tests are asked about which module, and which surviving change is none (equivalent.toml, with the reason).
"""
