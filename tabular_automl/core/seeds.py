"""Randomness by derivation: every draw has its own seed, so results do not depend on order."""

import hashlib

import numpy as np


def derive_seed(seed: int, purpose: str, *parts: str | int) -> int:
    """Derive a 31-bit seed from the user's seed, a purpose and what it is for.

    >>> derive_seed(0, "fold fit", "candidate", 3) == derive_seed(0, "fold fit", "candidate", 3)
    True
    """
    text = "\x1f".join([str(seed), purpose, *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def derive_rng(seed: int, purpose: str, *parts: str | int) -> np.random.Generator:
    """Return a generator seeded by `derive_seed`."""
    return np.random.default_rng(derive_seed(seed, purpose, *parts))
