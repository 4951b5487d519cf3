"""Differentiable architecture search: what differs between algorithms, and the one loop of all.

An algorithm is a way to make the weights of a forward pass from alphas (`relaxations`), a gradient
of the alphas (`gradients`), and how many steps of training lie between two of their updates. Alphas
are few: they, what is drawn for them and their optimiser live on the CPU.
"""
