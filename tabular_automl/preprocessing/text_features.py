"""Cheap numbers about free text: its length, its words, and which frequent words it holds."""

import re
from collections.abc import Sequence
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabular_automl.core.fitting import FloatArray
from tabular_automl.core.table import Column

COUNTS = ("length", "words", "digits")
MAX_TOKENS = 60
_WORD = r"\w+"
_ONE_WORD = re.compile(_WORD)


def text_features(column: Column, tokens: Sequence[str]) -> FloatArray:
    """Return counts and token indicators, shape (3 + len(tokens), n_rows); NaN where the text is missing.

    Every distinct text of these rows is looked at once.
    """
    codes = column.values.astype(np.intp)
    used = np.unique(codes[codes >= 0])
    texts = _texts(column, used)
    found = np.full((len(COUNTS) + len(tokens), len(used) + 1), np.nan)  # the last place serves code -1
    if len(used):
        length = texts.str.len().to_numpy(np.float64)
        found[0, :-1] = length
        found[1, :-1] = texts.str.count(_WORD).to_numpy(np.float64)
        found[2, :-1] = texts.str.count(r"\d").to_numpy(np.float64) / np.maximum(length, 1.0)
        found[len(COUNTS) :, :-1] = 0.0
        of_text, token_codes = _token_pairs(texts, tokens)
        found[len(COUNTS) + token_codes, of_text] = 1.0
    return found[:, np.where(codes < 0, len(used), np.searchsorted(used, codes))]


def frequent_tokens(column: Column) -> tuple[str, ...]:
    """Return up to 60 words that are in the most rows: in at least 5 and 0.5%, in at most 95%."""
    codes = column.values[column.values >= 0].astype(np.intp)
    if not len(codes):
        return ()
    rows = np.bincount(codes, minlength=len(column.categories or ()))
    of_text, words, vocabulary = _words(_texts(column, np.arange(len(rows))))
    if not len(vocabulary):
        return ()
    # A word counts once in a text.
    pairs = np.unique(of_text * len(vocabulary) + words)
    of_text, words = pairs // len(vocabulary), pairs % len(vocabulary)
    n_rows = pd.Series(np.bincount(words, rows[of_text], minlength=len(vocabulary)), index=vocabulary)
    kept = n_rows[(n_rows >= max(5.0, 0.005 * len(codes))) & (n_rows <= 0.95 * len(codes))]
    by_frequency = kept.sort_index().sort_values(ascending=False, kind="stable")
    return tuple(str(word) for word in by_frequency.index[:MAX_TOKENS])


def _texts(column: Column, codes: NDArray[np.intp]) -> "pd.Series[str]":
    levels = column.categories or ()
    return pd.Series([levels[code] for code in codes.tolist()], dtype=object).astype("str")


def _token_pairs(texts: "pd.Series[str]", tokens: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which text holds which token, as two aligned arrays of positions."""
    if not tokens:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    of_text, words, vocabulary = _words(texts)
    codes = pd.Index(tokens).get_indexer(vocabulary)[words]
    known = codes >= 0
    return of_text[known], codes[known].astype(np.intp)


def _words(texts: "pd.Series[str]") -> tuple[NDArray[np.intp], NDArray[np.intp], "pd.Index[str]"]:
    """Return all words in lower case: in which text each is, its number, and the distinct words by number."""
    found = [_ONE_WORD.findall(text) for text in texts.str.lower().tolist()]
    sizes = np.fromiter(map(len, found), np.intp, len(found))
    words, vocabulary = pd.factorize(np.array(list(chain.from_iterable(found)), dtype=object))
    return np.repeat(np.arange(len(found)), sizes), words.astype(np.intp), pd.Index(vocabulary)
