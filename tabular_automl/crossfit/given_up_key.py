"""The key of a fold fit that was left because it fell behind a threshold curve."""

from tabular_automl.core.digest import digest_array, digest_json
from tabular_automl.core.fitting import FloatArray


def given_up_key(key: str, bar: FloatArray) -> str:
    """Return the key under which a fit that was given up is kept, 64 hex digits.

    Such a fit is all there is to know about a candidate that fell behind ``bar``, and no answer to whoever
    asks for the whole fit, or for one against another bar.

    Parameters
    ----------
    key
        Key of the whole fit (`fold_key`).
    bar
        The threshold curve it fell behind (`FitContext.bar`).
    """
    return digest_json([key, digest_array(bar)])
