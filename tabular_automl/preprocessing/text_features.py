"""Cheap numbers about free text: its length, its words, and which frequent words it holds."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.table import Column

COUNTS = ("length", "words", "digits")
MAX_TOKENS = 60
_WORD = r"\w+"


def text_features(column: Column, tokens: Sequence[str]) -> FloatArray:
    """Return counts and token indicators, shape (3 + len(tokens), n_rows); NaN where the text is missing.

    Every distinct text is looked at once.
    """
    texts = _texts(column)
    found = np.full((len(COUNTS) + len(tokens), len(texts) + 1), np.nan)  # the last place serves code -1
    if len(texts):
        length = texts.str.len().to_numpy(np.float64)
        found[0, :-1] = length
        found[1, :-1] = texts.str.count(_WORD).to_numpy(np.float64)
        found[2, :-1] = texts.str.count(r"\d").to_numpy(np.float64) / np.maximum(length, 1.0)
        found[len(COUNTS) :, :-1] = 0.0
        of_text, token_codes = _token_pairs(texts, tokens)
        found[len(COUNTS) + token_codes, of_text] = 1.0
    return found[:, column.values.astype(np.intp)]


def frequent_tokens(column: Column) -> tuple[str, ...]:
    """Return up to 60 words that are in the most rows: in at least 5 and 0.5%, in at most 95%."""
    texts = _texts(column)
    codes = column.values[column.values >= 0].astype(np.intp)
    if not len(codes):
        return ()
    rows = np.bincount(codes, minlength=len(texts))
    words = texts.str.lower().str.findall(_WORD).map(set).map(sorted).explode().dropna()
    n_rows = pd.Series(rows[words.index.to_numpy()]).groupby(words.to_numpy()).sum()
    kept = n_rows[(n_rows >= max(5.0, 0.005 * len(codes))) & (n_rows <= 0.95 * len(codes))]
    by_frequency = kept.sort_index().sort_values(ascending=False, kind="stable")
    return tuple(str(word) for word in by_frequency.index[:MAX_TOKENS])


def _texts(column: Column) -> "pd.Series[str]":
    return pd.Series(list(column.categories or ()), dtype=object).astype("str")


def _token_pairs(texts: "pd.Series[str]", tokens: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which text holds which token, as two aligned arrays of positions."""
    if not tokens:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    words = texts.str.lower().str.findall(_WORD).explode().dropna()
    codes = pd.Index(tokens).get_indexer(pd.Index(words.to_numpy()))
    known = codes >= 0
    return words.index.to_numpy()[known].astype(np.intp), codes[known].astype(np.intp)
